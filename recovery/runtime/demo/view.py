"""Shows the demo while it runs: a live panel on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from babel.numbers import format_currency
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text
from sqlalchemy import Engine

from recovery.cases.lifecycle import EntryKind, State
from recovery.money import Money
from recovery.storage import outcome_queries as queries
from recovery.storage.connect import reading

REFRESH_SECONDS = 0.5
LINE_SECONDS = 5.0
REASONS = 5


@contextmanager
def watching(database: Engine, console: Console) -> Iterator[Callable[[datetime], None]]:
    """Give a function that is told the business date and draws what there is to see, at a bearable rate."""
    if not console.is_terminal:
        yield _lines(database, console)
        return
    with Live(console=console, auto_refresh=False, transient=False) as live:
        last = 0.0

        def draw(at: datetime) -> None:
            nonlocal last
            if time.monotonic() - last >= REFRESH_SECONDS:
                last = time.monotonic()
                live.update(panel(database, at), refresh=True)

        yield draw
        last = 0.0


def _lines(database: Engine, console: Console) -> Callable[[datetime], None]:
    last = 0.0

    def line(at: datetime) -> None:
        nonlocal last
        if time.monotonic() - last >= LINE_SECONDS:
            last = time.monotonic()
            with reading(database) as tx:
                cases = queries.counts_by(tx, "cases")
                emails = sum(queries.counts_by(tx, "emails").values())
            states = "  ".join(f"{state.value} {cases.get(state.value, 0)}" for state in State)
            console.print(f"{at:%d %b %Y}  {states}  emails {emails}", highlight=False, soft_wrap=True)
            sys.stdout.flush()

    return line


def panel(database: Engine, at: datetime) -> Group:
    """The picture of one moment, 80 columns wide at most."""
    with reading(database) as tx:
        cases = queries.counts_by(tx, "cases")
        emails = queries.counts_by(tx, "emails")
        money = queries.money_by_kind(tx)
        reasons = queries.last_reasons(tx, limit=REASONS)
        sources = queries.recovered_by_source(tx)
    head = Text(f"{at:%A %d %B %Y %H:%M} UTC", style="bold")
    states = Text(
        "  ".join(f"{state.value} {cases.get(state.value, 0)}" for state in State) + f"  emails {sum(emails.values())}"
    )
    won = Text(
        "recovered by  " + ("  ".join(f"{name.replace('_', ' ')} {n}" for name, n in sorted(sources.items())) or "–")
    )
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("currency", "at risk", "recovered", "lost", "withdrawn"):
        table.add_column(title, justify="left" if title == "currency" else "right")
    for currency in sorted({row[0] for row in money}):
        sums = [_sum(money, currency, kind) for kind in _SHOWN]
        table.add_row(currency.upper(), *sums)
    log = [
        Text(f"{when:%d %b %H:%M}  {reason}", style="dim", no_wrap=True, overflow="ellipsis")
        for when, _, reason in reasons
    ]
    return Group(head, states, won, Text(""), table, Text(""), *reversed(log))


_SHOWN = (EntryKind.AT_RISK, EntryKind.RECOVERED, EntryKind.WRITTEN_OFF, EntryKind.WITHDRAWN)


def _sum(money: list[tuple[str, str, str | None, int]], currency: str, kind: EntryKind) -> str:
    minor = sum(row[3] for row in money if row[0] == currency and row[1] == kind)
    return format_currency(Money(minor=minor, currency=currency).major(), currency.upper(), locale="en_US")
