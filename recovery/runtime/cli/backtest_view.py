"""The tables of a backtest. Without the same columns everywhere two runs could not be laid side by side."""

from collections.abc import Mapping

from rich.table import Table

from recovery.runtime.cli.output import cells
from recovery.simulation.backtest.compare import NOTHING, ORACLE
from recovery.simulation.backtest.policies import CUSTOMER_DAYS, LADDERS, STRIPE_RHYTHM
from recovery.simulation.backtest.tally import Share, Tally

_FIXED = {*(ladder.name for ladder in LADDERS)}


def figures_table(tallies: Mapping[str, Tally]) -> Table:
    """One row a strategy; at most 80 columns wide."""
    table = _table("strategy", "cases %", "value %", "oracle", "tries", "fees", "mails", "days", "kept %")
    nothing, oracle = tallies[NOTHING], tallies[ORACLE]
    for name, tally in tallies.items():
        table.add_row(
            *cells(
                name,
                _share(tally.by_count),
                _share(tally.by_value),
                f"{tally.paid / oracle.paid:.0%}" if oracle.paid else None,
                f"{tally.tries_per_win:.1f}" if tally.tries_per_win is not None else None,
                tally.breaches if tally.tries and name != ORACLE else None,
                f"{tally.emails / tally.cases:.2f}",
                f"{tally.days_to_money:.1f}" if tally.days_to_money is not None else None,
                f"{(tally.paid - nothing.paid) / tally.cases:.1%}",
            )
        )
    return table


def cause_table(tallies: Mapping[str, Tally]) -> Table:
    """Recovered share by the real cause, and how many cases in a hundred each policy misses that the oracle wins."""
    shown = [name for name in tallies if name not in _FIXED]
    policies = [name for name in shown if name not in (NOTHING, ORACLE, STRIPE_RHYTHM.name)]
    table = _table(
        "real cause",
        "of all",
        *shown,
        *(f"missed{'' if number == 0 else f' {number + 1}'}" for number in range(len(policies))),
    )
    oracle = tallies[ORACLE]
    for cause, (cases, won) in sorted(oracle.causes.items(), key=lambda row: -row[1][0]):
        shares = [f"{tallies[name].share_of(cause) or 0:.0%}" for name in shown]
        missed = [f"{100 * (won - tallies[name].causes[cause][1]) / oracle.cases:.2f}" for name in policies]
        table.add_row(*cells(cause.value, f"{cases / oracle.cases:.0%}", *shares, *missed))
    return table


def sources() -> str:
    """What the columns mean."""
    return (
        "cases, value: recovered share with its 95 % interval, whoever paid. oracle: part of what the oracle wins. "
        "tries: charges sent per charge that won. fees: tries a network would charge for (after “never again”, before "
        "its advice, above its caps). mails: per case. days: median from failure to money. kept: cases saved from "
        "involuntary churn, against nothing. missed: cases in a hundred that the oracle wins and the policy does not. "
        f"Every ladder writes one email after its last try and waits {CUSTOMER_DAYS} days for the customer; the policy "
        "writes one too, so that the difference is timing."
    )


def _share(share: Share) -> str:
    return f"{100 * share.value:.1f} ±{50 * (share.high - share.low):.1f}"


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", no_wrap=number > 0)
    return table
