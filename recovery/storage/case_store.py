"""Cases and what belongs to them, as rows. Only ``engine.advance`` writes through here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, literal, select
from sqlalchemy.dialects.postgresql import insert as pg_insert

from recovery.cases.case import Case, Decision
from recovery.cases.facts import Fact, fact_name
from recovery.cases.grounds import Grounds
from recovery.cases.holdout import Arm
from recovery.cases.lifecycle import OPEN
from recovery.cases.rules import Elder
from recovery.storage import case_document, codec
from recovery.storage.attempt_store import save_changed_attempts
from recovery.storage.lease_store import still_ours
from recovery.storage.moment import Moment
from recovery.storage.step_store import ClaimedStep
from recovery.storage.tables import cases, exhaustions, journal, ledger, steps

NAMES_MAX = 10_000
"""Names in one question; PostgreSQL's protocol takes 65,535 values."""


class NoSuchCase(LookupError):
    """No case has this id."""


def case_id_of(obligation: str) -> str:
    """The id of an obligation's case. Derived, so that a restored backup uses the same idempotency keys again."""
    return f"case_{obligation}"


_KNOWN = select(journal.c.id).where(journal.c.case_id == bindparam("case_id"), journal.c.fact_key == bindparam("key"))
_LOCK = select(literal(True)).where(cases.c.id == bindparam("case_id")).with_for_update(of=cases)
# The case comes first: who has it may write any of its steps, and must not wait for one that is held by whoever waits for the case.
_LOCK_WITH_STEP = (
    select(steps.c.state, steps.c.claims, steps.c.lease_until)
    .join(cases)
    .where(cases.c.id == bindparam("case_id"), steps.c.id == bindparam("step_id"))
    .with_for_update(of=(cases, steps))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A case that is ours until the transaction ends, and what is known of it beside.

    ``known`` says that the fact asked for had its effect already, ``noted`` names the charges of others that were kept, ``elder``
    and ``siblings`` speak of the customer's other open cases as CardUse does. ``lease_until`` is when the claim of the step asked for
    ends; None when it is no longer ours.
    """

    case: Case
    known: bool
    noted: frozenset[str]
    siblings: int
    elder: Elder | None
    lease_until: datetime | None


def insert_case(tx: Connection, case: Case, *, moment: Moment) -> bool:
    """Write a new case; False when the obligation has one already."""
    return tx.execute(case_document.OPEN_ONE, _case_row(case, moment)).first() is not None


def arm_before(tx: Connection, customer: str) -> Arm | None:
    """How the customer's first measured case was treated; None where there was none."""
    measured = select(cases.c.arm).where(cases.c.customer == customer, cases.c.arm.is_not(None))
    found = tx.execute(measured.order_by(cases.c.opened_at, cases.c.id).limit(1)).scalar_one_or_none()
    return None if found is None else Arm(found)


def lock_case(tx: Connection, case_id: str, *, fact_key: str = "", step: ClaimedStep | None = None) -> Held:
    """Hold a case until the transaction ends, and the step that is performed; then read all that decisions need.

    What was waited for is seen by the second question only, which is why it is not part of the first. Raises NoSuchCase.
    """
    asked = {"case_id": case_id} if step is None else {"case_id": case_id, "step_id": step.id}
    locked = tx.execute(_LOCK if step is None else _LOCK_WITH_STEP, asked).first()
    if locked is None:
        raise NoSuchCase(f"no case {case_id}" if step is None else f"no case {case_id} with a step {step.id}")
    ours = step is not None and still_ours(locked, step)
    row = tx.execute(case_document.READ_ALL, {"case_id": case_id, "fact_key": fact_key}).one()
    return Held(
        case=codec.case_from(row.document),
        known=row.known,
        noted=frozenset(row.noted),
        siblings=row.siblings,
        elder=codec.elder_from(row.elder),
        lease_until=locked.lease_until if ours else None,
    )


def load_case(tx: Connection, case_id: str) -> Case:
    """Read a case without holding it. Raises NoSuchCase."""
    found = tx.execute(case_document.READ, {"case_id": case_id}).scalar_one_or_none()
    if found is None:
        raise NoSuchCase(f"no case {case_id}")
    return codec.case_from(found)


def _case_row(case: Case, moment: Moment) -> dict[str, Any]:
    owed = {"amount_minor": case.amount.minor, "currency": case.amount.currency}
    return owed | {"case_id": case.id, "document": codec.case_json(case), "now": moment.now}


def knows_fact(tx: Connection, case_id: str, fact_key: str) -> bool:
    """Whether this fact had its effect on the case already."""
    return tx.execute(_KNOWN, {"case_id": case_id, "key": fact_key}).first() is not None


def save_decision(
    tx: Connection, before: Case, fact: Fact, decision: Decision, *, grounds: Grounds, moment: Moment
) -> int:
    """Write the new case, its journal line with what it rests on, exhaustion, attempts and ledger entries; the journal id."""
    after = decision.case
    line = {
        "fact_key": fact.key,
        "fact": fact_name(fact),
        "state": after.state.value,
        "reason": str(decision.reason),
        "booked_at": moment.machine_now,
        "grounds": codec.grounds_json(grounds),
    }
    journal_id = int(tx.execute(case_document.CHANGE, _case_row(after, moment) | line).scalar_one())
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
