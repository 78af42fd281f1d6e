"""What holds for every card, zone, history and clock, not only for the examples."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as some
from timing_examples import knowledge

from recovery.cases.asking import issuer_window
from recovery.cases.lifecycle import State
from recovery.cases.policy import RETRIED
from recovery.cases.project import Projection, Scenario, project
from recovery.cases.rules import Rules
from recovery.declines.classify import DeclineClass
from recovery.declines.signals import Card, Signals
from recovery.money import Money
from recovery.timing.budgets import Use, counted_uses, rooms

SHIPPED = knowledge()
CODES = (*SHIPPED.declines.codes, "code_of_tomorrow")
COUNTRIES = (None, "UY", *SHIPPED.banks.countries)
ZONES = {
    country: (None, *hours.zones, *SHIPPED.banks.regions.get(country, {}).values())
    for country, hours in SHIPPED.banks.countries.items()
}
INSTANTS = some.datetimes(datetime(2025, 6, 1), datetime(2029, 12, 31), timezones=some.just(UTC))  # noqa: DTZ001 - so it asks
AMOUNTS = some.builds(
    Money, minor=some.integers(1, 10_000_000), currency=some.sampled_from(("usd", "eur", "jpy", "kwd"))
)


@some.composite
def scenarios(draw: some.DrawFn, codes: tuple[str, ...] = CODES) -> Scenario:
    country = draw(some.sampled_from(COUNTRIES))
    failed_at = draw(INSTANTS)
    amount = draw(AMOUNTS)
    # Many on one day, or as many as a month's budget holds: else no cap but the smallest would ever be reached.
    days, most = draw(some.sampled_from(((1, 15), (31, 60))))
    ago = draw(some.lists(some.integers(0, days * 24 * 60), max_size=most))
    uses = tuple(
        Use(
            at=failed_at - timedelta(minutes=minutes),
            amount=amount if number % 3 else Money(minor=amount.minor + 1, currency=amount.currency),
            declined=(True, False, None)[number % 3],
            by_customer=number % 4 == 0,
        )
        for number, minutes in enumerate(sorted(ago))
    )
    return Scenario(
        signals=Signals(
            decline_code=draw(some.sampled_from(codes)),
            network_decline_code=draw(some.sampled_from((None, "05", "51", "91", "57", "61"))),
            network_advice_code=draw(some.sampled_from((None, None, "02", "24", "26", "28", "30"))),
            reached_network=draw(some.sampled_from((True, True, True, False))),
        ),
        card=Card(
            payment_method="pm",
            brand=draw(some.sampled_from(("visa", "mastercard", "amex", None))),
            funding=draw(some.sampled_from(("credit", "debit", "prepaid", None))),
            country=country,
            fingerprint="f",
        ),
        amount=amount,
        failed_at=failed_at,
        zone=draw(some.sampled_from(ZONES.get(country or "", (None,)))),
        segment=draw(some.sampled_from((None, "", "trial", "loyal+annual", "new+large"))),
        uses=uses,
        case_id=f"case_{draw(some.integers(0, 10**6))}",
    )


JITTERED = replace(SHIPPED, policy=replace(SHIPPED.policy, jitter_minutes=45))
EAGER = replace(
    JITTERED,
    policy=replace(
        JITTERED.policy,
        ladders={
            kind: replace(ladder, gaps_hours=(2, 7), payday_gap_hours=1)
            for kind, ladder in JITTERED.policy.ladders.items()
        },
    ),
)
"""Ladders that would try several times a day, so that only the spacing keeps them from it."""


def played(scenario: Scenario) -> tuple[Projection, Rules]:
    rules = JITTERED
    return project(scenario, rules), rules


@settings(max_examples=150, deadline=None)
@given(scenarios())
def test_it_always_ends(scenario: Scenario) -> None:
    plan, rules = played(scenario)
    assert plan.state in (State.DUNNING, State.REVIEW)
    policy = rules.policy.of(plan.case.segment)
    assert len(plan.tries) <= policy.silent_attempts_max
    assert all(step.at <= plan.case.horizon_at for step in plan.tries)
    assert [step.at for step in plan.steps] == sorted(step.at for step in plan.steps)


@settings(max_examples=150, deadline=None)
@given(scenarios())
def test_no_try_is_made_above_the_risk_threshold(scenario: Scenario) -> None:
    plan, rules = played(scenario)
    policy = rules.policy.of(plan.case.segment)
    verdict = plan.case.verdict
    assert verdict is not None
    if verdict.decline_class not in RETRIED:
        return
    ladder = policy.ladders[verdict.decline_class]
    risk_max = policy.risk_max if ladder.risk_max is None else ladder.risk_max
    card = scenario.card
    zones = (scenario.zone,) if scenario.zone else rules.banks.of(card.country).zones
    for step in plan.tries:
        weights = [  # zone by zone: what holds in one must hold in all
            max(
                rules.banks.window(card.country, card.funding, zone=zone, after=after).at(step.at).weight
                for zone in zones
            )
            for after in (None, verdict.decline_class)
        ]
        assert min(weights) <= risk_max


@settings(max_examples=150, deadline=None)
@given(scenarios())
def test_no_try_goes_beyond_a_budget(scenario: Scenario) -> None:
    plan, rules = played(scenario)
    counted = [*scenario.uses]
    if scenario.signals.reached_network:
        counted.append(Use(at=scenario.failed_at, amount=scenario.amount, declined=True))
    for step in plan.tries:
        pack = rules.networks.in_force(scenario.card.brand, step.at, scenario.card.country)
        for cap in pack.caps:
            since = step.at - timedelta(hours=cap.window_hours)
            used = [at for at in counted_uses(cap, counted, scenario.amount) if since < at <= step.at]
            assert len(used) < cap.tries_max, f"{step.at}: {len(used)} of {cap}"
        if scenario.signals.reached_network:
            counted.append(Use(at=step.at, amount=scenario.amount, declined=True))


@settings(max_examples=100, deadline=None)
@given(scenarios())
def test_no_card_issued_in_india_is_tried_silently(scenario: Scenario) -> None:
    plan, _ = played(replace(scenario, card=replace(scenario.card, country="IN"), zone=None))
    assert not plan.tries
    assert "charge_card" not in {step.kind for step in plan.steps}
    assert plan.state in (State.DUNNING, State.REVIEW)


@settings(max_examples=150, deadline=None)
@given(scenarios())
def test_no_try_comes_before_the_network_s_advice(scenario: Scenario) -> None:
    plan, rules = played(scenario)
    last = scenario.failed_at
    for step in plan.tries:
        wait = rules.verdict(scenario.signals, scenario.card, last).wait_hours
        assert step.at >= last + timedelta(hours=wait)
        last = step.at


@settings(max_examples=100, deadline=None)
@given(scenarios())
def test_the_same_inputs_give_the_same_plan(scenario: Scenario) -> None:
    assert played(scenario)[0] == played(scenario)[0]


@settings(max_examples=150, deadline=None)
@given(scenarios(), some.integers(0, 30 * 24 * 60), INSTANTS)
def test_an_earlier_failure_never_increases_a_remaining_budget(scenario: Scenario, minutes: int, at: datetime) -> None:
    pack = SHIPPED.networks.in_force(scenario.card.brand, at, scenario.card.country)
    uses = [replace(use, at=at - (scenario.failed_at - use.at)) for use in scenario.uses]
    more = [*uses, Use(at=at - timedelta(minutes=minutes), amount=scenario.amount, declined=True)]
    before = rooms(pack, uses=uses, amount=scenario.amount, at=at)
    after = rooms(pack, uses=more, amount=scenario.amount, at=at)
    for fewer, greater in zip(after, before, strict=True):
        assert fewer.at >= greater.at
        if fewer.at == greater.at:
            assert fewer.left <= greater.left


@settings(max_examples=150, deadline=None)
@given(scenarios(codes=("do_not_honor", "insufficient_funds")), some.integers(1, 31 * 24 * 60))
def test_an_earlier_try_never_brings_the_next_one_forward(scenario: Scenario, minutes: int) -> None:
    plan, _ = played(scenario)
    earlier = Use(at=scenario.failed_at - timedelta(minutes=minutes), amount=scenario.amount, declined=True)
    more, _ = played(replace(scenario, uses=(*scenario.uses, earlier)))
    if plan.tries and more.tries:
        assert more.tries[0].at >= plan.tries[0].at - timedelta(minutes=45)


@settings(max_examples=150, deadline=None)
@given(scenarios(codes=("do_not_honor", "insufficient_funds")))
def test_one_try_per_card_and_local_day(scenario: Scenario) -> None:
    rules = EAGER
    plan = project(scenario, rules)
    verdict = plan.case.verdict
    assert verdict is not None
    if verdict.decline_class is DeclineClass.ISSUER_ILL:
        return
    window = issuer_window(plan.case, rules, None)
    days = [window.local(at).date() for at in (scenario.failed_at, *(step.at for step in plan.tries))]
    assert len(set(days)) == len(days)
