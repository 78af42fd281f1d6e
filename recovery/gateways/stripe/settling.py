"""Finds out by reading what became of an attempt. Without it an unknown outcome would be guessed, or charged again."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from recovery.cases.answers import AlreadySettled, Answer, NeedsCustomer, Processing, Succeeded
from recovery.cases.obligation import Charge, ChargeStatus, Obligation, ObligationStatus
from recovery.declines.signals import Signals
from recovery.gateways.port import ChargeOrder
from recovery.gateways.stripe.calls import Calls
from recovery.gateways.stripe.charges import CHARGE_MARGIN, charge_of, error_about, refused, signals_of
from recovery.gateways.stripe.fields import Json, ident, instant, mapping, text
from recovery.gateways.stripe.notices import cause_of
from recovery.gateways.stripe.reading import Reading
from recovery.gateways.stripe.signature import TOLERANCE_SECONDS
from recovery.gateways.stripe.tracing import Search, near

# Our clock and Stripe's may differ, as far as a webhook's signature allows; the key decides whose a charge is.
_EVENTS_MARGIN: Final = timedelta(seconds=TOLERANCE_SECONDS)
# An authorisation takes seconds; what a charge's events tell later than this is its ending, not its making.
_MAKING: Final = timedelta(seconds=30)
# What a call tells that ended without a charge; its events are written while it runs, and the rest is for clocks that differ.
_WORDS: Final = ("invoice.payment_action_required", "payment_intent.payment_failed", "invoice.payment_failed")
_WORDS_MARGIN: Final = timedelta(minutes=3)
# What tells of a charge, by its status: on a busy account one kind less is hundreds of events less.
_KINDS: Final = {
    ChargeStatus.SUCCEEDED: ("charge.succeeded", "charge.pending"),
    ChargeStatus.FAILED: ("charge.failed", "charge.pending", "payment_intent.payment_failed"),
    ChargeStatus.PENDING: ("charge.pending",),
}


@dataclass(slots=True)
class _Trace:
    """What the events say: the objects of our key by kind, and the charges that somebody else's call made."""

    ours: dict[str, Json] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)


class Settling:
    """Reads the events and the obligation of an attempt whose outcome is unknown."""

    def __init__(self, calls: Calls, reading: Reading) -> None:
        self._calls = calls
        self._reading = reading

    def settle(self, order: ChargeOrder) -> Answer | None:
        """The definite answer; AlreadySettled if others settled it; None if there is no trace and it is unpaid."""
        obligation = self._reading.obligation(order.obligation)
        trace, search = _Trace(), Search(self._calls)
        for charge in reversed(obligation.charges):
            # Whatever its card says: the key decides, and a charge that nobody looked up would pass for "never happened".
            if not _since(charge, order, margin=_EVENTS_MARGIN) or charge.id in trace.others:
                continue
            for stretch in near(charge.created_at):
                _note(trace, search.events(_KINDS[charge.status], stretch), order.key)
                if (ours := _own_charge(trace, obligation, order=order)) is not None:
                    return _answer(ours)
                if charge.id in trace.others:
                    break
        made = [one for one in obligation.charges if _may_be_ours(one, order) and one.id not in trace.others]
        if not made and _is_owed(obligation):
            _note(trace, search.events(_WORDS, self._call_of(order)), order.key)
        if trace.ours:
            return _told_by_events(trace, obligation, order=order)
        return _answer(made[-1]) if made else _settled(obligation)

    def _call_of(self, order: ChargeOrder) -> dict[str, int]:
        """The stretch of time in which an attempt's call can have run."""
        begun, bound = order.started_at - _EVENTS_MARGIN, timedelta(seconds=self._calls.limits.bound_seconds)
        ended = order.started_at + bound + _WORDS_MARGIN
        return {"gte": int(begun.timestamp()), "lte": int(ended.timestamp())}


def _note(trace: _Trace, events: Iterator[dict[str, Any]], key: str) -> None:
    for event in events:
        kind, thing = text(event, "type") or "", mapping(event, "data", "object") or {}
        _, named_key = cause_of(event)
        if named_key == key:
            trace.ours.setdefault(kind, thing)
        elif kind.startswith("charge.") and (charge := ident(thing)) and _tells_who_made_it(event, named_key):
            trace.others.add(charge)


def _tells_who_made_it(event: Json, key: str | None) -> bool:
    """Whether an event that is not ours is about the making of its charge.

    A payment that was processing ends later by itself, without any call: that says nothing of who made it.
    """
    told_at, made_at = instant(event, "created"), instant(event, "data", "object", "created")
    return key is not None or told_at is None or made_at is None or told_at - made_at <= _MAKING


def _own_charge(trace: _Trace, obligation: Obligation, *, order: ChargeOrder) -> Charge | None:
    """The charge that our key made, as it stands now; money that moved outweighs everything else."""
    kinds = ("charge.succeeded", "charge.failed", "charge.pending")
    told = next((trace.ours[kind] for kind in kinds if kind in trace.ours), None)
    if told is None:
        return None
    error = error_about(trace.ours.get("payment_intent.payment_failed"), ident(told))
    then = charge_of(told, currency=order.amount.currency, created_at=order.started_at, error=error)
    now = next((charge for charge in obligation.charges if charge.id == then.id), then)
    # The event's own moment knows the decline best: the intent's last error may be another attempt's by now.
    return then if now.status is ChargeStatus.FAILED and then.status is ChargeStatus.FAILED else now


def _may_be_ours(charge: Charge, order: ChargeOrder) -> bool:
    same_card = charge.card is None or charge.card.payment_method == order.payment_method
    return same_card and _since(charge, order, margin=CHARGE_MARGIN)


def _since(charge: Charge, order: ChargeOrder, *, margin: timedelta) -> bool:
    return charge.created_at >= order.started_at - margin


def _answer(charge: Charge) -> Answer:
    if charge.status is ChargeStatus.SUCCEEDED:
        return Succeeded(charge=charge)
    if charge.status is ChargeStatus.PENDING:
        return Processing(charge_id=charge.id)
    return refused(charge.signals or Signals(), charge.id)


def _told_by_events(trace: _Trace, obligation: Obligation, *, order: ChargeOrder) -> Answer | None:
    """Our key caused events, but none of a charge: the intent's or the invoice's own word."""
    failed = [one for one in obligation.charges if _may_be_ours(one, order) and one.id not in trace.others]
    intent = trace.ours.get("payment_intent.payment_failed")
    error = mapping(intent, "last_payment_error")
    if "invoice.payment_action_required" in trace.ours:
        signals = _last_signals(failed) or signals_of(None, error)
        return NeedsCustomer(signals=signals, charge_id=failed[-1].id if failed else None)
    if intent is not None:
        return refused(signals_of(None, error), _made_then(ident(intent, "latest_charge"), obligation, order=order))
    return _answer(failed[-1]) if failed else refused(Signals(), None)


def _made_then(name: str | None, obligation: Obligation, *, order: ChargeOrder) -> str | None:
    """The charge that an intent names, unless it is an earlier attempt's: a call that made none leaves that in its place."""
    earlier = {one.id for one in obligation.charges if not _since(one, order, margin=CHARGE_MARGIN)}
    return None if name in earlier else name


def _last_signals(charges: Iterable[Charge]) -> Signals | None:
    found = [charge.signals for charge in charges if charge.signals is not None]
    return found[-1] if found else None


def _is_owed(obligation: Obligation) -> bool:
    return obligation.status in (ObligationStatus.OPEN, ObligationStatus.DRAFT)


def _settled(obligation: Obligation) -> Answer | None:
    if _is_owed(obligation):
        return None
    return AlreadySettled(detail=f"the invoice is {obligation.status.value}, and not by this attempt")
