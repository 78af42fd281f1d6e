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
        with _at_times(LINE_SECONDS, lambda at: _line(database, console, at)) as line:
            yield line
        return
    with (
        Live(console=console, auto_refresh=False, transient=False) as live,
        _at_times(REFRESH_SECONDS, lambda at: live.update(panel(database, at), refresh=True)) as draw,
    ):
        yield draw


@contextmanager
def _at_times(seconds: float, show: Callable[[datetime], None]) -> Iterator[Callable[[datetime], None]]:
    """Give a function that shows a date, at most one in so many seconds; the last one it was told is shown at the end."""
    last, waits = 0.0, None

    def tell(at: datetime) -> None:
        nonlocal last, waits
        waits = at
        if time.monotonic() - last >= seconds:
            last, waits = time.monotonic(), None
            show(at)

    yield tell
    if waits is not None:
        show(waits)


def _line(database: Engine, console: Console, at: datetime) -> None:
    with reading(database) as tx:
        cases = queries.counts_by(tx, "cases")
        emails = sum(queries.counts_by(tx, "emails").values())
    states = "  ".join(f"{state.value} {cases.get(state.value, 0)}" for state in State)
    console.print(f"{at:%d %b %Y}  {states}  emails {emails}", highlight=False, soft_wrap=True)
    sys.stdout.flush()


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
