"""Erases what points to one customer and keeps the books. Without it an erasure would be SQL by hand, and something forgotten.

Invoices, charges, amounts and instants stay: finance must be able to tell them. Ledger and journal are append-only and name the
customer nowhere; in the journal's reasons the digits of cards and the notes that people wrote are erased, which is the one change
that the database allows there. Brand, funding and country of a card stay: outcomes are counted by them.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, Text, case, cast, delete, func, literal, null, or_, select, text, true, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql import ColumnElement

from recovery.cases.lifecycle import OPEN, OPEN_STEPS, StepKind, StepState
from recovery.storage import card_tables, subscription_tables  # noqa: F401 - the tables that the metadata lists
from recovery.storage.columns import metadata
from recovery.storage.mail_tables import messages
from recovery.storage.past_tables import past_charges, past_invoices
from recovery.storage.tables import attempts, cases, events, foreign_charges, journal, steps

ERASED = "forgotten"
KEPT_OF_A_CARD = ("brand", "funding", "country")
"""What outcomes are counted by; nobody is found by it."""

DELETED = ("card_history", "renewals")
"""Tables of which nothing is left to count once the customer is gone."""

FINDING = ("customer", "budget_key", "subscription")
"""What tells whose an imported row is: the person, the card by whose number others find it, and what the person has of us."""

OBJECTIONS = "mail_objections"
"""That they wanted no emails goes with the id once the address's keyed hash is kept, which names nobody and can keep the promise
if the same person comes back. Until then the id is all that keeps it, and stays."""

_BECAUSE_OF_A_CASE = """
UPDATE subscriptions s SET ended_because = 'payment_failed'
WHERE s.customer = :customer AND s.ended_at IS NOT NULL AND s.ended_because IS NULL AND EXISTS (
    SELECT 1 FROM cases c WHERE c.subscription = s.id AND c.failed_at <= s.ended_at AND (c.state = 'lost' OR c.ended_at >= s.ended_at)
)"""
_SINCE = """
UPDATE cases c SET subscribed_at = s.started_at FROM subscriptions s
WHERE c.customer = :customer AND s.id = c.subscription AND c.subscribed_at IS NULL"""


def unless_forgotten(table: Table, read: Any) -> dict[str, ColumnElement[Any]]:  # noqa: ANN401 - an insert's excluded row
    """The columns by which somebody could be found, for reading a row again: one that names nobody any more goes on naming nobody.

    Why a subscription ended stays as well: its case told that when it was forgotten, and tells it no more.
    """
    gone = table.c.customer.startswith(f"{ERASED}_", autoescape=True)
    kept: dict[str, ColumnElement[Any]] = {name: table.c[name] for name in FINDING if name in table.c}
    if "ended_because" in table.c:
        kept["ended_because"] = func.coalesce(table.c.ended_because, read.ended_because)
    return {name: case((gone, value), else_=read[name]) for name, value in kept.items()}


PERSONAL = ("customer", "payment_method", "subscription")
"""What news of invoices and payments keeps of a person; without it what still waits can have its effect on the books."""

OF_THE_BOOKS = ("invoice%", "charge%", "payment_intent%", "refund%")
"""Kinds of events whose objects are invoices, payments and what went back of them."""


class StillOpen(ValueError):
    """The customer has open cases or something under way, which cannot go on without knowing whom they are about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """How much was erased."""

    cases: int
    events: int
    rows_renamed: int
    rows_deleted: int


def forget(tx: Connection, customer: str, *, pseudonym: str) -> Forgotten:
    """Erase a customer; ``pseudonym`` stands in the place of the id and must lead nowhere. Raises StillOpen."""
    mine = select(cases.c.id, cases.c.state).where(cases.c.customer == customer).order_by(cases.c.id).with_for_update()
    found = tx.execute(mine).all()
    still = [row.id for row in found if row.state in OPEN]
    if still:
        raise StillOpen(
            f"{', '.join(still)} of this customer still open: withdraw or give up first (recovery case withdraw)"
        )
    ids = [row.id for row in found]
    _end_steps(tx, ids)
    erased = _forget_events(tx, customer)
    _settle_subscriptions(tx, customer)
    _forget_cards(tx, ids)
    erased_reason = func.erased_reason(journal.c.reason, journal.c.fact)
    telling = journal.c.case_id.in_(ids) & (journal.c.reason != erased_reason)
    tx.execute(update(journal).where(telling).values(reason=erased_reason))
    tx.execute(update(past_charges).where(past_charges.c.customer == customer).values(budget_key=None))
    tx.execute(update(past_invoices).where(past_invoices.c.customer == customer).values(subscription=None))
    told_merchant = messages.c.case_id.in_(ids) & (messages.c.state != "waiting")
    deleted = tx.execute(delete(messages).where(told_merchant)).rowcount
    renamed = 0
    for table in metadata.sorted_tables:
        if "customer" not in table.c:
            continue
        if table.name in (*DELETED, OBJECTIONS):
            done = table.c.address_listed if table.name == OBJECTIONS else true()
            deleted += tx.execute(delete(table).where(table.c.customer == customer, done)).rowcount
        else:
            # A case that opened meanwhile is not among those that ended: it goes on, under the name.
            whose = table.c.id.in_(ids) if table is cases else table.c.customer == customer
            renamed += tx.execute(update(table).where(whose).values(customer=pseudonym)).rowcount
    return Forgotten(cases=len(ids), events=erased, rows_renamed=renamed, rows_deleted=deleted)


def _end_steps(tx: Connection, ids: list[str]) -> None:
    """Call off what ended cases would still do: whom to ask and which card to keep nobody can tell any more. Raises StillOpen."""
    waiting = steps.c.case_id.in_(ids) & steps.c.state.in_(OPEN_STEPS)
    left = tx.execute(select(steps).where(waiting).order_by(steps.c.id).with_for_update()).all()
    for step in left:
        if step.state == StepState.IN_FLIGHT or step.kind == StepKind.SETTLE_ATTEMPT:
            raise StillOpen(f"{step.kind} of {step.case_id} is not done yet: try again later (recovery case show)")
    tx.execute(update(steps).where(steps.c.id.in_([step.id for step in left])).values(state=StepState.CANCELLED))


def _forget_events(tx: Connection, customer: str) -> int:
    """Erase what events tell of the customer. Of a payment's news that nobody has worked through all else stays, for the books."""
    mine = (events.c.content["customer"].astext == customer) | (events.c.object_id == customer)
    of_the_books = or_(*(events.c.kind.like(kind) for kind in OF_THE_BOOKS))
    needed = (events.c.state != "done") & of_the_books
    kept = events.c.content.op("-")(cast(list(PERSONAL), ARRAY(Text)))
    reduced = tx.execute(update(events).where(mine, needed).values(content=kept)).rowcount
    return reduced + tx.execute(update(events).where(mine).values(content={}, object_id=ERASED)).rowcount


def _settle_subscriptions(tx: Connection, customer: str) -> None:
    """Write down what the report tells from the link between case and subscription, which goes."""
    given = {"customer": customer}
    tx.execute(text(_BECAUSE_OF_A_CASE), given)
    tx.execute(text(_SINCE), given)


def _forget_cards(tx: Connection, ids: list[str]) -> None:
    tx.execute(
        update(cases)
        .where(cases.c.id.in_(ids))
        .values(
            subscription=None,
            zone=None,
            card=_reduced(cases.c.card),
            tried_card=_reduced(cases.c.tried_card),
            dead_cards=[],
            brands_seen=[],
            failed_cards=[],
            corrections=[],
            wallet=[],
            choice=None,
            left_because=None,
        )
    )
    tx.execute(
        update(attempts).where(attempts.c.case_id.in_(ids)).values(card=_reduced(attempts.c.card), budget_key=ERASED)
    )
    tx.execute(update(foreign_charges).where(foreign_charges.c.case_id.in_(ids)).values(budget_key=None))


def _reduced(card: ColumnElement[Any]) -> ColumnElement[Any]:
    """A card without what tells it from any other of its kind; NULL stays NULL."""
    kept = [part for name in KEPT_OF_A_CARD for part in (literal(name), card[name])]
    return case(
        (card.is_(None), null()), else_=func.jsonb_build_object(literal("payment_method"), literal(ERASED), *kept)
    )
