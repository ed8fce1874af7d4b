"""A chain that goes back across a fill and across a proof: the provider fills and proves again.

Real proofs, the generated verifier, and anvil_reorg; the chain moves only when the test mines.
"""

import asyncio
from pathlib import Path

from agents.chain.anvil import dev_account
from agents.chain.blocks import header_of
from agents.chain.contracts import Market, SlotRecord
from agents.chain.rpc import Rpc
from agents.core.market.periods import first_block
from agents.core.market.types import SlotState, slot_id
from agents.runtime.follower import Moment
from agents.runtime.network import Network
from agents.store.folders import SlotName
from agents.store.slots import SlotStore, put_all
from tests.roles.house import CONFIG, living, town


async def story(folder: Path) -> None:
    async with town() as place:
        request, dataset = await place.post(folder, "file", 200_000)
        await place.rpc.call("evm_increaseTime", 5_000)  # the placement window is over: everybody is eligible
        store = SlotStore(folder / "provider", 1 << 30)
        async with living(place, store, folder) as (house, life):
            seen = await house.until(lambda now: reserved(now, request.id) is not None, life)
            index = reserved(seen, request.id)
            assert index is not None
            name = SlotName(dataset.manifest.digest, index)
            put_all(store, name, dataset.manifest_bytes, dataset.block_list(index), list(dataset.blocks(index)))
            state = lambda now: now.view.requests[request.id].slots[index]  # noqa: E731
            filled = lambda now: state(now).state is SlotState.FILLED  # noqa: E731
            await house.until(filled, life)

            # Across the fill: the block it is in goes, and the proof still fits the challenge.
            fill = await block_at(place.rpc, state(await house.until(filled, life)).filled_at)
            await go_back(place.rpc, fill)
            await house.until(lambda now: house.reorgs == 1 and filled(now), life)
            assert (await record(place.rpc, place.network, request.id, index)).state is SlotState.FILLED

            # Across a proof and the challenge it answers: the period's first block is another one now.
            await place.rpc.call(
                "anvil_mine", hex(CONFIG.period_blocks - await place.rpc.block_number() % CONFIG.period_blocks)
            )
            proven = lambda now: bool(state(now).proven)  # noqa: E731
            period = max(state(await house.until(proven, life)).proven)
            await go_back(place.rpc, first_block(period, CONFIG))
            await house.until(lambda now: house.reorgs == 2 and period in state(now).proven, life)
            again = await record(place.rpc, place.network, request.id, index)
            assert again.proven_at > again.filled_at


def reserved(now: Moment, request: bytes) -> int | None:
    """Which slot is reserved."""
    found = now.view.requests.get(request)
    states = [slot.state for slot in found.slots] if found else []
    return states.index(SlotState.RESERVED) if SlotState.RESERVED in states else None


async def record(rpc: Rpc, network: Network, request: bytes, index: int) -> SlotRecord:
    """The slot as the contract has it."""
    return await Market(rpc, network.deployment.marketplace).slot_of(slot_id(request, index))


async def go_back(rpc: Rpc, number: int) -> None:
    """Replace the chain from block ``number`` on by as many blocks, empty but for somebody's transfer in the first."""
    before, head = await header_of(rpc, number), await rpc.block_number()
    transfer = {"from": dev_account(8).address, "to": dev_account(9).address, "value": "0x1"}
    await rpc.call("anvil_reorg", head - number + 1, [[transfer, 0]])
    after = await header_of(rpc, number)
    assert before is not None and after is not None and before.hash != after.hash


async def block_at(rpc: Rpc, timestamp: int) -> int:
    """The block of ``timestamp``, not far below the newest."""
    number = await rpc.block_number()
    while (header := await header_of(rpc, number)) is not None and header.timestamp > timestamp:
        number -= 1
    return number


def test_a_fill_and_a_proof_that_the_chain_forgets_are_made_again(tmp_path: Path) -> None:
    asyncio.run(story(tmp_path))
