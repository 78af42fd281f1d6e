"""Cases and what belongs to them, as rows. Only ``engine.advance`` writes through here."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Connection, Engine, RowMapping, bindparam, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert

from recovery.cases.case import Case, Decision, Exhausted, WaitingStep
from recovery.cases.facts import Fact, fact_name
from recovery.cases.grounds import Grounds
from recovery.cases.holdout import Arm
from recovery.cases.lifecycle import OPEN, OPEN_STEPS, Review, Rule, Source, State, StepKind, StepState
from recovery.declines.signals import Card
from recovery.money import Money
from recovery.storage import codec
from recovery.storage.attempt_store import attempt_from, save_changed_attempts
from recovery.storage.connect import reading
from recovery.storage.moment import Moment
from recovery.storage.tables import (
    attempts,
    cases,
    exhaustions,
    journal,
    ledger,
    steps,
)

NAMES_MAX = 10_000
"""Names in one question; PostgreSQL's protocol takes 65,535 values."""


class NoSuchCase(LookupError):
    """No case has this id."""


def case_id_of(obligation: str) -> str:
    """The id of an obligation's case. Derived, so that a restored backup uses the same idempotency keys again."""
    return f"case_{obligation}"


# Made once: putting a statement of forty columns together takes longer than the database needs for it.
_ID: BindParameter[str] = bindparam("case_id")
_OTHERS = cases.alias("others")
# A card that died on another invoice of the customer is dead for all that are still open.
_DEAD_ELSEWHERE = (
    select(func.jsonb_agg(_OTHERS.c.dead_cards))
    .where(_OTHERS.c.customer == cases.c.customer, _OTHERS.c.id != cases.c.id, _OTHERS.c.state.in_(OPEN))
    .where(_OTHERS.c.gateway == cases.c.gateway, _OTHERS.c.dead_cards != literal([], _OTHERS.c.dead_cards.type))
    .correlate(cases)
    .scalar_subquery()
)
_CASE = select(cases, _DEAD_ELSEWHERE.label("dead_elsewhere")).where(cases.c.id == _ID)
_LOCKED = _CASE.with_for_update(of=cases)
_OBLIGATION = select(cases.c.obligation).where(cases.c.id == _ID)
_ATTEMPTS = select(attempts).where(attempts.c.case_id == _ID).order_by(attempts.c.number)
_WAITING = select(steps.c.kind, steps.c.due_at, steps.c.state).where(
    steps.c.case_id == _ID, steps.c.state.in_(OPEN_STEPS)
)
_EXHAUSTION = select(exhaustions).where(exhaustions.c.case_id == _ID)
_KNOWN = select(journal.c.id).where(journal.c.case_id == _ID, journal.c.fact_key == bindparam("key"))
_CHANGE = update(cases).where(cases.c.id == bindparam("this_case"))
_NOTE = insert(journal).returning(journal.c.id)


def insert_case(tx: Connection, case: Case, *, moment: Moment) -> bool:
    """Write a new case; False when the obligation has one already."""
    row = _case_row(case) | {"opened_at": moment.now, "changed_at": moment.now}
    statement = pg_insert(cases).values(row).on_conflict_do_nothing().returning(cases.c.id)
    return tx.execute(statement).first() is not None


def arm_before(tx: Connection, customer: str) -> Arm | None:
    """How the customer's first measured case was treated; None where there was none."""
    measured = select(cases.c.arm).where(cases.c.customer == customer, cases.c.arm.is_not(None))
    found = tx.execute(measured.order_by(cases.c.opened_at, cases.c.id).limit(1)).scalar_one_or_none()
    return None if found is None else Arm(found)


def lock_case(tx: Connection, case_id: str) -> Case:
    """Read a case with all that decisions need and hold it until the transaction ends. Raises NoSuchCase."""
    row = tx.execute(_LOCKED, {"case_id": case_id}).mappings().first()
    if row is None:
        raise NoSuchCase(f"no case {case_id}")
    return _case(tx, row)


def load_case(tx: Connection, case_id: str) -> Case:
    """Read a case without holding it. Raises NoSuchCase."""
    row = tx.execute(_CASE, {"case_id": case_id}).mappings().first()
    if row is None:
        raise NoSuchCase(f"no case {case_id}")
    return _case(tx, row)


def obligation_of(database: Engine, case_id: str) -> str:
    """The obligation of a case, by one question: all that has to be known before the gateway is read. Raises NoSuchCase."""
    with reading(database) as tx:
        found: str | None = tx.execute(_OBLIGATION, {"case_id": case_id}).scalar_one_or_none()
    if found is None:
        raise NoSuchCase(f"no case {case_id}")
    return found


_CODED = {"amount", "state", "arm", "card", "tried_card", "verdict", "signals", "review", "source"}
_LISTED = {"dead_cards", "brands_seen", "failed_cards", "corrections", "wallet", "attempts", "steps", "exhausted"}
_PLAIN = tuple(field.name for field in fields(Case) if field.name not in _CODED | _LISTED)
"""The fields that a row holds as they are."""


def _case(tx: Connection, row: RowMapping) -> Case:
    this = {"case_id": row["id"]}
    tried = tx.execute(_ATTEMPTS, this).mappings()
    waiting = tx.execute(_WAITING, this).all()
    used_up = tx.execute(_EXHAUSTION, this).mappings().first()
    return Case(
        **{name: row[name] for name in _PLAIN},
        amount=Money(minor=row["amount_minor"], currency=row["currency"]),
        state=State(row["state"]),
        arm=Arm(row["arm"]) if row["arm"] else None,
        card=codec.card_from(row["card"]),
        tried_card=codec.card_from(row["tried_card"]),
        verdict=codec.verdict_from(row["verdict"]),
        signals=codec.signals_from(row["signals"]),
        dead_cards=_dead(row),
        brands_seen=codec.cards_from(row["brands_seen"]),
        failed_cards=codec.cards_from(row["failed_cards"]),
        corrections=codec.corrections_from(row["corrections"]),
        wallet=codec.wallet_from(row["wallet"]),
        attempts=tuple(attempt_from(a) for a in tried),
        steps=tuple(_waiting(*step) for step in waiting),
        exhausted=_exhausted(used_up),
        review=Review(row["review"]) if row["review"] else None,
        source=Source(row["source"]) if row["source"] else None,
    )


def _dead(row: RowMapping) -> tuple[Card, ...]:
    """The details that must never be presented again, those of the customer's other open cases included.

    An entry that was mistyped has no number here: whether it is right by now each case judges by its own refusals.
    """
    own = codec.cards_from(row["dead_cards"])
    if row["state"] not in OPEN or not row["dead_elsewhere"]:
        return own
    others = [card for cards in row["dead_elsewhere"] for card in codec.cards_from(cards) if card.fingerprint]
    return tuple(dict.fromkeys((*own, *others)))


def _waiting(kind: str, due_at: datetime, state: str) -> WaitingStep:
    return WaitingStep(kind=StepKind(kind), due_at=due_at, in_flight=state == StepState.IN_FLIGHT)


def _exhausted(row: RowMapping | None) -> Exhausted | None:
    return Exhausted(rule=Rule(row["rule"]), at=row["at"], detail=row["detail"]) if row else None


def _case_row(case: Case) -> dict[str, Any]:
    return {name: getattr(case, name) for name in _PLAIN} | {
        "amount_minor": case.amount.minor,
        "currency": case.amount.currency,
        "state": case.state.value,
        "arm": case.arm.value if case.arm else None,
        "card": codec.card_json(case.card),
        "tried_card": codec.card_json(case.tried_card),
        "verdict": codec.verdict_json(case.verdict),
        "signals": codec.signals_json(case.signals),
        "dead_cards": codec.cards_json(case.dead_cards),
        "brands_seen": codec.cards_json(case.brands_seen),
        "failed_cards": codec.cards_json(case.failed_cards),
        "corrections": codec.corrections_json(case.corrections),
        "wallet": codec.wallet_json(case.wallet),
        "review": case.review.value if case.review else None,
        "source": case.source.value if case.source else None,
    }


def knows_fact(tx: Connection, case_id: str, fact_key: str) -> bool:
    """Whether this fact had its effect on the case already."""
    return tx.execute(_KNOWN, {"case_id": case_id, "key": fact_key}).first() is not None


def save_decision(
    tx: Connection, before: Case, fact: Fact, decision: Decision, *, grounds: Grounds, moment: Moment
) -> int:
    """Write the new case, its journal line with what it rests on, exhaustion, attempts and ledger entries; the journal id."""
    after = decision.case
    row = _case_row(after) | {"changed_at": moment.now, "this_case": after.id}
    tx.execute(_CHANGE, row)
    line = {
        "case_id": after.id,
        "fact_key": fact.key,
        "fact": fact_name(fact),
        "state": after.state.value,
        "reason": str(decision.reason),
        "at": moment.now,
        "booked_at": moment.machine_now,
        "grounds": codec.grounds_json(grounds),
    }
    journal_id = int(tx.execute(_NOTE, line).scalar_one())
    if after.exhausted is not None and before.exhausted is None:
        used_up = after.exhausted
        tx.execute(
            insert(exhaustions).values(
                case_id=after.id, journal_id=journal_id, rule=used_up.rule.value, at=used_up.at, detail=used_up.detail
            )
        )
    save_changed_attempts(tx, before.attempts, after.attempts)
    _save_entries(tx, after, decision, moment)
    return journal_id


def _save_entries(tx: Connection, case: Case, decision: Decision, moment: Moment) -> None:
    rows = [
        {
            "case_id": case.id,
            "kind": entry.kind.value,
            "ref": entry.ref,
            "charge_id": entry.charge_id,
            "source": entry.source.value if entry.source else None,
            "amount_minor": entry.amount.minor,
            "currency": entry.amount.currency,
            "occurred_at": entry.occurred_at,
            "booked_at": moment.machine_now,
        }
        for entry in decision.entries
    ]
    if rows:
        tx.execute(pg_insert(ledger).on_conflict_do_nothing(), rows)


def open_cases(tx: Connection) -> list[tuple[str, str]]:
    """Every open case with its obligation."""
    query = select(cases.c.id, cases.c.obligation).where(cases.c.state.in_(OPEN)).order_by(cases.c.failed_at)
    return [(row.id, row.obligation) for row in tx.execute(query)]


def known_obligations(tx: Connection, names: Sequence[str]) -> set[str]:
    """Those of many obligations that have a case."""
    known: set[str] = set()
    for start in range(0, len(names), NAMES_MAX):
        some = cases.c.obligation.in_(names[start : start + NAMES_MAX])
        known.update(tx.execute(select(cases.c.obligation).where(some)).scalars())
    return known


def cases_of(
    tx: Connection,
    *,
    obligation: str | None = None,
    customer: str | None = None,
    subscription: str | None = None,
    charge: str | None = None,
) -> list[str]:
    """The cases of an obligation, a customer, a subscription, or a charge that the ledger knows."""
    query = select(cases.c.id).order_by(cases.c.failed_at)
    if obligation is not None:
        query = query.where(cases.c.obligation == obligation)
    if customer is not None:
        query = query.where(cases.c.customer == customer)
    if subscription is not None:
        query = query.where(cases.c.subscription == subscription)
    if charge is not None:
        query = query.where(cases.c.id.in_(select(ledger.c.case_id).where(ledger.c.charge_id == charge)))
    return [row[0] for row in tx.execute(query)]


def open_beside(tx: Connection, case_id: str) -> list[str]:
    """The other open cases of a case's subscription; none where it has no subscription."""
    own = select(cases.c.customer, cases.c.subscription).where(cases.c.id == case_id).subquery()
    same = (cases.c.customer == own.c.customer) & (cases.c.subscription == own.c.subscription)
    beside = select(cases.c.id).where(same, cases.c.id != case_id, cases.c.state.in_(OPEN))
    return list(tx.execute(beside.order_by(cases.c.failed_at)).scalars())
