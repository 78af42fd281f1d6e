"""What counts against a card, over all cases and whoever tried. Without it each case would believe itself alone on the card."""

from datetime import datetime, timedelta
from operator import itemgetter

from sqlalchemy import (
    BindParameter,
    Connection,
    Text,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal,
    null,
    select,
    text,
    union_all,
)

from recovery.cases.lifecycle import OPEN_ATTEMPTS, AttemptStatus
from recovery.cases.rules import CardUse, Refusal
from recovery.declines.networks import LOOK_BACK
from recovery.declines.signals import Initiator
from recovery.money import Money
from recovery.storage.codec import signals_from
from recovery.storage.past_tables import past_charges
from recovery.storage.tables import attempts, foreign_charges
from recovery.timing.budgets import Use

REMEMBERED = timedelta(days=3 * 366)
"""How long "never again" is remembered beyond the case that heard it: a card's own life. Budgets look back much shorter."""


def lock_card(tx: Connection, budget_key: str) -> None:
    """Hold a card's budget until the transaction ends, so that two cases never reserve its last try together."""
    tx.execute(_LOCK, {"key": budget_key})


_LOCK = select(func.pg_advisory_xact_lock(func.hashtextextended(text(":key"), 0)))


def card_use(tx: Connection, budget_key: str | None, *, now: datetime) -> CardUse:
    """All attempts on a card in the time looked back that count: ours on any case, the gateway's, the customer's; and what was said
    of it, on whichever case, as long as that is remembered.
    """
    if budget_key is None:
        return CardUse(budget_key="", uses=())
    asked = {"key": budget_key, "since": now - REMEMBERED}
    uses: list[Use] = []
    refusals: list[Refusal] = []
    for at, minor, currency, status, initiator, told in sorted(tx.execute(_USES, asked), key=itemgetter(0)):
        declined = None if status in OPEN_ATTEMPTS or status is None else status != AttemptStatus.SUCCEEDED
        by_customer = initiator == Initiator.CUSTOMER.value
        use = Use(at=at, amount=Money(minor=minor, currency=currency), declined=declined, by_customer=by_customer)
        if at > now - LOOK_BACK:
            uses.append(use)
        if declined is False:
            refusals.clear()
        elif (signals := signals_from(told)) is not None:
            refusals.append(Refusal(at=at, signals=signals))
    return CardUse(budget_key=budget_key, uses=tuple(uses), refusals=tuple(refusals))


_KEY: BindParameter[str] = bindparam("key")
_SINCE = bindparam("since", type_=attempts.c.started_at.type)
_NOBODY_TOLD = cast(null(), Text)
_NOTHING_TOLD = cast(null(), attempts.c.signals.type)
_OURS = select(
    attempts.c.started_at,
    attempts.c.amount_minor,
    attempts.c.currency,
    attempts.c.status,
    literal(Initiator.ENGINE.value, Text),
    attempts.c.signals,
).where(attempts.c.budget_key == _KEY, attempts.c.counts, attempts.c.started_at > _SINCE)
# Charges from before, or of invoices that never became a case; what is known otherwise is not counted twice. Who started them is not
# known: they count as the merchant's, which is the stricter reading.
_IMPORTED = select(
    past_charges.c.at,
    past_charges.c.amount_minor,
    past_charges.c.currency,
    case(
        (past_charges.c.succeeded.is_(None), _NOBODY_TOLD),
        (past_charges.c.succeeded, AttemptStatus.SUCCEEDED.value),
        else_=AttemptStatus.DECLINED.value,
    ),
    _NOBODY_TOLD,
    _NOTHING_TOLD,
).where(
    past_charges.c.budget_key == _KEY,
    past_charges.c.counts,
    past_charges.c.at > _SINCE,
    ~exists().where(attempts.c.charge_id == past_charges.c.charge_id),
    ~exists().where(foreign_charges.c.charge_id == past_charges.c.charge_id),
)
_THEIRS = select(
    foreign_charges.c.at,
    foreign_charges.c.amount_minor,
    foreign_charges.c.currency,
    literal(AttemptStatus.DECLINED.value, Text),
    foreign_charges.c.initiator,
    foreign_charges.c.signals,
).where(foreign_charges.c.budget_key == _KEY, foreign_charges.c.counts, foreign_charges.c.at > _SINCE)
_USES = union_all(_OURS, _THEIRS, _IMPORTED)
