"""A chain for caches and readers, as far as they need one."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from agents.core.channels.lanes import Lane, SignedGrant, SignedOpening, SignedVoucher
from agents.core.channels.till import Cover
from agents.core.errors import ChainUnavailable, Refused


@dataclass
class Ledger:
    """A chain on which every payer has deposited, and what was sent to it."""

    kept: dict[bytes, Cover] = field(default_factory=dict)
    pool: int = 1 << 60
    opened: list[SignedOpening] = field(default_factory=list)
    redeemed: list[list[SignedVoucher]] = field(default_factory=list)
    down: bool = False

    async def covers(self, lanes: Sequence[Lane]) -> list[Cover]:
        if self.down:
            raise ChainUnavailable("The chain is down")
        return [self.kept.get(lane.id, Cover(pool=self.pool)) for lane in lanes]

    async def open(self, opening: SignedOpening, grant: SignedGrant | None) -> None:
        self.opened.append(opening)
        if grant is not None and grant.grant.limit < opening.opening.amount:
            raise Refused("the grant is exceeded")
        self.keep(opening.opening.lane, opening.opening.amount)

    async def redeem(self, vouchers: Sequence[SignedVoucher]) -> None:
        self.redeemed.append(list(vouchers))
        for signed in vouchers:
            cover = self.kept[signed.voucher.lane.id]
            paid = min(signed.voucher.amount, cover.secured)
            self.kept[signed.voucher.lane.id] = replace(cover, redeemed=paid, reserved=cover.secured - paid)

    def keep(self, lane: Lane, amount: int) -> None:
        """The lane keeps ``amount``."""
        self.kept[lane.id] = Cover(pool=self.pool, reserved=amount)
