"""Judges which cards were charged, and whether the ones that came were: recounted from the gateway's books."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sim_books import Booked
from sim_issuers import dead_details, never_again, wait_hours
from sim_view import SKEW, Row, View

from recovery.cases.obligation import ChargeStatus
from recovery.cases.wallet import Place, Wallet
from recovery.declines.signals import Card
from recovery.storage.codec import policy_from

NOTICED = timedelta(days=4)
"""Details that came so long before a case's end were to be charged: their hours open within a long weekend."""


def cards(view: View) -> Iterator[str]:
    """All checks about the choice of cards."""
    for attempt, charge in sorted(view.ours(), key=lambda pair: pair[0].started_at):
        if charge.beyond:
            continue
        yield from _brand(view, attempt, charge)
        yield from _own_card(view, attempt, charge)
        yield from _without_mandate(view, attempt, charge)
        yield from _called_closed(view, attempt, charge)
        if attempt.purpose == "backup_card":
            yield from _backup(view, attempt, charge)
    yield from _overlooked(view)
    yield from _slips(view)


def _called_closed(view: View, attempt: Row, charge: Booked) -> Iterator[str]:
    """What the updater called closed is not presented on any invoice of its holder that failed beside the one it was asked for;
    the issuer's approval since contradicts it.
    """
    customer, mine = view.books.invoices[charge.obligation].customer, view.cases[charge.obligation]
    beside = [case for case in view.cases.values() if case.customer == customer]
    for at, card in view.books.closed:
        if not at < attempt.started_at or not charge.card.same_details(card) or not _shown_to(view, customer, card):
            continue
        asked_for = [case for case in beside if case.opened_at <= at and (case.ended_at is None or at <= case.ended_at)]
        if not any(case.ended_at is None or case.ended_at > mine.failed_at for case in asked_for):
            continue
        since = [c for c in view.books.charges.values() if c.card.same_details(card) and at < c.at < charge.at]
        if all(c.status is not ChargeStatus.SUCCEEDED for c in since):
            yield f"{attempt.id} presents details that the updater had called closed"


def _shown_to(view: View, customer: str, card: Card) -> bool:
    """Whether this stored card is among those that readings showed of the customer's."""
    mine = [i.id for i in view.books.invoices.values() if i.customer == customer]
    return any(shown.payment_method == card.payment_method for each in mine for shown in view.cards_shown(each))


def _brand(view: View, attempt: Row, charge: Booked) -> Iterator[str]:
    """A stored card that became another brand's is not charged without its holder."""
    if charge.card.brand != attempt.card["brand"] and _shown(view, attempt, charge):
        return  # it changed while the charge was on its way
    for old in view.books.of(charge.obligation):
        before = old.machine_at < view.intended_at(attempt.id)
        same = before and old.card.payment_method == charge.card.payment_method
        if same and old.id != charge.id and old.card.brand != charge.card.brand:
            yield f"{attempt.id} was made on {charge.card.brand}, which was {old.card.brand} before"


def _shown(view: View, attempt: Row, charge: Booked) -> bool:
    """Whether the engine was shown the card as it meant to charge it, shortly before."""
    intended = view.intended_at(attempt.id)
    wallets = [
        wallet
        for at, wallet in view.books.shown[charge.obligation]
        if intended - view.seen.late <= at <= intended + SKEW
    ]
    shown = [kept.card for wallet in wallets for kept in wallet.cards]
    return any((c.payment_method, c.brand) == (charge.card.payment_method, attempt.card["brand"]) for c in shown)


def _own_card(view: View, attempt: Row, charge: Booked) -> Iterator[str]:
    """What the subscription itself names is charged, unless it names nothing or the customer wished for another card since."""
    if attempt.purpose not in ("silent", "refreshed_card", "between_emails"):
        return
    intended = view.intended_at(attempt.id)
    shown = [
        wallet
        for at, wallet in view.books.shown[charge.obligation]
        if intended - view.seen.late <= at <= intended + SKEW
    ]
    named = {_named(wallet) for wallet in shown}
    own = next(iter(named)) if len(named) == 1 else None
    if own is None or own == charge.card.payment_method:
        return
    customer, saved = view.books.invoices[charge.obligation].customer, view.books.saved_at
    mine = [
        at
        for at, whose, card, by_customer in view.books.arrived
        if by_customer
        and whose == customer
        and card.payment_method == charge.card.payment_method  # renewed since, perhaps
    ]
    later = saved[charge.card.payment_method] > saved[own]  # by policy the customer's choice too
    if not later and not any(at < attempt.started_at for at in mine):
        yield f"{attempt.id} charged {charge.card.payment_method} although the subscription names {own}"


def _without_mandate(view: View, attempt: Row, charge: Booked) -> Iterator[str]:
    """Where the policy wants the cardholder, only a card of their choice is charged, and once: decision 0014."""
    case = view.cases[charge.obligation]
    country = charge.card.country
    if country not in _mandated(view, case):
        return
    name, saved = charge.card.payment_method, view.books.saved_at
    theirs = [card for _, whose, card, by_customer in view.books.arrived if by_customer and whose == case.customer]
    theirs += [card for _, whose, card in view.books.corrected if whose == case.customer]
    own = view.books.invoices[charge.obligation].card
    newer = own is not None and saved[name] > saved[own.payment_method]
    if not newer and all(card.payment_method != name for card in theirs):
        yield f"{attempt.id} ({attempt.purpose}) charged a card issued in {country}, which the customer had not chosen"
    before = [c for a, c in view.ours() if a.case_id == case.id and a.number < attempt.number and not c.beyond]
    corrected = any(card.payment_method == name for _, _, card in view.books.corrected)
    if not corrected and any(c.card == charge.card for c in before):
        yield f"{attempt.id} ({attempt.purpose}) charged a card issued in {country} a second time"


def _mandated(view: View, case: Row) -> tuple[str, ...]:
    """The countries whose cards the case's policy leaves to their holders."""
    return policy_from(view.policies[case.policy]).of(case.segment).cards.customer_only_countries


def _named(wallet: Wallet) -> str | None:
    return next((kept.card.payment_method for kept in wallet.cards if kept.place is Place.SUBSCRIPTION), None)


def _backup(view: View, attempt: Row, charge: Booked) -> Iterator[str]:
    """Only with consent, within the policy's number, each once, and never from a case that asks the customer."""
    invoice = view.books.invoices[charge.obligation]
    policy = policy_from(view.policies[view.cases[invoice.id].policy])
    said = view.books.consents.get(invoice.customer)
    allowed = {"never": False, "with_consent": said is True, "always": said is not False}[policy.cards.backup.value]
    if not allowed:
        yield f"{attempt.id} charged a backup card, the customer said {said}"
    before = [a for a in view.attempts_of(attempt.case_id) if a.purpose == "backup_card" and a.number < attempt.number]
    late = {c.key for c in view.books.charges.values() if c.beyond}  # nobody could expect these any more
    unsent = ("not_sent", "misconfigured", "already_settled")
    reached = [a for a in before if a.status not in unsent and a.id not in late]
    if len(reached) >= policy.cards.backups_max:
        yield f"{attempt.id} is backup try {len(reached) + 1} of {policy.cards.backups_max}"
    details = (
        "fingerprint",
        "exp_month",
        "exp_year",
    )  # a renewed expiry is worth another try, and so is a corrected address
    corrected = [at for at, _, card in view.books.corrected if card.payment_method == charge.card.payment_method]
    stale = [a for a in reached if not any(a.started_at < at <= attempt.started_at for at in corrected)]
    if any(all(a.card[name] == getattr(charge.card, name) for name in details) for a in stale):
        yield f"{attempt.id} tries a backup card again"
    exhausted = view.exhaustions.get(attempt.case_id)
    if exhausted is not None and exhausted.at < attempt.started_at:
        yield f"{attempt.id} charged a backup card after the customer was to be asked"


def _overlooked(view: View) -> Iterator[str]:
    """Details that came while a case was open, and stayed, were charged before it was given up."""
    for at, customer, card, by_customer in view.books.arrived:
        for invoice in (i for i in view.books.invoices.values() if i.customer == customer and i.id in view.cases):
            case = view.cases[invoice.id]
            now_default = view.books.card_of(invoice)
            stayed = now_default is not None and now_default == card and not _came_back(view, at, customer, card)
            if not stayed or case.state != "lost" or not case.opened_at < at < case.ended_at - NOTICED:
                continue
            until = min(each for each in (case.ended_at, invoice.ended_at) if each is not None) - NOTICED
            if not _told(view, at, customer, card, until=until):
                continue  # it ended before anybody could know: the event was lost, and lists of events are read at random here
            chosen = by_customer and _came(view, case, at, card)
            if not chosen and card.country in _mandated(view, case):
                continue  # decision 0014
            if _left_alone(view, card, since=at, until=case.ended_at - NOTICED):
                continue
            if _died(view, customer, card, since=at, until=case.ended_at):
                continue  # on another of the customer's invoices
            if _reviewed(view, case.id) or _presented(view, invoice.id, card) or _other_brand(view, invoice.id, card):
                continue
            yield f"{card.brief()} came {at} to {customer} and was never charged, {case.id} was lost {case.ended_at}"


def _came(view: View, case: Row, at: datetime, card: Card) -> bool:
    """Whether readings show that the customer put this card where it is: it was saved since the failure, or another was there first,
    by a reading that was kept.
    """
    if view.books.saved_at[card.payment_method] > case.failed_at:
        return True
    defaults = [
        wallet.default and wallet.default.payment_method for _, wallet in view.books.shown.get(case.obligation, ())
    ]
    kept = any(
        row.case_id == case.id and row.fact in ("CardRefreshed", "ChargeDue") and row.at < at for row in view.journal
    )
    return kept and card.payment_method in defaults[1:] and defaults[0] != card.payment_method


def _came_back(view: View, at: datetime, customer: str, card: Card) -> bool:
    """Whether another card soon took its place, and the customer saved it once more: the later time is looked at by itself."""
    later = [
        (when, new)
        for when, whose, new, by_customer in view.books.arrived
        if by_customer and whose == customer and when > at
    ]
    again = [when for when, new in later if new.payment_method == card.payment_method]
    return bool(again) and any(
        when < min(max(again), at + NOTICED) and new.payment_method != card.payment_method for when, new in later
    )


def _slips(view: View) -> Iterator[str]:
    """An entry that failed for its address, was corrected and stayed was charged once more before its case was given up."""
    seen: set[str] = set()
    for at, customer, card in view.books.corrected:
        if card.payment_method in seen:
            continue  # each once
        seen.add(card.payment_method)
        for invoice in (i for i in view.books.invoices.values() if i.customer == customer and i.id in view.cases):
            case = view.cases[invoice.id]
            in_time = case.state == "lost" and case.opened_at < at < case.ended_at - NOTICED
            if not in_time or view.books.card_of(invoice) != card or _reviewed(view, case.id):
                continue
            if not _told(view, at, customer, card, until=case.ended_at - NOTICED):
                continue
            if _left_alone(view, card, since=at, until=case.ended_at - NOTICED):
                continue
            if any(card.same_details(closed) for when, closed in view.books.closed if when < case.ended_at):
                continue  # the account behind it is gone, wherever its holder lives
            tried = [c for c in view.books.of(invoice.id) if c.card == card]
            calls = [call for call in view.books.calls if call.obligation == invoice.id and call.at >= at]
            if any(c.at <= at for c in tried) and not any(
                view.attempts[c.key].card["fingerprint"] == card.fingerprint for c in calls if c.key in view.attempts
            ):
                yield f"the address of {card.brief()} was corrected {at} and {case.id} was lost without a try {case.ended_at}"


def _died(view: View, customer: str, card: Card, *, since: datetime, until: datetime) -> bool:
    """Whether any charge of the customer's was refused for good on these details; or, before they had to be tried, the number by its
    network, on anybody's: to whom a renewed expiry is the same card.
    """
    mine = {i.id for i in view.books.invoices.values() if i.customer == customer}
    same = [c for c in view.books.charges.values() if c.card.budget_key == card.budget_key]
    if any(c.at < since + NOTICED and never_again(c, since + NOTICED) for c in same):
        return True
    return any(card.same_details(c.card) and c.obligation in mine and dead_details(c, until) for c in same)


def _told(view: View, at: datetime, customer: str, card: Card, *, until: datetime) -> bool:
    """Whether the news of these details arrived by then; what the updater was asked for is known at once."""
    named = (customer, card.payment_method)
    news = [n for n in view.seen.notices.values() if n.object_id in named and n.created_at == at.replace(microsecond=0)]
    accepted = view.seen.accepted
    return not news or any(n.id in accepted and accepted[n.id] <= until for n in news)


def _reviewed(view: View, case_id: str) -> bool:
    return any(row.case_id == case_id and row.state == "review" for row in view.journal)


def _presented(view: View, obligation: str, card: Card) -> bool:
    tried: list[Card] = [charge.card for charge in view.books.of(obligation)]
    calls = [call for call in view.books.calls if call.obligation == obligation]
    sent = [view.attempts[call.key].card for call in calls if call.key in view.attempts]
    same = any(card.same_details(each) for each in tried)
    return same or any(each["fingerprint"] == card.fingerprint for each in sent)


def _left_alone(view: View, card: Card, *, since: datetime, until: datetime) -> bool:
    """Whether the network's advice or its budget may have kept every try of this number away, whoever tried it before."""
    tried = [c for c in view.books.charges.values() if c.card.budget_key == card.budget_key and c.at < until]
    if any(c.at + timedelta(hours=wait_hours(c)) > until for c in tried):
        return True
    packs = [view.rules_at(at).networks.in_force(card.brand, at, card.country) for at in (since, until)]
    return any(
        sum(1 for c in tried if c.at > until - timedelta(hours=cap.window_hours)) >= cap.tries_max
        for pack in packs
        for cap in pack.caps
    )


def _other_brand(view: View, obligation: str, card: Card) -> bool:
    """Whether this stored card was ever another brand's, charged or merely on file."""
    charged = [old.card for old in view.books.of(obligation)]
    saved = [old for _, _, old, _ in view.books.arrived]
    known = (*charged, *view.cards_shown(obligation), *saved)
    return any(old.payment_method == card.payment_method and old.brand != card.brand for old in known)
