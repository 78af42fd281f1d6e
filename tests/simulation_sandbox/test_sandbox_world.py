"""The first world: one seed, one truth."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from recovery.simulation.answers import APPROVE, Answer, Authorization, CardOnFile, PastTry, Verdict
from recovery.simulation.sandbox import RunSettings, Sandbox, populated_sandbox
from recovery.simulation.sandbox.inhabit import Inhabitants
from recovery.simulation.sandbox.orders import PayOrder
from recovery.simulation.sandbox.paying import attempt
from recovery.simulation.world import World, build_world
from recovery.simulation.world.parameters import Cause, Parameters
from recovery.simulation.world.paydays import last_payday, paydays
from recovery.simulation.world.people import CardFace, Person

START = datetime(2026, 11, 1, tzinfo=UTC)


def _world(seed: int = 1, customers: int = 400) -> World:
    return build_world(seed=seed, customers=customers, days=45, start_at=START)


def _asked(
    world: World,
    person: Person,
    at: datetime,
    *,
    card: CardFace | None = None,
    history: Sequence[PastTry] = (),
    on_session: bool = False,
) -> Answer:
    face = card or person.card
    details = {name: getattr(face, name) for name in CardFace.__slots__}
    return world.answer(
        Authorization(
            card=CardOnFile(payment_method="pm", **details),
            customer="cus",
            invoice="in",
            amount_minor=person.amount_minor,
            currency=person.place.currency,
            at=at,
            on_session=on_session,
            history=tuple(history),
        )
    )


def _with(world: World, cause: Cause, *, chronic: bool = False) -> list[Person]:
    found = [p for p in world.people if p.trouble.cause is cause and p.trouble.chronic is chronic]
    assert found
    return found


def _share(answers: list[Answer]) -> float:
    return sum(answer.verdict is Verdict.APPROVED for answer in answers) / len(answers)


def test_the_same_seed_is_the_same_world() -> None:
    assert _world(1).people == _world(1).people
    assert _world(1).people != _world(2).people
    assert _world(1, customers=10).people == _world(1).people[:10]


def test_the_first_renewal_fails_for_everybody() -> None:
    world = _world()
    answers = [_asked(world, person, person.fails_at) for person in world.people]
    assert Verdict.APPROVED not in {answer.verdict for answer in answers}
    assert len({answer.decline_code for answer in answers}) > 12


def test_money_comes_on_payday() -> None:
    world = _world()
    poor = _with(world, Cause.FUNDS)
    before, after = [], []
    for person in poor:
        payday = next(paydays(person.payday_rule, person.zone, hour=person.payday_hour, since=person.fails_at))
        middle = person.fails_at + (payday - person.fails_at) / 2
        if middle > person.fails_at + timedelta(hours=1):
            before.append(_asked(world, person, middle))
        after.append(_asked(world, person, payday + timedelta(hours=3)))
    assert _share(before) < 0.15
    assert _share(after) > 0.8


def test_a_wary_bank_sleeps_at_night_and_tires() -> None:
    world = _world()
    wary = _with(world, Cause.HONOR)

    def share(hour: int, tries: int = 0) -> float:
        answers = []
        for person in wary:
            for day in range(2, 12):
                local = (person.fails_at + timedelta(days=day)).astimezone(ZoneInfo(person.zone))
                at = local.replace(hour=hour, minute=30).astimezone(UTC)
                past = PastTry(
                    at=at - timedelta(hours=2),
                    approved=False,
                    amount_minor=1,
                    reached_network=True,
                    decline_code="do_not_honor",
                    initiator="engine",
                )
                answers.append(_asked(world, person, at, history=[past] * tries))
        return _share(answers)

    assert share(11) > 1.8 * share(3)
    assert share(11) > 1.8 * share(11, tries=2)


def test_an_outage_ends_and_a_velocity_limit_resets() -> None:
    world = _world()
    for cause in (Cause.OUTAGE, Cause.VELOCITY):
        people = _with(world, cause)
        during = [_asked(world, p, p.fails_at + (_ends(p) - p.fails_at) / 2) for p in people]
        later = [_asked(world, p, _ends(p) + timedelta(hours=1)) for p in people]
        assert _share(during) == 0.0
        assert _share(later) > 0.75


def _ends(person: Person) -> datetime:
    assert person.trouble.ends_at is not None
    return person.trouble.ends_at


@pytest.mark.parametrize("cause", [Cause.EXPIRED, Cause.REISSUED])
def test_only_fresh_details_cure_a_replaced_card(cause: Cause) -> None:
    world = _world(customers=1500)
    people = _with(world, cause)
    later = [_asked(world, p, p.fails_at + timedelta(days=5)) for p in people]
    assert _share(later) == 0.0
    fresh = [_asked(world, p, p.fails_at + timedelta(days=5), card=p.trouble.renewed) for p in people]
    assert _share(fresh) > 0.8
    known = sum(p.trouble.updated_at is not None for p in people) / len(people)
    assert 0.45 < known < 0.85


def test_hopeless_cards_stay_hopeless_and_the_customer_can_authenticate() -> None:
    world = _world(customers=1500)
    for cause in (Cause.LOST, Cause.CLOSED, Cause.AUTHENTICATION, Cause.CVC):
        people = _with(world, cause)
        assert _share([_asked(world, p, p.fails_at + timedelta(days=9)) for p in people]) == 0.0
    answers = [
        _asked(world, p, p.fails_at + timedelta(days=1), on_session=True) for p in _with(world, Cause.AUTHENTICATION)
    ]
    assert _share(answers) > 0.8


def test_paydays_follow_their_rules() -> None:
    since = datetime(2026, 11, 1, 12, tzinfo=UTC)

    def dates(rule: str, number: int) -> list[str]:
        found = paydays(rule, "America/New_York", hour=9.0, since=since)
        return [f"{at:%m-%d %H:%M}" for at in islice(found, number)]

    assert dates("day:1,15", 3) == ["11-02 14:00", "11-13 14:00", "12-01 14:00"]
    assert dates("last", 2) == ["11-30 14:00", "12-31 14:00"]
    assert dates("friday", 2)[0][:5] in ("11-06", "11-13")
    payday = next(paydays("last", "America/New_York", hour=9.0, since=since))
    assert last_payday("last", "America/New_York", hour=9.0, at=payday + timedelta(days=3)) == payday


def _played(seed: int, *, backwards: bool = False) -> Sandbox:
    """45 days with a naive engine: three tries, then an email."""
    clock = [START]
    sandbox = populated_sandbox(RunSettings(start_at=START, seed=seed, customers=80), now=lambda: clock[0])
    core = sandbox.core
    for day in range(1, 46):
        clock[0] = START + timedelta(days=day, hours=10)
        sandbox.play(clock[0])
        unpaid = [row for row in core.store.newest("invoice") if row["status"] == "open"]
        unpaid.sort(key=lambda row: row["id"], reverse=backwards)
        for row in unpaid:
            age = day - (row["created"] - int(START.timestamp())) // 86400
            if age in (3, 8, 15):
                order = PayOrder(invoice=row["id"], cause=core.cause("engine", key=f"{row['id']}-{age}"))
                attempt(core, order)
            elif age in (17, 22):
                sandbox.mail(core.store.get("customer", row["customer"])["email"])
    return sandbox


def test_the_same_calls_give_the_same_ledger_in_any_order_of_customers() -> None:
    first, again, turned = _played(5), _played(5), _played(5, backwards=True)
    assert first.ledger.as_json() == again.ledger.as_json()
    assert sorted(first.ledger.as_json()["charges"], key=str) == sorted(turned.ledger.as_json()["charges"], key=str)
    assert first.ledger.totals() != _played(6).ledger.totals()


def test_a_played_world_has_everything_worth_watching() -> None:
    sandbox = _played(5)
    kinds = Counter(event["type"] for event in sandbox.core.store.newest("event"))
    assert kinds["payment_method.automatically_updated"] > 0
    assert kinds["customer.subscription.deleted"] > 0
    initiators = {entry.initiator for entry in sandbox.ledger.succeeded()}
    assert initiators == {"engine", "customer"}
    assert sandbox.ledger.charged_twice() == []
    assert len(sandbox.ledger.totals()) > 4
    assert sandbox.ledger.movements


def test_a_world_needs_an_offset() -> None:
    with pytest.raises(ValueError, match="offset"):
        build_world(seed=1, customers=1, days=1, start_at=datetime(2026, 1, 1))  # noqa: DTZ001


def test_a_card_without_trouble_is_simply_approved() -> None:
    world = _world()
    answers = [
        _asked(world, person, person.fails_at + timedelta(days=3), card=person.other_card) for person in world.people
    ]
    assert APPROVE in answers
    assert _share(answers) > 0.9


def test_a_wallets_token_goes_on_working_behind_a_passed_expiry() -> None:
    parameters = replace(Parameters(), causes={Cause.FUNDS: 1.0}, token_share=0.5)
    world = build_world(seed=1, customers=60, days=45, start_at=START, parameters=parameters)
    sandbox = Sandbox(now=lambda: START)
    Inhabitants(sandbox.core, world).move_in()
    by_print = {row["card"]["fingerprint"]: row["card"] for row in sandbox.core.store.newest("payment_method")}
    tokens = [person for person in world.people if person.tokenized and not person.trouble.chronic]
    assert 10 < len(tokens) < 50
    for person in world.people:
        assert (by_print[person.card.fingerprint]["wallet"] is not None) is person.tokenized
    paid = [next(paydays(p.payday_rule, p.zone, hour=p.payday_hour, since=p.fails_at)) for p in tokens]
    later = [_asked(world, person, at + timedelta(hours=3)) for person, at in zip(tokens, paid, strict=True)]
    assert _share(later) > 0.7
