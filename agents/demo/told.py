"""What the demo found, for --json."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from agents.demo.reads import Sold
from agents.demo.reports import Report
from agents.demo.sheet import Account


@dataclass(frozen=True)
class Told:
    """One demo."""

    file: str
    size: int
    slot_size: int
    """Bytes."""
    proof_seconds: float
    period_blocks: int
    request: str
    placed_after: list[int]
    repairs: list[Report]
    reads: Sold
    story_seconds: float
    accounts: Sequence[Account]

    def facts(self) -> dict[str, Any]:
        """As JSON; amounts as strings of base units."""
        sheet = [
            {
                "party": account.name,
                "address": account.address,
                "lines": {line: str(value) for line, value in account.lines.items()},
                "change": str(account.change),
                "chain": str(account.chain),
            }
            for account in self.accounts
        ]
        kept = {name: value for name, value in vars(self).items() if name not in ("accounts", "repairs", "reads")}
        repairs = [asdict(report) for report in self.repairs]
        return {**kept, "repairs": repairs, "reads": self.reads.facts(), "accounts": sheet}
