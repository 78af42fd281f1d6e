"""Writing an attempt into the ledger and into the card's history.

Without this step apart from the API's objects, the judge would read the same records that it judges.
"""

from __future__ import annotations

from recovery.simulation.answers import GATEWAY_REFUSES_AFTER, PastTry, Verdict
from recovery.simulation.sandbox.core import Core
from recovery.simulation.sandbox.errors import Json
from recovery.simulation.sandbox.ledger import LedgerEntry, Outcome, RefusedPay
from recovery.simulation.sandbox.orders import PayOrder, Tried

_OUTCOMES: dict[Verdict, Outcome] = {
    Verdict.APPROVED: "succeeded",
    Verdict.PROCESSING: "processing",
    Verdict.BLOCKED: "blocked",
    Verdict.DECLINED: "declined",
    Verdict.AUTHENTICATION: "declined",
}


def book(core: Core, tried: Tried, charge: Json) -> None:
    """Append to the ledger and to the history of the card's fingerprint."""
    card, cause, answer = tried.question.card, tried.order.cause, tried.answer
    entry = LedgerEntry(
        charge=charge["id"],
        invoice=tried.question.invoice,
        customer=tried.question.customer,
        amount_minor=tried.question.amount_minor,
        currency=tried.question.currency,
        at=cause.at,
        outcome=_OUTCOMES[answer.verdict],
        decline_code=answer.decline_code,
        payment_method=card.payment_method,
        fingerprint=card.fingerprint,
        initiator=cause.initiator,
        on_session=tried.order.on_session,
        idempotency_key=cause.idempotency_key,
    )
    core.ledger.entries.append(entry)
    past = PastTry(
        at=cause.at,
        approved=answer.verdict is Verdict.APPROVED,
        amount_minor=entry.amount_minor,
        reached_network=answer.verdict is not Verdict.BLOCKED,
        decline_code=answer.decline_code,
        initiator=cause.initiator,
    )
    core.store.history.setdefault(card.fingerprint, []).append(past)
    if answer.verdict is Verdict.APPROVED:
        core.store.refused_details.pop(card.fingerprint, None)
    elif {answer.decline_code, answer.reason} & GATEWAY_REFUSES_AFTER:
        core.store.refused_details[card.fingerprint] = (card.exp_month, card.exp_year, card.last4)


def book_refusal(core: Core, order: PayOrder, status: str) -> None:
    """Somebody wanted to pay what is not payable; the judge wants to know."""
    core.ledger.refused.append(
        RefusedPay(
            invoice=order.invoice,
            status=status,
            at=order.cause.at,
            initiator=order.cause.initiator,
            idempotency_key=order.cause.idempotency_key,
        )
    )
