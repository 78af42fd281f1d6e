"""Turns one stored event into facts. Without it the shape of a webhook would decide what the engine believes.

An event says only that something may have happened: what is true is read again at the gateway. Kinds are Stripe's names.
"""

from collections.abc import Callable
from dataclasses import replace

from recovery.cases.answers import AlreadySettled, Declined, NeedsCustomer, Succeeded
from recovery.cases.facts import (
    AttemptAnswered,
    Fact,
    InvoicePaid,
    InvoiceVoided,
    InvoiceWrittenOff,
    PartPaid,
    PaymentFailed,
    failure_key,
)
from recovery.cases.lifecycle import MISSING_LOOKED_FOR, OPEN_ATTEMPTS, REFUSED, AttemptStatus
from recovery.cases.obligation import Charge, ChargeStatus, Obligation, ObligationStatus
from recovery.declines.signals import Signals
from recovery.engine.advance import open_case
from recovery.engine.door import Door
from recovery.gateways.port import ChargeOrder, Gateway
from recovery.intake.changed import card_changed, subscription_changed
from recovery.intake.deserving import too_old, undeserving
from recovery.intake.desk import Desk, tell
from recovery.intake.idle import is_idle
from recovery.intake.outcome import Done, Held
from recovery.intake.readings import Readings
from recovery.intake.reversals import reversal_seen
from recovery.storage.attempt_store import attempt_of_charge, case_of_attempt, open_attempt_of_obligation
from recovery.storage.case_store import cases_of, knows_fact, load_case
from recovery.storage.connect import reading
from recovery.storage.event_store import StoredEvent
from recovery.storage.flag_store import GATEWAY_RETRIES_SEEN, raise_flag

WAIT_SECONDS = 5.0
"""How long at least an unattributed failure waits while an attempt of ours is open on its obligation."""

PROCESSING_WAIT_SECONDS = 600.0
"""The same while the gateway takes hours or days over that attempt: looking every few seconds would only cost."""


def translate(door: Door, gateway: Gateway, event: StoredEvent, readings: Readings) -> Done | Held:
    """Let an event have its effect; Held when it has to wait. ``readings`` are its batch's. Raises the gateway's and the database's
    errors.
    """
    if event.livemode != gateway.livemode:
        return Done("from the other mode (test or live) than our key")
    handler = _HANDLERS.get(event.kind)
    if handler is None:
        return Done("nothing to do")
    return handler(Desk(door=door, gateway=gateway, event=event, readings=readings))


def _obligation_id(desk: Desk) -> str | None:
    found = desk.text("invoice")
    if found is None:
        found = desk.readings.obligation_of(payment_intent=desk.text("payment_intent"), charge=desk.text("charge"))
    return found


def _own_attempt(desk: Desk) -> tuple[str, str, AttemptStatus] | None:
    """Attempt, case and status, when one of our own calls caused the event."""
    key = desk.event.idempotency_key
    if key is None:
        return None
    with reading(desk.door.database) as tx:
        found = case_of_attempt(tx, key)
    return None if found is None else (key, *found)


def _failed(desk: Desk) -> Done | Held:
    own = _own_attempt(desk)
    if own is not None:
        return _own_failed(desk, *own)
    obligation_id = _obligation_id(desk)
    if obligation_id is None:
        return Done("belongs to no invoice")
    with reading(desk.door.database) as tx:
        busy = open_attempt_of_obligation(tx, obligation_id)
        if busy is not None and desk.waited < MISSING_LOOKED_FOR:
            slow = busy[1] is AttemptStatus.PROCESSING
            seconds = PROCESSING_WAIT_SECONDS if slow else WAIT_SECONDS
            return desk.hold("an attempt of ours is open on this invoice", seconds=seconds)
        known = cases_of(tx, obligation=obligation_id)
        failure = failure_key(desk.text("charge") or "")
        if known and all(knows_fact(tx, case_id, failure) for case_id in known):
            return Done("known: several events tell of one charge")
    obligation = desk.readings.obligation(obligation_id)
    charge = _failed_charge(desk, obligation)
    with reading(desk.door.database) as tx:
        if attempt_of_charge(tx, charge.id) is not None:
            return Done("the charge of an attempt of ours, known from its answer")
    fact = PaymentFailed(charge=charge, obligation=obligation)
    if known:
        return tell(desk, known, fact)
    reason = undeserving(obligation, livemode=desk.gateway.livemode) or _too_old(desk, fact)
    if reason is not None:
        return Done(f"opens no case: {reason}")
    opened = open_case(desk.door, fact, gateway=desk.gateway.name)
    return Done(f"opened {opened.case.id}")


def _too_old(desk: Desk, fact: PaymentFailed) -> str | None:
    """Why the failure was too old when it was told, or None: what waited for our workers, or for a person, is no older for that."""
    door = desk.door
    told_at = door.clock() - desk.waited
    with reading(door.database) as tx:
        rules = door.rulebook.rules_for(tx, door.rulebook.current)
    return too_old(fact.obligation, fact.charge, rules=rules, now=told_at)


def _own_failed(desk: Desk, attempt_id: str, case_id: str, status: AttemptStatus) -> Done | Held:
    """The webhook of our own attempt: the same fact as its answer, or its only trace if the answer was lost."""
    if status in REFUSED or status is AttemptStatus.SUCCEEDED:
        return Done("known from the answer")
    if status is AttemptStatus.IN_FLIGHT:
        return Done("its worker is about to tell, or its lease lapses and it is settled by reading")
    with reading(desk.door.database) as tx:
        case = load_case(tx, case_id)
    answer = desk.gateway.settle(ChargeOrder.of(case.attempt(attempt_id), case.obligation))
    was_open = status in OPEN_ATTEMPTS
    if isinstance(answer, Succeeded | Declined | NeedsCustomer) or (was_open and isinstance(answer, AlreadySettled)):
        # Even of an attempt that was closed as never sent: it landed later than anybody could expect.
        return tell(desk, [case_id], AttemptAnswered(attempt_id=attempt_id, answer=answer))
    if not was_open:
        return Done("the attempt was closed without a charge, and the gateway shows none")
    return desk.hold("the gateway does not show the outcome yet", seconds=WAIT_SECONDS)


def _failed_charge(desk: Desk, obligation: Obligation) -> Charge:
    """The charge that failed: by id, else the newest failure, else a stand-in where nothing was ever charged."""
    wanted = desk.text("charge")
    named = next((c for c in obligation.charges if c.id == wanted and c.status is ChargeStatus.FAILED), None)
    charge = named or obligation.last_failure
    if charge is None:
        # A payment that waits for the customer makes no charge. Its two events come in any order: the reading tells it of both.
        waits = obligation.awaits_customer or desk.event.kind == "invoice.payment_action_required"
        signals = Signals(
            error_code=desk.text("code") or (None if waits else "no_charge_was_made"),
            decline_code=desk.text("decline_code"),
            reached_network=False,
            needs_customer=waits,
        )
        charge = Charge(
            id=f"{obligation.id}:none",
            status=ChargeStatus.FAILED,
            amount=obligation.remaining,
            created_at=desk.event.created_at,
            card=obligation.card,
            signals=signals,
        )
    return charge if charge.initiator is not None else replace(charge, initiator=desk.initiator)


def _paid(desk: Desk) -> Done | Held:
    obligation_id = _obligation_id(desk)
    if obligation_id is None:
        return Done("belongs to no invoice")
    own = _own_attempt(desk)
    with reading(desk.door.database) as tx:
        known = cases_of(tx, obligation=obligation_id)
    if not known:
        return Done("no case")
    if own is not None and own[2] is AttemptStatus.SUCCEEDED:
        return Done("known from the answer")
    obligation = desk.readings.obligation(obligation_id)
    if obligation.status is not ObligationStatus.PAID:
        return tell(desk, known, PartPaid(obligation=obligation)) if obligation.succeeded else Done("nothing is paid")
    if own is not None and obligation.succeeded:
        return _own_paid(desk, *own, obligation)
    with reading(desk.door.database) as tx:
        busy = open_attempt_of_obligation(tx, obligation_id) is not None
    # An event speaks of one charge, and of none if a processing payment ended by itself: while an attempt of ours is open
    # any of them may be that one.
    nobody = busy and (not desk.event.caused_by_request or len(obligation.succeeded) > 1)
    who = None if nobody else desk.initiator
    charges = tuple(c if c.initiator else replace(c, initiator=who) for c in obligation.succeeded)
    at = obligation.paid_at or desk.event.created_at
    return tell(desk, known, InvoicePaid(obligation_id=obligation_id, charges=charges, at=at))


def _own_paid(desk: Desk, attempt_id: str, case_id: str, status: AttemptStatus, obligation: Obligation) -> Done | Held:
    """Our attempt paid what remained: the newest charge. Charges before it were others' part payments.

    An attempt has one outcome: where a key was executed once more after it had expired, the money comes as the invoice's.
    """
    ours = replace(obligation.succeeded[-1], idempotency_key=attempt_id)
    others = tuple(charge for charge in obligation.succeeded if charge.id != ours.id)
    if status in OPEN_ATTEMPTS:
        told = tell(desk, [case_id], AttemptAnswered(attempt_id=attempt_id, answer=Succeeded(charge=ours)))
        if not others:
            return told
    at = obligation.paid_at or desk.event.created_at
    return tell(desk, [case_id], InvoicePaid(obligation_id=obligation.id, charges=(*others, ours), at=at))


def _voided(desk: Desk) -> Done | Held:
    fact = InvoiceVoided(obligation_id=desk.event.object_id, at=desk.event.created_at)
    return _tell_obligation(desk, fact)


def _written_off(desk: Desk) -> Done | Held:
    fact = InvoiceWrittenOff(obligation_id=desk.event.object_id, at=desk.event.created_at)
    return _tell_obligation(desk, fact)


def _tell_obligation(desk: Desk, fact: Fact) -> Done | Held:
    with reading(desk.door.database) as tx:
        known = cases_of(tx, obligation=desk.event.object_id)
    return tell(desk, known, fact)


def _updated(desk: Desk) -> Done | Held:
    """A retry that the gateway plans after a failure is the sign that its own retries are on."""
    if is_idle(desk.event.kind, desk.event.content):
        return Done("nothing to do")
    detail = f"invoice {desk.event.object_id} is to be retried by the gateway itself"
    with desk.door.database.begin() as tx:
        raise_flag(tx, GATEWAY_RETRIES_SEEN, detail, at=desk.event.created_at)
    return Done(detail)


def _reversed(desk: Desk) -> Done | Held:
    charge, dispute, refund = desk.text("charge"), desk.text("dispute"), desk.text("refund")
    if charge is None and (name := dispute or refund) is not None:
        charge = desk.gateway.charge_of(name, dispute=dispute is not None)
    if charge is None:
        return Done("names no charge")
    return reversal_seen(desk.door, desk.gateway, charge, told_at=desk.event.created_at)


_HANDLERS: dict[str, Callable[[Desk], Done | Held]] = {
    "invoice.payment_failed": _failed,
    "invoice.payment_action_required": _failed,
    "payment_intent.payment_failed": _failed,
    "charge.failed": _failed,
    "invoice.paid": _paid,
    "invoice_payment.paid": _paid,
    "invoice.voided": _voided,
    "invoice.marked_uncollectible": _written_off,
    "invoice.updated": _updated,
    "customer.subscription.created": subscription_changed,
    "customer.subscription.updated": subscription_changed,
    "customer.subscription.deleted": subscription_changed,
    "customer.updated": card_changed,
    "customer.source.updated": card_changed,
    "payment_method.automatically_updated": card_changed,
    "payment_method.updated": card_changed,
    "payment_method.attached": card_changed,
    "payment_method.detached": card_changed,
    "charge.refunded": _reversed,
    "refund.updated": _reversed,
    "refund.failed": _reversed,
    "charge.refund.updated": _reversed,
    "charge.dispute.created": _reversed,
    "charge.dispute.closed": _reversed,
}
