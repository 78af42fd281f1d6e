"""Judges when customers were written to: hours, days and caps, recounted. Without it a letter at night would pass for one in order."""

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sim_view import Row, View

from recovery.storage.codec import policy_from

CAP_SPAN = timedelta(days=30)
_HANDED_OVER = re.compile(r"email (\S+-mail-\d+: |refused)")
_OF_LETTERS = re.compile(r"\(letter \d+ of (\d+) of campaign")
OPENS, CLOSES = time(9), time(19)
"""As shipped; no run varies them."""


def letters(view: View) -> Iterator[str]:
    """What left, or may have, in decent hours and within the caps of its customer, whichever of their cases it spoke of."""
    cases = {row.id: row for row in view.cases.values()}
    mails: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(view.emails, key=lambda each: each.begun_at):
        case = cases[row.case_id]
        yield from _hours(view, row, case)
        dunning = policy_from(view.policies[case.policy]).of(case.segment).dunning
        before = mails[case.customer]
        if before and row.begun_at < before[-1].begun_at + timedelta(hours=dunning.customer_gap_hours):
            yield f"{row.id} was begun {row.begun_at}, {before[-1].id} to the same customer {before[-1].begun_at}"
        recent = [each for each in before if each.begun_at > row.begun_at - CAP_SPAN]
        if len(recent) >= dunning.customer_emails_max:
            yield f"{row.id} is email {len(recent) + 1} to {case.customer} in {CAP_SPAN.days} days"
        if row.status != "refused":
            before.append(row)


def silence(view: View) -> Iterator[str]:
    """Who was to be asked was, before the case was given up, unless about other invoices as often as anybody is, or people ended it."""
    customers = {row.id: row.customer for row in view.cases.values()}
    written_to = {row.case_id for row in view.emails}
    for case in view.cases.values():
        exhausted = view.exhaustions.get(case.id)
        if case.state != "lost" or exhausted is None or case.mail_stopped or case.id in written_to:
            continue
        invoice = view.books.invoices[case.obligation]
        by_person = any(
            (row.case_id, row.fact, row.state) == (case.id, "PersonDecided", "lost") for row in view.journal
        )
        if by_person or (invoice.ended_at is not None and invoice.ended_at <= case.ended_at):
            continue
        dunning = policy_from(view.policies[case.policy]).of(case.segment).dunning
        mine = sum(1 for row in view.emails if customers[row.case_id] == case.customer)
        if mine < dunning.customer_emails_max and case.ended_at >= exhausted.at + timedelta(days=dunning.wait_days):
            yield f"{case.id} was given up {case.ended_at}, exhausted since {exhausted.at}, and nobody was written to"


def dropped(view: View) -> Iterator[str]:
    """After the first letter the others of its campaign left, or the next one waited still when the customer's time was over."""
    for case in view.cases.values():
        told = sorted((row for row in view.journal if row.case_id == case.id), key=lambda row: row.id)
        ended_by = next((row.fact for row in told if row.state == "lost"), None)
        # A shorter campaign is over; or the letter's turn came with the end, when it may have been on its way.
        due = [row for row in told if row.fact == "EmailDue" and not row.reason.startswith("the customer is asked why")]
        needless = any(row.state == "lost" or row.reason.startswith("no email: ") for row in due)
        leaving = any(row.state == "lost" and _HANDED_OVER.match(row.reason) for row in told)
        if ended_by != "CloseDue" or case.mail_stopped or needless or leaving:
            continue
        # Of the last campaign: another decline may have led to a shorter one.
        of_so_many = [found for row in told if (found := _OF_LETTERS.search(row.reason))]
        letters = int(of_so_many[-1][1]) if of_so_many else 0
        planned = [row for row in view.steps if row.case_id == case.id and row.kind == "send_email"]
        waited = planned and max(planned, key=lambda row: row.id).state == "cancelled"
        if 0 < case.letters_done < letters and not waited:
            yield f"{case.id} was given up after letter {case.letters_done} of {letters}, and the next one was not planned"


def _hours(view: View, row: Row, case: Row) -> Iterator[str]:
    """The card that the case had then is not known any more: one of the customer's must fit."""
    customer = view.books.customers[case.customer]
    known = [c.card for c in view.books.of(case.obligation)] + view.cards_shown(case.obligation) + customer.own_cards
    known += [card for _, whose, card, _ in view.books.arrived if whose == customer.id]
    banks = view.rules_at(row.begun_at).banks
    hours = [banks.of(card.country) for card in known]
    if not any(_decent((customer.zone,) if customer.zone else of.zones, of.weekend, row.begun_at) for of in hours):
        yield f"{row.id} was begun {row.begun_at}, which is no decent hour for {customer.id}"


def _decent(zones: tuple[str, ...], weekend: tuple[int, ...], at: datetime) -> bool:
    """A working day between the hours, in all of the zones."""
    local = [at.astimezone(ZoneInfo(zone)) for zone in zones]
    return all(OPENS <= each.time() < CLOSES and each.weekday() not in weekend for each in local)
