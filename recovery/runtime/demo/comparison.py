"""The demo's last lines: the same customers with us, with a fixed ladder, with nothing. Without them a rate would mean nothing."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine

from recovery.cases.lifecycle import EntryKind, State
from recovery.cases.rules import Rules
from recovery.money import Money
from recovery.runtime.demo.play import DemoOptions
from recovery.runtime.worlds import START_AT
from recovery.simulation.backtest.compare import NOTHING, judged, one_life, strategies
from recovery.simulation.backtest.policies import STRIPE_RHYTHM
from recovery.simulation.backtest.tally import Tally
from recovery.simulation.world import Parameters, build_world
from recovery.simulation.world.places import PLACES
from recovery.storage import outcome_queries as queries

_DOLLARS = {place.currency: place.dollars for place in PLACES}


@dataclass(frozen=True, slots=True)
class Replay:
    """What is needed to play the demo's world once more, without servers."""

    options: DemoOptions
    parameters: Parameters
    rules: Rules

    def tally(self, strategy: str) -> Tally:
        """The demo's customers under a strategy of the backtest, ending when the demo ends."""
        options, tally = self.options, Tally()
        world = build_world(
            seed=options.seed,
            customers=options.customers,
            days=options.days,
            start_at=START_AT,
            parameters=self.parameters,
        )
        make, until = strategies({})[strategy], START_AT + timedelta(days=options.days)
        for person in world.people:
            ending = one_life(world, person, make, until=until)
            tally.add(judged(strategy, world, person, ending, self.rules.networks))
        return tally


def same_seed(console: Console, outcome: dict[str, Any], database: Engine, *, play: Replay) -> None:
    """Print the three lines, and keep their figures in the outcome."""
    with database.connect() as tx:
        money = queries.money_by_kind(tx)
    ours = (outcome["cases"].get(State.RECOVERED.value, 0), sum(outcome["cases"].values()), _rate(money))
    rows = {"with us": ours}
    for name, strategy in (("with a Stripe-like ladder", STRIPE_RHYTHM.name), ("with nothing", NOTHING)):
        tally = play.tally(strategy)
        rows[name] = (tally.paid, tally.cases, tally.by_value.value)
    table = Table(title="The same seed, the same customers", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for heading in ("", "recovered", "of cases", "of the money"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, (won, cases, value) in rows.items():
        table.add_row(name, f"{won} of {cases}", f"{won / cases:.1%}" if cases else "–", f"{value:.1%}")
    console.print()
    console.print(table)
    console.print(
        "money at the world's own exchange rates; ladder and nothing are played by the backtest, the ladder writes one email.",
        style="dim",
    )
    outcome["same_seed"] = {
        name: {"recovered": won, "cases": cases, "value_share": round(value, 5)}
        for name, (won, cases, value) in rows.items()
    }


def _rate(money: list[tuple[str, str, str | None, int]]) -> float:
    at_risk, recovered = (
        sum(
            float(Money(minor=minor, currency=currency).major()) * _DOLLARS[currency]
            for currency, entry, _, minor in money
            if entry == kind
        )
        for kind in (EntryKind.AT_RISK, EntryKind.RECOVERED)
    )
    return recovered / at_risk if at_risk else 0.0
