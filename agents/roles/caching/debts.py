"""What lanes that ended left unpaid: remembered beyond the lane and a restart, so that a new lane is no new beginning."""

import json
from collections.abc import Iterator
from dataclasses import asdict

from agents.core.channels.credit import Risk
from agents.store.state import StateStore

KIND = "debt"
MEMORY = 30 * 86_400
"""Seconds a debt counts after its lane ended."""
BRIEFLY = 5 * 86_400
"""The same of what was signed for, with money behind it, and lapsed as it was not worth redeeming. It is two days less than a
reader's lane lives: of whoever reads a little in every lane, only the last one's counts."""
MOST = 1 << 14
"""Debts remembered; the oldest go first. Each took a deposit, or a grant and a part of its sponsor's one interval."""


class Debts:
    """What ended lanes left, by lane, in ``state``, which nobody else uses."""

    def __init__(self, state: StateStore) -> None:
        self._state = state
        records = [(bytes.fromhex(lane), json.loads(record)) for lane, record in state.load(KIND).items()]
        records.sort(key=lambda each: int(each[1]["until"]))
        self._debts = {lane: (int(fields.pop("until")), _read(fields)) for lane, fields in records}

    def __iter__(self) -> Iterator[tuple[bytes, Risk]]:
        """Lanes, and what each left; the oldest first."""
        return ((lane, risk) for lane, (_, risk) in self._debts.items())

    def remember(self, lane: bytes, risk: Risk, until: int) -> None:
        """A lane ended, and what it left counts ``until`` then, UNIX seconds. Raises StorageTrouble. It writes to disk."""
        fields = {name: str(value) for name, value in asdict(risk).items()} | {"until": str(until)}
        self._state.save(KIND, lane.hex(), json.dumps(fields).encode())
        self._debts[lane] = until, risk

    def forget_old(self, now: int) -> list[bytes]:
        """Lanes whose debts count no more. Raises StorageTrouble. It writes to disk."""
        kept = set([lane for lane, (until, _) in self._debts.items() if now < until][-MOST:])
        old = [lane for lane in self._debts if lane not in kept]
        if old:
            with self._state.transaction():
                for lane in old:
                    self._state.remove(KIND, lane.hex())
        self._debts = {lane: debt for lane, debt in self._debts.items() if lane in kept}
        return old

    def close(self) -> None:
        """No more is remembered."""
        self._state.close()


def _read(fields: dict[str, str]) -> Risk:
    return Risk(fields["reader"], fields["payer"], int(fields["paid"]), int(fields["exposed"]))
