"""A market on a fresh chain, with real proofs, that notes the gas of every call."""

from collections.abc import Sequence
from typing import Any

from agents.chain.anvil import dev_account
from agents.chain.contracts import Market, Registry, Token
from agents.chain.deploy import DEV_SINK, deploy
from agents.chain.journal import MemoryJournal
from agents.chain.rpc import Rpc
from agents.chain.sender import Sender
from agents.chain.transactions import Call
from agents.core.market.types import Ask, Content, MarketConfig, Request, StakeConfig, slot_id
from agents.core.proofs.inputs import Opening, SlotFacts, circuit_input
from agents.core.proofs.profiles import Profile
from agents.core.proofs.sampling import cell_indices, entropy_of
from agents.core.proofs.trees import Layer, block_roots, dataset_tree, path, root, tree
from agents.core.units import TOKEN
from agents.kernels.poseidon2 import hash_cells
from agents.proving.executor import Prover

SLOTS, BLOCKS = 3, 2
PERIOD = 64
DURATION, EXPIRY = 86_400, 7_200
MARKET = MarketConfig(
    period_blocks=PERIOD, block_seconds=1, mark_blocks=4 * PERIOD, settle_seconds=20 * PERIOD, max_misses=3,
    slash_bps=2000, validator_bps=1000, bounty_bps=5000, bond_bps=500, reserve_seconds=600, repair_window=1200,
    min_term_periods=2, max_duration=30 * 86_400, min_extension=DURATION,
)  # fmt: skip
STAKE = StakeConfig(min_stake=100 * TOKEN, stake_per_byte=1, unbonding_seconds=60, sink=DEV_SINK)
CLIENT, VALIDATOR, FUNDER = 1, 2, 3
HOSTS = tuple(range(4, 16))
"""Development accounts."""


class Data:
    """A small dataset of ``SLOTS`` slots in memory, opened for proofs."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        size = profile.block_bytes
        self._slots = [bytes((at * 7 + at // 251 + slot) & 255 for at in range(BLOCKS * size)) for slot in range(SLOTS)]
        self._trees = [tree(block_roots(data, profile.cell_bytes, size)) for data in self._slots]
        self._dataset = dataset_tree([root(layers) for layers in self._trees])
        self.root = root(self._dataset)

    def inputs(self, slot: int, challenge: bytes) -> dict[str, Any]:
        """The circuit's input for ``slot`` under ``challenge``."""
        cells = BLOCKS * self._profile.cells_per_block
        slot_root, entropy = root(self._trees[slot]), entropy_of(challenge)
        facts = SlotFacts(self.root, slot, slot_root, cells, SLOTS, path(self._dataset, slot))
        drawn = cell_indices(entropy, slot_root, cells, self._profile.samples)
        return circuit_input(self._profile, entropy, facts, [self._opening(slot, cell) for cell in drawn])

    def _opening(self, slot: int, cell: int) -> Opening:
        profile, data = self._profile, self._slots[slot]
        block, inner = divmod(cell, profile.cells_per_block)
        inside = data[block * profile.block_bytes : (block + 1) * profile.block_bytes]
        layers: Sequence[Layer] = tree(hash_cells(inside, profile.cell_bytes))
        start = cell * profile.cell_bytes
        return Opening(data[start : start + profile.cell_bytes], path(layers, inner) + path(self._trees[slot], block))


class Ground:
    """One market on one chain, its accounts, and the gas their calls took."""

    def __init__(self, rpc: Rpc, prover: Prover, data: Data) -> None:
        self.rpc = rpc
        self.prover = prover
        self.data = data
        accounts = (0, CLIENT, VALIDATOR, FUNDER, *HOSTS)
        self.senders = {at: Sender(rpc, dev_account(at), 31_337, MemoryJournal(), poll=0.02) for at in accounts}
        self.gas: dict[str, int] = {}
        self._sent = 0

    async def deploy(self) -> None:
        """Contracts, tokens, allowances and staked hosts."""
        made = await deploy(self.senders[0], stake=STAKE, market=MARKET)
        self.market, self.registry = Market(self.rpc, made.marketplace), Registry(self.rpc, made.registry)
        token = Token(self.rpc, made.token)
        for at in (CLIENT, FUNDER, *HOSTS):
            await self.send(0, token.transfer(self.senders[at].address, 10**6 * TOKEN))
            await self.send(at, token.approve(made.registry, 2**256 - 1))
        for host in HOSTS:
            await self.send(host, self.registry.register("http://127.0.0.1:1"), "register")
            await self.send(host, self.registry.deposit(10_000 * TOKEN))

    def request(self, nonce: int, slots: int, max_slot_loss: int) -> Request:
        """A request for the first ``slots`` slots of the data; every period asks for a proof."""
        ask = Ask(1, slots, max_slot_loss, 1, 2500, BLOCKS * 65_536, DURATION, 10**6, 10**13)
        content = Content(b"\x11" * 32, self.data.root)
        return Request(self.senders[CLIENT].address, ask, content, EXPIRY, nonce.to_bytes(32, "big"))

    async def send(self, account: int, call: Call, name: str = "", share: int = 1) -> None:
        """Send ``call`` and note its gas, divided by ``share``, under ``name``."""
        self._sent += 1
        receipt = await self.senders[account].send(call, str(self._sent))
        if name:
            self.gas[name] = -(-receipt.gas_used // share)

    async def wait(self, seconds: int) -> None:
        """Let time pass; the chain's own, not ours."""
        await self.rpc.call("evm_increaseTime", seconds)
        await self.rpc.call("evm_mine")

    async def next_period(self) -> int:
        """Go well into the next period; its number."""
        head = await self.rpc.block_number()
        period = head // PERIOD + 1
        await self.rpc.call("anvil_mine", hex(period * PERIOD + 2 - head))
        return period

    async def prove(self, request: bytes, slot: int, period: int) -> tuple[Any, ...]:
        """A proof of ``slot`` for ``period``."""
        challenge = await self.market.challenge_of(slot_id(request, slot), period)
        return (await self.prover.prove(self.data.inputs(slot, challenge))).as_abi()

    async def fill(self, request: bytes, slot: int, host: int, reserve: str = "", fill: str = "") -> None:
        """``host`` reserves and fills ``slot``."""
        await self.send(host, self.market.reserve_slot(request, slot), reserve)
        proof = await self.prove(request, slot, await self.next_period())
        await self.send(host, self.market.fill_slot(slot_id(request, slot), proof), fill)

    async def close(self) -> None:
        """Stop the senders."""
        for sender in self.senders.values():
            await sender.close()
