"""The same people under every strategy. Without the same cases side by side chance would pass for skill."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from recovery.cases.rules import Rules
from recovery.declines.networks import NetworkRules
from recovery.money import Money
from recovery.simulation.backtest.account import Tried
from recovery.simulation.backtest.breaches import breaches
from recovery.simulation.backtest.lives import Ending, Scene, Strategy, life_ends_at, play
from recovery.simulation.backtest.oracle import clairvoyant
from recovery.simulation.backtest.policies import LADDERS, STRIPE_RHYTHM, EnginePolicy, FixedLadder, LadderPlan, Nothing
from recovery.simulation.world import life
from recovery.simulation.world.build import World
from recovery.simulation.world.parameters import Cause
from recovery.simulation.world.people import Person
from recovery.values import quick

NOTHING = "nothing"
ORACLE = "oracle"
OURS = "our policy"


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One person under one strategy. ``dollars`` is what was at risk, at the world's own rates."""

    strategy: str
    cause: Cause
    dollars: float
    kept: float
    """The part of the money that stays: not refunded later, nor lost in a dispute."""
    paid_days: float | None
    """Days from the failure to the money; None: it never came."""
    by_try: bool
    """A charge of the strategy brought it, not the customer on the page."""
    silent: bool
    """It did so before any email was sent."""
    tries: int
    """Charges of the strategy that reached the network."""
    emails: int
    breaches: int


def strategies(policies: Mapping[str, Rules]) -> dict[str, Callable[[Scene], Strategy]]:
    """All strategies but the oracle, by name, the idle one first and the policies last."""
    made: dict[str, Callable[[Scene], Strategy]] = {NOTHING: Nothing}
    for ladder in (*LADDERS, STRIPE_RHYTHM):
        made[ladder.name] = _ladder(ladder)
    for name, rules in policies.items():
        made[name] = _policy(rules)
    return made


def _ladder(plan: LadderPlan) -> Callable[[Scene], Strategy]:
    return lambda scene: FixedLadder(scene, plan)


def _policy(rules: Rules) -> Callable[[Scene], Strategy]:
    # One email, as the ladders write: what is compared is when a card is tried, not how often a customer is asked.
    once = replace(rules, policy=replace(rules.policy, campaigns=()))
    return lambda scene: EnginePolicy(scene, once)


def compare(
    world: World, policies: Mapping[str, Rules], *, until: datetime | None = None
) -> Iterator[tuple[Played, ...]]:
    """Each person of a world under every strategy, the oracle last. ``until`` ends all lives at one instant, as a demo does."""
    made = strategies(policies)
    networks = next(iter(policies.values())).networks
    for person in world.people:
        endings = {named: one_life(world, person, make, until=until) for named, make in made.items()}
        endings[ORACLE] = _best(clairvoyant(world, person), endings)
        yield tuple(judged(named, world, person, ending, networks) for named, ending in endings.items())


def one_life(
    world: World, person: Person, make: Callable[[Scene], Strategy], *, until: datetime | None = None
) -> Ending:
    """One person under one strategy."""
    scene = Scene(world, person)
    return play(scene, make(scene), until=until or life_ends_at(person))


def _best(oracle: Ending, endings: dict[str, Ending]) -> Ending:
    """Who knows everything also knows what the others would have got."""
    return oracle if oracle.won else next((ending for ending in endings.values() if ending.won), oracle)


def judged(name: str, world: World, person: Person, ending: Ending, networks: NetworkRules) -> Played:
    """What one ending amounts to."""
    won = ending.won
    by_try = won is not None and won in ending.tried
    owed = Money(minor=person.amount_minor, currency=person.place.currency)
    return Played(
        strategy=name,
        cause=person.trouble.cause,
        dollars=float(owed.major()) * person.place.dollars,
        kept=_kept(world, person, won) if won else 0.0,
        paid_days=(won.charge.created_at - person.fails_at).total_seconds() / 86400 if won else None,
        by_try=by_try,
        silent=by_try and won is not None and not any(at <= won.charge.created_at for at in ending.mailed_at),
        tries=sum(1 for tried in ending.tried if tried.charge.signals is None or tried.charge.signals.reached_network),
        emails=len(ending.mailed_at),
        breaches=breaches(ending.charges, networks),
    )


def _kept(world: World, person: Person, won: Tried) -> float:
    """What is left of a won charge when refunds and disputes are over, as the world has it."""
    left = 1.0
    at, charge = won.charge.created_at, won.charge.id
    for _, deed in life.after_charge(world.seed, world.parameters, person, at=at, charge=charge):
        if isinstance(deed, life.Refund):
            left -= deed.share
        elif isinstance(deed, life.Dispute) and not deed.won:
            left = 0.0
    return left
