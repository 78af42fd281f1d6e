"""Judges a finished run from outside: the gateway's books against the engine's rows. No checker asks the engine's own code.

The same checks judge the simulation and the real processes of ``tests/chaos``.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

from sim_books import Called
from sim_checks_cards import cards
from sim_checks_letters import dropped, letters, silence
from sim_checks_pages import pages
from sim_checks_standing import standing
from sim_checks_timing import timing
from sim_view import SKEW, View

from recovery.cases.obligation import ChargeStatus, ObligationStatus

ENGINE_ONLY = ("silent_retry", "refreshed_card", "backup_card")
OPEN_ATTEMPTS = ("in_flight", "unknown", "processing")


def judge(view: View, *more: Callable[[View], Iterator[str]]) -> list[str]:
    """Every violation found, in words. ``more`` are checks that only this kind of run can be asked."""
    books = (charged_once, keys, no_haste, nothing_lies, effects, emails, money, sources, ends)
    care = (timing, cards, pages, letters, silence, dropped, standing)
    return [f"{check.__name__}: {what}" for check in (*books, *care, *more) for what in check(view)]


def charged_once(view: View) -> Iterator[str]:
    """An obligation is paid in full once; a key is executed once."""
    for name, invoice in view.books.invoices.items():
        full = [c for c in view.books.of(name) if c.status is ChargeStatus.SUCCEEDED]
        total = sum(c.amount.minor for c in full)
        settled = [c for c in full if c.key is not None]
        if len(settled) > 1:
            yield f"{name} was charged {len(settled)} times by us"
        if invoice.remaining.minor < 0:
            yield f"{name}: {total} were taken, more than was owed"
    forgotten = {call.key for call in view.books.calls if call.fault == "key_expired"}
    made = Counter(c.key for c in view.books.charges.values() if c.key and c.key not in forgotten)
    yield from (f"key {key} was executed {count} times" for key, count in made.items() if count > 1)


def keys(view: View) -> Iterator[str]:
    """Every call of ours has its attempt, committed before; numbers have no gaps."""
    for call in view.books.calls:
        if call.key not in view.attempts:
            yield f"{call.key} was sent without an attempt"
    sent = Counter(call.key for call in view.books.calls)
    yield from (f"{key} was sent {count} times" for key, count in sent.items() if count > 1)
    for case in view.cases.values():
        numbers = [a.number for a in view.attempts_of(case.id)]
        if numbers != list(range(1, len(numbers) + 1)):
            yield f"{case.id} has attempts {numbers}"


def no_haste(view: View) -> Iterator[str]:
    """No new key and no settling while an older call may still be executed; no call on what was settled long before."""
    yield from view.books.hasty
    for number, call in enumerate(view.books.calls):
        for older in view.books.calls[:number]:
            if older.obligation != call.obligation or older.fault in ("unanswered_beyond", "key_expired"):
                continue
            if older.landed_at is not None and older.landed_at > call.machine_at:
                yield f"{call.key} was sent before {older.key} had landed"
            if call.key in view.attempts and older.key in view.attempts and _number(view, call) <= _number(view, older):
                yield f"{call.key} was sent after {older.key}"
        if call.key not in view.attempts:
            continue  # told by ``keys``
        started = view.attempts[call.key].started_at
        yield from _stale(view, call)
        slept = call.machine_at - view.intended_at(call.key)
        if slept > view.seen.late:
            yield f"{call.key} was sent {slept} after its intent: its lease had ended long before"
        invoice = view.books.invoices[call.obligation]
        ended = [at for at in (invoice.paid_at, invoice.ended_at, invoice.subscription_ended_at) if at]
        if any(at < started - view.seen.late for at in ended):
            yield f"{call.key} began {started} although the invoice ended at {min(ended)}"


def _stale(view: View, call: Called) -> Iterator[str]:
    """Nobody tries while another charge is processing, nor for another sum than is owed, once a reading could show it."""
    intended = view.intended_at(call.key)
    if call.behind is not None and call.behind < intended - view.seen.late:
        yield f"{call.key} was sent although another charge was processing since {call.behind}"
    attempt = view.attempts[call.key]
    shown = view.books.owed.get(call.obligation, [])
    owed = {sum_ for at, sum_ in shown if intended - view.seen.late <= at <= intended + SKEW}
    if shown and (attempt.amount_minor, attempt.currency) not in {(sum_.minor, sum_.currency) for sum_ in owed}:
        yield f"{call.key} was for {attempt.amount_minor} {attempt.currency}, owed were {', '.join(map(str, owed))}"


def _number(view: View, call: Called) -> int:
    return int(view.attempts[call.key].number)


def nothing_lies(view: View) -> Iterator[str]:
    """Every open case has a wake-up; no attempt is open, nothing is in flight, and nothing failed for a reason nobody meant."""
    waking = {
        step.case_id for step in view.steps if step.state in ("planned", "in_flight") and step.set_aside_at is None
    }
    for case in view.cases.values():
        if case.ended_at is None and case.id not in waking:
            yield f"{case.id} is {case.state} and nothing will wake it"
    for attempt in view.attempts.values():
        gone = view.books.invoices[attempt.case_id.removeprefix("case_")].gone
        if attempt.status in OPEN_ATTEMPTS and not gone:
            yield f"attempt {attempt.id} is still {attempt.status}"
    for step in view.steps:
        replaced = step.set_aside_at is not None  # by news, before the person came who looks at what crashes set aside
        if step.failures and not replaced:
            yield f"step {step.id} {step.kind} of {step.case_id} failed: {step.error}"
        if step.state == "in_flight":
            yield f"step {step.id} {step.kind} of {step.case_id} is still {step.state}"


def all_ended(view: View) -> Iterator[str]:
    """With all faults over and everything played to its end, every case has ended and nothing is planned any more."""
    for case in view.cases.values():
        if case.ended_at is None:
            yield f"{case.id} is still {case.state}"
    for step in view.steps:
        if step.state == "planned":
            yield f"step {step.id} {step.kind} of {step.case_id} is still {step.state}"


def effects(view: View) -> Iterator[str]:
    """Every accepted event had its effect; every failure that deserves a case has one."""
    for event in view.events:
        if event.state != "done" or event.failures:
            yield f"event {event.id} {event.kind} is {event.state} after {event.failures} failures: {event.detail}"
    yield from _dropped(view)
    for name, invoice in view.books.invoices.items():
        owed = invoice.status is ObligationStatus.OPEN and invoice.subscription_ended_at is None and not invoice.gone
        failures = ("invoice.payment_failed", "charge.failed")
        told = [
            view.seen.accepted[n.id]
            for n in view.seen.notices.values()
            if n.kind in failures
            and n.id in view.seen.accepted
            and (n.content.get("invoice") == name or n.object_id in {c.id for c in view.books.of(name)})
        ]
        if owed and told and name not in view.cases and not _too_late(view, name, min(told)):
            yield f"{name} failed and has no case"


TELLING = (
    *("invoice.payment_failed", "charge.failed", "invoice.paid", "invoice.voided", "invoice.marked_uncollectible"),
    *("charge.refunded", "charge.dispute.created", "charge.dispute.closed", "customer.subscription.deleted"),
)
"""Events that may always mean something."""


def _dropped(view: View) -> Iterator[str]:
    """What was acknowledged is kept, whether or not we know it already."""
    kept = {event.id for event in view.events}
    for name in view.seen.accepted.keys() - kept:
        notice = view.seen.notices[name]
        if notice.kind in TELLING:
            yield f"event {name} {notice.kind} was accepted {view.seen.accepted[name]} and is not kept"


def _too_late(view: View, name: str, told: datetime) -> bool:
    """Whether the newest failure was beyond the horizon when anybody was first told: only ``--any-age`` opens a case then.

    The shortest horizon that any policy of the run had is taken: which one was in use when a worker read the event is not asked.
    """
    failed = [charge.at for charge in view.books.of(name) if charge.status is ChargeStatus.FAILED and charge.at <= told]
    if view.seen.driven and any("beyond the horizon" in (event.detail or "") for event in view.events):
        return True  # a driven clock runs on while an event rests that ended its worker
    policies = [known.policy for _, known in view.seen.editions]
    groups = [policy.of(segment.name) for policy in policies for segment in policy.segments]
    horizon = min(policy.horizon_days for policy in (*policies, *groups))
    return bool(failed) and told >= max(failed) + timedelta(days=horizon)


def emails(view: View) -> Iterator[str]:
    """None before exhaustion, none twice, none after the payment, none that the table does not know."""
    known = {row.id: row for row in view.emails}
    left = Counter((row.case_id, row.letter) for mail in view.seen.mails if (row := known.get(mail.email_id)))
    yield from (f"{case} got letter {letter} {count} times" for (case, letter), count in left.items() if count > 1)
    for mail in view.seen.mails:
        row = known.get(mail.email_id)
        if row is None:
            yield f"{mail.message_id} left without a row"
            continue
        exhausted = view.exhaustions.get(row.case_id)
        if exhausted is None or exhausted.at > mail.at:
            yield f"{row.id} left before its case was exhausted"
        invoice = view.books.invoices[row.case_id.removeprefix("case_")]
        if invoice.paid_at is not None and invoice.paid_at < row.begun_at - view.seen.late:
            yield f"{row.id} was begun {row.begun_at} although {invoice.id} was paid {invoice.paid_at}"
        if (slept := _slept(view, row.case_id, mail.machine_at)) > view.seen.late:
            yield f"{row.id} left {slept} after it was begun: its lease had ended long before"
        if row.status not in ("sent", "ambiguous"):
            yield f"{row.id} left, but is noted as {row.status}"
    for row in view.emails:
        if row.status == "sent" and row.id not in {mail.email_id for mail in view.seen.mails}:
            yield f"{row.id} is noted as sent, but never left"


def _slept(view: View, case_id: str, left_at: datetime) -> timedelta:
    """How long before it left an email was begun, in machine time; workers' clocks are wrong by seconds."""
    known = [line for line in view.journal if line.case_id == case_id and line.fact == "EmailDue"]
    before = [line.booked_at for line in known if line.booked_at <= left_at + timedelta(seconds=10)]
    return left_at - max(before, default=left_at)


def money(view: View) -> Iterator[str]:
    """The recovery ledger equals the gateway's, to the cent, as far as anybody could know of it."""
    for name, case in view.cases.items():
        booked = view.entries(case.id)
        recovered = {row.charge_id: (row.amount_minor, row.currency) for row in booked["recovered"]}
        taken = {c.id: (c.amount.minor, c.amount.currency) for c in view.taken(name)}
        invoice = view.books.invoices[name]
        knowable = view.paid_told(name) or (invoice.paid_at is not None and invoice.paid_at < case.ended_at)
        for charge in taken.keys() - recovered.keys():
            if knowable and not invoice.gone:
                yield f"{charge} of {name} brought {taken[charge]} and is not in the ledger"
        for charge in recovered.keys() - taken.keys():
            yield f"{charge} of {name} is in the ledger and brought nothing"
        yield from (
            f"{charge}: booked {recovered[charge]}, was {taken[charge]}"
            for charge in recovered.keys() & taken.keys()
            if recovered[charge] != taken[charge]
        )
        yield from _went_back(view, name, recovered)
        if len(booked["at_risk"]) != 1:
            yield f"{case.id} has {len(booked['at_risk'])} sums at risk"


def _went_back(view: View, name: str, recovered: Mapping[str, object]) -> Iterator[str]:
    booked = view.entries(view.cases[name].id)
    kinds = ("refunded", "dispute_opened", "dispute_won", "dispute_lost")
    have = {(kind, row.ref): row.amount_minor for kind in kinds for row in booked[kind]}
    for item in view.books.returned.values():
        if item.obligation != name or item.charge not in recovered or not view.accepted(item.charge):
            continue
        if item.at < view.cases[name].opened_at:
            continue  # its news came when there was no case that it could be booked in
        kind = "dispute_opened" if item.dispute else "refunded"
        events = ("charge.dispute.created", "charge.refunded")
        told = _told(view, item.id if item.dispute else item.charge, events)
        if told and have.get((kind, item.id)) != item.amount.minor:
            yield f"{item.id} of {item.charge}: {kind} {item.amount} is booked as {have.get((kind, item.id))}"
        ended = f"dispute_{item.status}"
        told = item.status in ("won", "lost") and _told(view, item.id, ("charge.dispute.closed",))
        if told and have.get((ended, item.id)) != item.amount.minor:
            yield f"{item.id} ended as {item.status} and is not booked so"


def _told(view: View, object_id: str, kinds: tuple[str, ...]) -> bool:
    """Whether every event of these kinds about an object was accepted: the last one may be the only one that counts."""
    mine = [n.id for n in view.seen.notices.values() if n.object_id == object_id and n.kind in kinds]
    return bool(mine) and all(name in view.seen.accepted for name in mine)


def sources(view: View) -> Iterator[str]:
    """We are never credited with a charge that is not ours; and credited with ours, if its outcome could be read."""
    for row in view.ledger:
        if row.kind != "recovered":
            continue
        charge = view.books.charges[row.charge_id]
        if row.source in ENGINE_ONLY and charge.key is None:
            yield f"{row.charge_id} was made by {charge.initiator} and is credited to {row.source}"
        attempt = view.attempts.get(charge.key or "")
        if attempt is not None and not charge.beyond and attempt.status != "succeeded":
            yield f"{row.charge_id} succeeded, its attempt {attempt.id} is {attempt.status}"
        own_choice = attempt is not None and attempt.purpose == "customer_card" and row.source == "customer_unasked"
        theirs = row.source in ("customer_unasked", "gateway_retry")
        if theirs and charge.key is not None and not charge.beyond and not own_choice:
            yield f"{row.charge_id} was made by us and is credited to {row.source}"


def ends(view: View) -> Iterator[str]:
    """A recovered case has money behind it; a paid invoice of which we know is recovered."""
    for name, case in view.cases.items():
        taken = view.taken(name)
        invoice = view.books.invoices[name]
        if case.state == "recovered" and invoice.status is not ObligationStatus.PAID:
            yield f"{case.id} is recovered, the invoice is {invoice.status.value}"
        if case.state == "recovered" and not taken:
            yield f"{case.id} is recovered without any money"
        if case.state != "recovered" and taken and invoice.paid_at and view.paid_told(name) and not invoice.gone:
            yield f"{case.id} is {case.state}, the invoice was paid and we were told"
