"""Money that came, went back or is no longer owed. Without it the ledger would depend on who noticed first."""

from collections.abc import Sequence
from datetime import datetime

from recovery.cases import facts
from recovery.cases.case import Attempt, Case, Decision, Entry, Purpose
from recovery.cases.lifecycle import OPEN, AttemptStatus, EntryKind, Source, State, StepKind
from recovery.cases.obligation import Charge, Obligation, ObligationStatus
from recovery.cases.planning import ALL_STEPS
from recovery.declines.signals import Card, Initiator
from recovery.money import Money
from recovery.sentences import Sentence
from recovery.values import replace


def apply(case: Case, fact: facts.Fact) -> Decision:
    """What a fact about money means, in any state, ends included."""
    match fact:
        case facts.InvoicePaid(charges=charges, at=at):
            return paid(case, charges, at=at)
        case facts.PartPaid(obligation=obligation):
            return _part_paid(case, obligation)
        case facts.InvoiceVoided(at=at):
            return withdraw(case, now=at, why="the merchant voided the invoice")
        case facts.InvoiceWrittenOff(at=at):
            return lose(case, now=at, why="the merchant wrote the invoice off")
        case facts.SubscriptionCancelled(detail=detail, at=at):
            return cancel(case, now=at, why=f"the subscription was cancelled ({detail or 'no reason given'})")
        case facts.PaymentRefunded(amount=amount, at=at, refund_id=ref, charge_id=charge, failed=failed):
            kind = EntryKind.REFUND_FAILED if failed else EntryKind.REFUNDED
            return _booked(case, kind, Entry(kind=kind, amount=amount, occurred_at=at, ref=ref, charge_id=charge))
        case facts.DisputeOpened(amount=amount, at=at, dispute_id=ref, charge_id=charge):
            kind = EntryKind.DISPUTE_OPENED
            return _booked(case, kind, Entry(kind=kind, amount=amount, occurred_at=at, ref=ref, charge_id=charge))
        case facts.DisputeClosed(amount=amount, at=at, dispute_id=ref, charge_id=charge, won=won):
            kind = EntryKind.DISPUTE_WON if won else EntryKind.DISPUTE_LOST
            return _booked(case, kind, Entry(kind=kind, amount=amount, occurred_at=at, ref=ref, charge_id=charge))
        case facts.FeeCharged(amount=amount, at=at, ref=ref, charge_id=charge, returned=returned):
            kind = EntryKind.FEE_RETURNED if returned else EntryKind.FEE
            return _booked(case, kind, Entry(kind=kind, amount=amount, occurred_at=at, ref=ref, charge_id=charge))
        case _:
            raise TypeError(f"{fact!r} does not move money")


def _booked(case: Case, kind: EntryKind, entry: Entry) -> Decision:
    return Decision(
        case=case,
        reason=f"{kind.value.replace('_', ' ')}: {entry.amount} of charge {entry.charge_id}",
        entries=(entry,),
    )


def ended_by_reading(case: Case, obligation: Obligation, *, now: datetime) -> Decision | None:
    """What a fresh reading of the obligation ends, before anything else is done; None when it is still owed."""
    if obligation.status is ObligationStatus.OPEN and obligation.subscription_live and obligation.remaining.minor > 0:
        return None
    if obligation.status is ObligationStatus.PAID:
        return paid(case, obligation.succeeded, at=obligation.paid_at or now)
    if obligation.status in (ObligationStatus.VOID, ObligationStatus.DRAFT):
        return withdraw(case, now=now, why=f"the invoice is {obligation.status.value}")
    if obligation.status is ObligationStatus.UNCOLLECTIBLE:
        return lose(case, now=now, why="the merchant wrote the invoice off")
    if not obligation.subscription_live:
        return cancel(case, now=now, why="the subscription is cancelled")
    return withdraw(case, now=now, why="nothing remains to be paid")


def paid(case: Case, charges: tuple[Charge, ...], *, at: datetime) -> Decision:
    """The obligation is settled. Only charges bring money: paid without one is withdrawn, not recovered.

    Charges from before the failure (part payments) were never at risk and are not counted.
    """
    charges = since_failure(case, charges)
    doubtful = [charge for charge in charges if _perhaps_ours(case, charge)]
    if doubtful:
        why = "paid, perhaps by our attempt that is still open: settling it tells whose charge it is"
        others = tuple(charge for charge in charges if charge not in doubtful)
        return Decision(case=case, reason=why, entries=part_entries(case, others))
    if not charges:
        if case.state is State.RECOVERED:
            return Decision(case=case, reason="paid, as known")
        return withdraw(case, now=at, why="settled without a charge (credit, balance or outside the gateway)")
    entries = []
    attempts = {a.id: a for a in case.attempts}
    source = case.source
    for charge in charges:
        attempt = _attempt_of(case, charge)
        source = _source(case, charge, attempt)
        if attempt is not None:
            attempts[attempt.id] = replace(attempt, status=AttemptStatus.SUCCEEDED, charge_id=charge.id)
        entries.append(_recovered(charge, source))
    assert source is not None
    brought = tuple(entry.amount for entry in entries)
    came = total_of(entries)
    if case.state is not State.RECOVERED and came != case.amount:
        # The rest was credited and owed no more before anybody read it; or part payments are among the charges.
        entries.append(at_risk_is(case, came, at=at))
    if case.state in _TAKEN_BACK:
        entries.append(_reinstated(case, at=max(charge.brought_at for charge in charges)))
    ended = replace(
        case,
        state=State.RECOVERED,
        source=case.source or source,
        ended_at=case.ended_at if case.state is State.RECOVERED else at,
        attempts=tuple(attempts.values()),
        dead_cards=_without(case.dead_cards, charges),
    )
    return Decision(
        case=ended,
        reason=Sentence(lambda: f"paid: {', '.join(map(str, brought))}, source {source.value.replace('_', ' ')}"),
        cancel=_all_but_settling(ended) - (_AFTERWARDS if case.state is State.RECOVERED else frozenset()),
        entries=tuple(entries),
    )


def _without(dead: tuple[Card, ...], charges: tuple[Charge, ...]) -> tuple[Card, ...]:
    """The dead cards but those that paid after all: the customer's other invoices take an ended case's word for the others."""
    return tuple(card for card in dead if not any(card.same_details(charge.card) for charge in charges))


_AFTERWARDS = frozenset({StepKind.WAKE_SIBLINGS, StepKind.KEEP_CARD})
"""What a recovery itself has planned, once: that it is read or told again must not call these off."""

_TAKEN_BACK = frozenset({State.LOST, State.WITHDRAWN})


def _reinstated(case: Case, *, at: datetime) -> Entry:
    """Takes back what the end booked. The month of that end keeps its figure; the month of the payment shows the correction."""
    return Entry(kind=EntryKind.REINSTATED, amount=case.amount, occurred_at=at, ref=f"{case.obligation}:{case.state}")


def part_entries(case: Case, charges: tuple[Charge, ...]) -> tuple[Entry, ...]:
    """Money that came in while something is still owed; booking it again changes nothing."""
    if not charges:
        return ()
    since = since_failure(case, charges)
    return tuple(_recovered(charge, _source(case, charge, _attempt_of(case, charge))) for charge in since)


def total_of(entries: Sequence[Entry], rest: Money | None = None) -> Money:
    """What came in, and what is still owed besides. At least one of them must be given."""
    amounts = [entry.amount for entry in entries] + ([rest] if rest is not None else [])
    return sum(amounts[1:], amounts[0])


def at_risk_is(case: Case, total: Money, *, at: datetime) -> Entry:
    """What is at risk in all, part payments included, as a reading shows it now. Saying what is known already changes no figure."""
    ref = f"{case.obligation}:{at.isoformat()}:{total.minor}"
    return Entry(kind=EntryKind.AT_RISK_CHANGED, amount=total, occurred_at=at, ref=ref)


def _part_paid(case: Case, obligation: Obligation) -> Decision:
    entries = part_entries(case, obligation.succeeded)
    owed = case
    if case.state in OPEN:
        owed = replace(case, amount=obligation.remaining)
        at = max((entry.occurred_at for entry in entries), default=case.failed_at)
        entries = (at_risk_is(case, total_of(entries, obligation.remaining), at=at), *entries)
    return Decision(case=owed, reason=f"paid in part: {obligation.remaining} are still owed", entries=entries)


def since_failure(case: Case, charges: tuple[Charge, ...]) -> tuple[Charge, ...]:
    """The charges that count for the case: since its failure, and in any event its own attempts'."""
    return tuple(c for c in charges if c.created_at >= case.failed_at or _attempt_of(case, c) is not None)


def _attempt_of(case: Case, charge: Charge) -> Attempt | None:
    """The attempt that made a charge, by charge id or idempotency key. A likeness is never enough."""
    return next((a for a in case.attempts if charge.id == a.charge_id or charge.idempotency_key == a.id), None)


def _recovered(charge: Charge, source: Source) -> Entry:
    return Entry(
        kind=EntryKind.RECOVERED,
        amount=charge.amount,
        occurred_at=charge.brought_at,
        ref=charge.id,
        source=source,
        charge_id=charge.id,
    )


def _perhaps_ours(case: Case, charge: Charge) -> bool:
    """Whether a charge that a mere reading showed may be the open attempt's: nobody's name is on it, and it fits."""
    attempt = case.open_attempt
    if attempt is None or charge.initiator is not None or _attempt_of(case, charge) is not None:
        return False
    same = charge.card is None or charge.card.payment_method == attempt.card.payment_method
    return same and charge.created_at >= attempt.started_at.replace(microsecond=0)


_SOURCE_OF = {
    Purpose.SILENT: Source.SILENT_RETRY,
    Purpose.REFRESHED_CARD: Source.REFRESHED_CARD,
    Purpose.BACKUP_CARD: Source.BACKUP_CARD,
    Purpose.BETWEEN_EMAILS: Source.SILENT_RETRY,
    Purpose.CUSTOMER_DATE: Source.CUSTOMER_AFTER_EMAIL,
}
"""Who is credited with a charge of ours. A card that the customer chose is the customer's doing, asked or unasked."""


def _source(case: Case, charge: Charge, attempt: Attempt | None) -> Source:
    if attempt is not None:
        if attempt.purpose in _SOURCE_OF:
            return _SOURCE_OF[attempt.purpose]
    elif charge.initiator is Initiator.GATEWAY:
        return Source.GATEWAY_RETRY
    done_at = attempt.started_at if attempt is not None else charge.created_at
    asked = case.emailed_at is not None and done_at >= case.emailed_at
    return Source.CUSTOMER_AFTER_EMAIL if asked else Source.CUSTOMER_UNASKED


def withdraw(case: Case, *, now: datetime, why: str) -> Decision:
    """No longer owed, or the customer left. An end that is reached already stays as it is."""
    return _end(case, State.WITHDRAWN, EntryKind.WITHDRAWN, now, why)


def cancel(case: Case, *, now: datetime, why: str) -> Decision:
    """The subscription was ended, by whomever. An end that is reached already stays as it is."""
    return withdraw(replace(case, cancelled=True) if case.state in OPEN else case, now=now, why=why)


def lose(case: Case, *, now: datetime, why: str) -> Decision:
    """Given up. A late payment can still turn it into a recovery."""
    return _end(case, State.LOST, EntryKind.WRITTEN_OFF, now, why)


def _end(case: Case, state: State, kind: EntryKind, now: datetime, why: str) -> Decision:
    if case.state not in OPEN:
        return Decision(case=case, reason=f"{why}; the case has ended already ({case.state.value})")
    entry = Entry(kind=kind, amount=case.amount, occurred_at=now, ref=case.obligation)
    return Decision(
        case=replace(case, state=state, ended_at=now),
        reason=Sentence(lambda: f"{why}: {case.amount} {kind.value.replace('_', ' ')}"),
        cancel=_all_but_settling(case),
        entries=(entry,),
    )


def _all_but_settling(case: Case) -> frozenset[StepKind]:
    """An end cancels everything, but an attempt whose outcome nobody knows is still settled: its budget depends on it."""
    return ALL_STEPS if case.open_attempt is None else ALL_STEPS - {StepKind.SETTLE_ATTEMPT}
