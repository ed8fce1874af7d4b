"""What contract tests stand on: the deployed market, staked providers, a request and the ways to move time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from agents.core.market.types import Ask, Content, MarketConfig, Request, StakeConfig, slot_id

TOKEN = 10**18
STAKE = StakeConfig(100 * TOKEN, 1, 3600, "0x0000000000000000000000000000000000000051")
MARKET = MarketConfig(
    period_blocks=10, block_seconds=1, mark_blocks=40, settle_seconds=100, max_misses=3, slash_bps=1000,
    validator_bps=2000, bounty_bps=5000, bond_bps=500, reserve_seconds=60, repair_window=100, min_term_periods=2,
    max_duration=30 * 86400,
)  # fmt: skip
ASK = Ask(
    proof_probability=1, slots=3, max_slot_loss=1, repair_threshold=1, dispersal=5000, slot_size=1 << 20,
    duration=10_000, price_per_byte_per_second=1000, collateral_per_byte=10**9,
)  # fmt: skip
EXPIRY = 1000
PROOF = ((1, 2), ((1, 2), (3, 4)), (1, 2))
"""Accepted by the accept-all verifier."""
BAD_PROOF = ((0, 2), ((1, 2), (3, 4)), (1, 2))
"""Refused by it."""
RATE, COLLATERAL = ASK.rate, ASK.collateral

_nonces = count(1)


@dataclass
class Ground:
    """The contracts, the accounts, and time."""

    project: Any
    chain: Any
    accounts: Any
    token: Any
    registry: Any
    market: Any
    client: Any
    validator: Any
    providers: list[Any] = field(default_factory=list)

    @classmethod
    def deploy(cls, project: Any, accounts: Any, chain: Any, verifier: Any = None) -> Ground:
        """Everything, with four staked providers."""
        owner, client, validator = accounts[0], accounts[1], accounts[2]
        verifier = verifier or owner.deploy(project.AcceptAllVerifier)
        token = owner.deploy(project.TestToken, 10**9 * TOKEN)
        from eth_utils.address import to_checksum_address
        from eth_utils.crypto import keccak
        from rlp import encode

        created = keccak(encode([bytes.fromhex(owner.address[2:]), owner.nonce + 1]))[12:]
        registry = owner.deploy(project.StakeRegistry, token, STAKE.as_abi(), [to_checksum_address(created)])
        market = owner.deploy(project.Marketplace, registry, verifier, MARKET.as_abi())
        ground = cls(project, chain, accounts, token, registry, market, client, validator)
        for account in (client, *accounts[3:8]):
            token.transfer(account, 10**6 * TOKEN, sender=owner)
            token.approve(registry, 2**256 - 1, sender=account)
        ground.providers = list(accounts[3:7])
        for provider in ground.providers:
            registry.register(f"http://{provider.address}", sender=provider)
            registry.deposit(10_000 * TOKEN, sender=provider)
        chain.mine(1)
        return ground

    # --- time ---

    def blocks(self, number: int) -> None:
        """Mine ``number`` blocks, a second apart."""
        self.chain.mine(number)

    def seconds(self, number: int) -> None:
        """Let ``number`` seconds pass in one block."""
        self.chain.mine(1, deltatime=number)

    @property
    def now(self) -> int:
        return int(self.chain.blocks.head.timestamp)

    @property
    def period(self) -> int:
        return int(self.market.currentPeriod())

    def next_period(self) -> int:
        """Go to where a proof of a new period is accepted; that period."""
        head = self.chain.blocks.head.number
        into = (head + 1) % MARKET.period_blocks
        self.blocks(MARKET.period_blocks - into + 1)
        return self.period

    # --- states ---

    def request(self, **changes: Any) -> Request:
        """A request like ASK, with changes."""
        expiry = changes.pop("expiry", EXPIRY)
        content = changes.pop("content", Content(b"\1" * 32, 7))
        client = changes.pop("client", self.client.address)
        return Request(client, replace(ASK, **changes), content, expiry, next(_nonces).to_bytes(32, "big"))

    def posted(self, **changes: Any) -> bytes:
        """A request in state New; its id."""
        request = self.request(**changes)
        self.market.requestStorage(request.as_abi(), sender=self.client)
        return request.id

    def open_window(self, id: bytes) -> None:
        """Let the sale's window pass: every staked provider is eligible."""
        self.seconds(EXPIRY // 2)

    def reserved(self, id: bytes, index: int, provider: Any) -> bytes:
        """A reserved slot; its id."""
        self.market.reserveSlot(id, index, sender=provider)
        return slot_id(id, index)

    def filled(self, id: bytes, index: int, provider: Any) -> bytes:
        """A filled slot; its id."""
        slot = self.reserved(id, index, provider)
        self.in_period()
        self.market.fillSlot(slot, PROOF, sender=provider)
        return slot

    def in_period(self) -> None:
        """Make sure the next block is not the first of its period, whose challenge is not known yet."""
        if (self.chain.blocks.head.number + 1) % MARKET.period_blocks == 0:
            self.blocks(1)

    def started(self, **changes: Any) -> bytes:
        """A request in state Started, slot i filled by provider i."""
        id = self.posted(**changes)
        self.open_window(id)
        for index in range(changes.get("slots", ASK.slots)):
            self.filled(id, index, self.providers[index])
        return id

    def missed(self, slot: bytes) -> int:
        """Let a period pass and mark its miss; the period."""
        period = self.next_period()
        self.blocks(MARKET.period_blocks)
        self.market.markProofMissing(slot, period, sender=self.validator)
        return period

    def lost(self, slot: bytes) -> None:
        """Miss until the slot is lost."""
        for _ in range(MARKET.max_misses):
            self.missed(slot)

    def prove_all(self, id: bytes, but: int) -> None:
        """Every slot but one proves the current period."""
        for index in range(ASK.slots):
            if index != but:
                self.market.submitProof(slot_id(id, index), self.period, PROOF, sender=self.providers[index])

    def credit(self, account: Any) -> int:
        """What the registry owes ``account``."""
        return int(self.registry.creditOf(account))

    def check_books(self) -> None:
        """The vault holds exactly what it owes."""
        assert self.token.balanceOf(self.registry) == self.registry.liabilities()
