"""How the story looks: lines with the time, a table of the slots that lives on a terminal, and the balance sheet."""

import sys
import time
from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table

from agents.core.market.view import RequestView
from agents.core.units import DECIMALS, SYMBOL, TOKEN
from agents.demo.sheet import Account

SHOWN_DECIMALS = 6


def amount(value: int) -> str:
    """``value`` base units as signed tokens, rounded for the eye; the sheet's check is exact."""
    scaled = round(abs(value) / 10 ** (DECIMALS - SHOWN_DECIMALS))
    whole, rest = divmod(scaled, 10**SHOWN_DECIMALS)
    return f"{'-' if value < 0 else '+'}{whole}.{rest:0{SHOWN_DECIMALS}d}"


class Screen:
    """Where the story is told: stdout, or stderr when stdout is for JSON."""

    def __init__(self, json: bool) -> None:
        stream = sys.stderr if json else sys.stdout
        self._console = Console(file=stream, highlight=False, soft_wrap=False)
        self._live: Live | None = None
        self.started = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the screen was made."""
        return time.monotonic() - self.started

    def act(self, title: str) -> None:
        """A new part of the story."""
        self._console.print()
        self._console.print(f"[bold]{title}[/bold]")

    def say(self, text: str) -> None:
        """One line, with the seconds since the start."""
        self._console.print(f"{self.elapsed:6.1f} s  {text}", markup=False, soft_wrap=True)

    def slots(self, request: RequestView, names: Mapping[str, str], placed: Mapping[int, int]) -> None:
        """Show the slots as they are: redrawn in place on a terminal, nothing elsewhere."""
        if not self._console.is_terminal:
            return
        table = slot_table(request, names, placed)
        if self._live is None:
            self._live = Live(table, console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(table, refresh=True)

    def keep(self, request: RequestView, names: Mapping[str, str], placed: Mapping[int, int]) -> None:
        """Leave a table of the slots in the text."""
        self.still()
        self._console.print(slot_table(request, names, placed))

    def still(self) -> None:
        """Take the living table away."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def sheet(self, accounts: Sequence[Account]) -> None:
        """Show the balance sheet."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for column, justify in (("party", "left"), ("line", "left"), (SYMBOL, "right"), ("chain", "right")):
            table.add_column(column, justify="right" if justify == "right" else "left")
        for account in accounts:
            if not account.lines:
                table.add_row(account.name, "nothing", amount(0), amount(account.chain), end_section=True)
                continue
            for at, (line, value) in enumerate(account.lines.items()):
                table.add_row(account.name if at == 0 else "", line, amount(value), "")
            table.add_row("", "change", amount(account.change), amount(account.chain), end_section=True)
        self._console.print(table)


def slot_table(request: RequestView, names: Mapping[str, str], placed: Mapping[int, int]) -> Table:
    """The slots of ``request``; ``placed`` is how many seconds after its sale began each slot was last reserved."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in ("slot", "state", "host", "placed after", "filled at", "proofs", "missed", "pot"):
        table.add_column(column, justify="left" if column in ("state", "host") else "right")
    for index, slot in enumerate(request.slots):
        table.add_row(
            str(index),
            slot.state.name.lower(),
            names.get(slot.host or "", "-"),
            f"{placed[index]} s" if index in placed else "-",
            f"+{slot.filled_at - request.created_at} s" if slot.filled_at else "-",
            str(len(slot.proven)) if slot.filled_at else "-",
            str(len(slot.missed)) if slot.filled_at else "-",
            f"{slot.pot / TOKEN:.2f}" if slot.pot else "-",
        )
    return table
