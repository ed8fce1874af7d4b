"""One sender a key: every transaction of an account goes through here, once, whatever happens in between.

An effect is signed and written to the journal before it is broadcast, so a process killed at any moment finds on its
next start what it may have sent, and sends that very transaction again instead of another. The same effect key is
never signed under two nonces unless the first is known to be void.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from eth_account.signers.local import LocalAccount

from agents.chain.blocks import Header, latest
from agents.chain.journal import Journal
from agents.chain.reverts import revert_of
from agents.chain.rpc import Rpc, RpcError, longer, quantity, to_hex
from agents.chain.transactions import (
    Answer,
    Call,
    Entry,
    Fees,
    Receipt,
    answer_of,
    entry_from_bytes,
    failure_of,
    market_fees,
    receipt_of,
    sign,
)
from agents.core.errors import ChainError, NotEnoughGas, StorageTrouble

log = logging.getLogger(__name__)

KIND = "transactions"
"""Under which kind a sender's entries are in its journal."""

POLL = 0.25
"""Seconds between looks at a transaction that is not mined yet."""

STUCK_AFTER = 30.0
"""Seconds after which a transaction that is not mined is replaced at higher fees."""

STUCK_BLOCKS = 2
"""Blocks that must have passed it over by then: one may have been under way already, and a halted chain has none."""

HEADROOM = (5, 4)
"""Gas given over the estimate: a pairing verifier short of gas says `false` where it should fail."""

RECHECK_BLOCKS = 256
"""Blocks for which a mined transaction is remembered, in case it is reorganised away; its key is free after that."""


@dataclass(frozen=True)
class Sending:
    """When a transaction was last offered: seconds of the monotonic clock, and the newest block then."""

    at: float
    block: int


class Sender:
    """Sends calls of one ``account`` on one chain, in order, exactly once a key."""

    def __init__(
        self,
        rpc: Rpc,
        account: LocalAccount,
        chain_id: int,
        journal: Journal,
        *,
        poll: float = POLL,
        stuck_after: float = STUCK_AFTER,
        confirmations: int = 1,
    ) -> None:
        self.rpc = rpc
        self.account = account
        self.address: str = account.address
        self.chain_id = chain_id
        self._journal = journal
        self._poll = poll
        self._stuck_after = stuck_after
        self._confirmations = confirmations
        self._preparing = asyncio.Lock()
        self._entries = {key: entry_from_bytes(record) for key, record in journal.load(KIND).items()}
        self._batches = {key: entry.key for entry in self._entries.values() for key in entry.covers}
        self._settling: dict[str, asyncio.Task[Receipt]] = {}

    async def send(self, call: Call, key: str, covers: Sequence[str] = ()) -> Receipt:
        """The receipt of ``call``, the one effect named ``key``; sends it unless it was sent before, be it in a batch.

        ``covers`` are the keys of the effects that a batch is all of at once: none of them is sent again while it stands.
        Raises Reverted, NotEnoughTokens (before any gas is spent if the estimate tells), NotEnoughGas, ChainError.
        """
        async with self._preparing:
            entry = self._find(key)
            if entry is None:
                entry = await self._prepare(call, key, tuple(covers))
        self._revive()
        return await asyncio.shield(self._task(entry.key))

    async def follow(self, key: str) -> Receipt | None:
        """The receipt of the effect named ``key``, if it was sent, be it in a batch; None otherwise. Raises like `send`."""
        entry = self._find(key)
        return await asyncio.shield(self._task(entry.key)) if entry is not None else None

    def knows(self, key: str) -> bool:
        """Whether the effect named ``key`` was sent, be it in a batch, and stands."""
        return self._find(key) is not None

    def effects(self, prefix: str) -> dict[str, int | None]:
        """Effects whose keys begin with ``prefix``, and the block each is in, None before; old ones are forgotten."""
        return {key: one.mined and one.mined[0] for key, one in self._entries.items() if key.startswith(prefix)}

    async def resume(self) -> list[str]:
        """Take up what an earlier process left unfinished; the keys of it. Each is settled in the background."""
        unfinished = [entry.key for entry in self._entries.values() if entry.mined is None]
        for key in unfinished:
            self._task(key)
        return unfinished

    async def recheck(self) -> list[str]:
        """Send again whatever a reorg took out of the chain; the keys of it."""
        self._retire(await self.rpc.block_number())
        lost = []
        for entry in [entry for entry in self._entries.values() if entry.mined is not None]:
            receipts = [await receipt_of(self.rpc, tx_hash) for tx_hash in entry.hashes]
            if not any(receipts) and self._entries.get(entry.key) is entry:
                log.warning("%s was reorganised away and is sent again", entry.call.label)
                self._keep(replace(entry, mined=None))
                self._settling.pop(entry.key, None)
                self._task(entry.key)
                lost.append(entry.key)
        return lost

    def forget(self, key: str) -> None:
        """Drop a settled effect from the journal: its key may be sent anew."""
        entry = self._entries.get(key)
        if entry is not None and entry.mined is not None:
            self._drop(key)

    def pending(self) -> list[str]:
        """Keys of effects not yet mined; each is looked after while it is listed."""
        self._revive()
        return [entry.key for entry in self._entries.values() if entry.mined is None]

    async def close(self) -> None:
        """Stop looking after transactions; the journal has them all."""
        for task in self._settling.values():
            task.cancel()
        await asyncio.gather(*self._settling.values(), return_exceptions=True)
        self._settling.clear()

    def _task(self, key: str) -> asyncio.Task[Receipt]:
        task = self._settling.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = asyncio.create_task(self._settle(key), name=f"settle {key}")
            # Its outcome may never be asked for: the role that wanted it may be gone.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._settling[key] = task
        return task

    def _revive(self) -> None:
        """Have every effect not yet mined followed, whatever ended the task that did: all later nonces wait for it."""
        for entry in self._entries.values():
            if entry.mined is None:
                self._task(entry.key)

    def _find(self, key: str) -> Entry | None:
        return self._entries.get(key) or self._entries.get(self._batches.get(key, ""))

    def _keep(self, entry: Entry) -> None:
        self._journal.save(KIND, entry.key, entry.to_bytes())
        self._entries[entry.key] = entry
        self._batches.update(dict.fromkeys(entry.covers, entry.key))

    def _drop(self, key: str) -> None:
        self._journal.remove(KIND, key)
        entry = self._entries.pop(key, None)
        for covered in entry.covers if entry else ():
            if self._batches.get(covered) == key:
                del self._batches[covered]
        self._settling.pop(key, None)

    def _retire(self, head: int) -> None:
        """Forget what was mined too long before block ``head`` to be reorganised away."""
        for entry in list(self._entries.values()):
            if entry.mined is not None and head - entry.mined[0] > RECHECK_BLOCKS:
                self._drop(entry.key)

    async def _prepare(self, call: Call, key: str, covers: tuple[str, ...] = ()) -> Entry:
        """Sign ``call`` under the next nonce and journal it; called with the sender's lock held."""
        head = await latest(self.rpc)
        gas = await self._estimate(call, head)
        fees = await market_fees(self.rpc, head)
        await self._afford(call, gas, fees)
        entry = Entry(key, call, await self._next_nonce(), gas, fees, (), covers=covers)
        entry = await asyncio.to_thread(sign, self.account, self.chain_id, entry)
        self._keep(entry)
        return entry

    async def _next_nonce(self) -> int:
        mined, pooled = await self.rpc.batch(
            [("eth_getTransactionCount", (self.address, tag)) for tag in ("latest", "pending")]
        )
        ours = [entry.nonce + 1 for entry in self._entries.values() if entry.mined is None]
        return max(quantity(mined), quantity(pooled), *ours, 0)

    async def _estimate(self, call: Call, head: Header) -> int:
        request = {"from": self.address, "data": to_hex(call.data), "value": hex(call.value)}
        if call.to:
            request["to"] = call.to
        try:
            estimate = quantity(await self.rpc.call("eth_estimateGas", request, "latest"))
        except RpcError as error:
            if answer_of(error) is Answer.POVERTY:
                raise await self._poverty(call, call.value) from None
            raise revert_of(call.label, error) from None
        up, down = HEADROOM
        return min(max(estimate * up // down, call.gas_floor), head.gas_limit)

    async def _afford(self, call: Call, gas: int, fees: Fees) -> None:
        need = gas * fees.most + call.value
        if await self.rpc.balance(self.address) < need:
            raise await self._poverty(call, need)

    async def _poverty(self, call: Call, need: int) -> NotEnoughGas:
        have = await self.rpc.balance(self.address)
        return NotEnoughGas(
            f"{call.label} may cost {need / 1e18:.9f} ETH in gas",
            f"{self.address} has {have / 1e18:.9f} ETH",
            "Send it some ETH.",
        )

    async def _settle(self, key: str) -> Receipt:
        """Follow one effect until it is in the chain, whatever that takes.

        Raises what the endpoint has against the first broadcast, and why a mined call failed; the effect is forgotten
        then, as it did not happen.
        """
        pause = self._poll
        sent: Sending | None = None
        while True:
            entry = self._entries[key]
            try:
                receipt = await self._mined(entry)
                if receipt is not None:
                    return await self._conclude(entry, receipt)
                if sent is None:
                    now = await self._now()
                    await self._broadcast(entry, first=len(entry.signed) == 1)
                    sent = now
                elif await self._void(entry):
                    await self._renew(entry)
                    sent = None
                elif (gap := await self._gap(entry)) is not None:
                    await self._fill(gap)
                elif await self._stuck(entry, sent):
                    sent = await self._now()
                    await self._replace(entry)
                elif await self._missing(entry):
                    await self._broadcast(entry)
                pause = self._poll
            except (ChainError, NotEnoughGas, StorageTrouble) as error:
                if key not in self._entries:
                    raise
                # It is journalled and may be on the wire: nothing is gained by giving up.
                log.warning("%s waits: %s", entry.call.label, error)
                pause = longer(pause)
            await asyncio.sleep(pause)

    async def _now(self) -> Sending:
        return Sending(time.monotonic(), await self.rpc.block_number())

    async def _mined(self, entry: Entry) -> Receipt | None:
        for tx_hash in reversed(entry.hashes):
            receipt = await receipt_of(self.rpc, tx_hash)
            if receipt is not None:
                if self._confirmations > 1:
                    head = await self.rpc.block_number()
                    return receipt if head - receipt.block_number + 1 >= self._confirmations else None
                return receipt
        return None

    async def _conclude(self, entry: Entry, receipt: Receipt) -> Receipt:
        if not receipt.succeeded:
            # The effect did not happen: forget it, so that it can be tried anew under its key.
            error = await failure_of(self.rpc, self.address, entry.call, receipt)
            self._drop(entry.key)
            raise error
        self._keep(replace(entry, mined=(receipt.block_number, receipt.block_hash, receipt.tx_hash)))
        self._retire(receipt.block_number)
        return receipt

    async def _broadcast(self, entry: Entry, *, first: bool = False) -> None:
        try:
            await self.rpc.call("eth_sendRawTransaction", to_hex(entry.signed[-1]))
        except RpcError as error:
            answer = answer_of(error)
            if answer is Answer.NOTHING_NEW:
                # Known, mined meanwhile, void, or too cheap by now: the next look tells which.
                log.info("%s: %s", entry.call.label, error.message)
                return
            if first and answer is not Answer.LATER:
                self._drop(entry.key)
            if answer is Answer.POVERTY:
                need = entry.gas * entry.fees.most + entry.call.value
                raise await self._poverty(entry.call, need) from None
            raise

    async def _void(self, entry: Entry) -> bool:
        """Whether the nonce went to another transaction: it is used up and none of ours has a receipt."""
        count = quantity(await self.rpc.call("eth_getTransactionCount", self.address, "latest"))
        if count <= entry.nonce:
            return False
        # The receipt's index may lag behind the state: look again after the next block.
        start = await self.rpc.block_number()
        while await self.rpc.block_number() == start:
            if await self._mined(entry) is not None:
                return False
            await asyncio.sleep(self._poll)
        for tx_hash in entry.hashes:
            if await self.rpc.call("eth_getTransactionByHash", to_hex(tx_hash)) is not None:
                return False
        return quantity(await self.rpc.call("eth_getTransactionCount", self.address, "latest")) > entry.nonce

    async def _renew(self, entry: Entry) -> None:
        async with self._preparing:
            log.warning("nonce %d of %s was used elsewhere", entry.nonce, entry.call.label)
            self._entries.pop(entry.key, None)
            try:
                await self._prepare(entry.call, entry.key, entry.covers)
            except ChainError:
                self._entries[entry.key] = entry
                raise
            except Exception:
                self._drop(entry.key)
                raise

    async def _gap(self, entry: Entry) -> int | None:
        """The nonce before this one that neither we nor the pool are going to use; None if there is none.

        Such a gap is left by a transaction that the endpoint refused after later ones were signed.
        """
        pooled = quantity(await self.rpc.call("eth_getTransactionCount", self.address, "pending"))
        taken = {other.nonce for other in self._entries.values() if other.mined is None}
        return pooled if pooled < entry.nonce and pooled not in taken else None

    async def _fill(self, nonce: int) -> None:
        """Use up ``nonce`` on nothing, so that those after it can be mined."""
        async with self._preparing:
            if any(entry.nonce == nonce and entry.mined is None for entry in self._entries.values()):
                return
            head = await latest(self.rpc)
            call = Call(self.address, b"", f"filling nonce {nonce}")
            fees = await market_fees(self.rpc, head)
            entry = Entry(f"gap:{nonce}:{head.number}", call, nonce, await self._estimate(call, head), fees, ())
            log.warning("nonce %d was left out: it is filled", nonce)
            self._keep(await asyncio.to_thread(sign, self.account, self.chain_id, entry))
        self._task(entry.key)

    async def _missing(self, entry: Entry) -> bool:
        found = await self.rpc.call("eth_getTransactionByHash", to_hex(entry.hashes[-1]))
        return found is None

    async def _stuck(self, entry: Entry, sent: Sending) -> bool:
        count = quantity(await self.rpc.call("eth_getTransactionCount", self.address, "latest"))
        if count < entry.nonce:
            return False  # It waits for the one before it.
        head = await latest(self.rpc)
        if head.number < sent.block + STUCK_BLOCKS:
            return False
        return time.monotonic() - sent.at > self._stuck_after or head.base_fee > entry.fees.most

    async def _replace(self, entry: Entry) -> None:
        market = await market_fees(self.rpc, await latest(self.rpc))
        fees = entry.fees.bumped(market)
        if fees is None:
            log.warning("%s offers %d wei per gas, far above the market: it waits", entry.call.label, entry.fees.most)
            return
        await self._afford(entry.call, entry.gas, fees)
        dearer = await asyncio.to_thread(sign, self.account, self.chain_id, replace(entry, fees=fees))
        self._keep(dearer)
        log.info("%s is stuck: sent again at %d wei per gas", entry.call.label, fees.most)
        await self._broadcast(dearer)
