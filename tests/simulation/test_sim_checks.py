"""Every checker finds what it is there for: one story that is all right, told by hand, and what may be wrong with it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sim_checks
from sim_books import Booked, Books, Called, Customer, Invoice, Mailed
from sim_rules import shipped
from sim_view import TABLES, Row, Seen, View, Visited

from recovery.cases.obligation import ChargeStatus, ObligationStatus
from recovery.cases.wallet import KeptCard, Place, Wallet
from recovery.declines.signals import Card, Initiator, Signals
from recovery.gateways.port import Notice
from recovery.money import Money
from recovery.storage.codec import policy_json

FAILED_AT = datetime(2026, 9, 14, 9, tzinfo=UTC)
"""A Monday, when the invoice failed and its case was opened."""

TRIED_AT = FAILED_AT + timedelta(days=4)
"""Friday morning: our try, which succeeds."""

EXHAUSTED_AT = FAILED_AT + timedelta(days=2)
CARD = Card(
    payment_method="pm_1",
    brand="mastercard",
    funding="credit",
    country="DE",
    last4="0001",
    exp_month=12,
    exp_year=2029,
    fingerprint="fp_1",
)
GIVEN_UP_AT = TRIED_AT + timedelta(days=45)
EUR = Money(minor=4900, currency="eur")
CASE = "case_in_1"
KEY = "case_in_1-1"
EMAIL = "case_in_1-mail-1"


class Story:
    """One invoice that failed, of which the customer was told, and that our one try paid. Tests change what they like."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
        self.books = Books()
        self.notices: dict[str, Notice] = {}
        self.accepted: dict[str, datetime] = {}
        self.mails = [Mailed(message_id=f"<{EMAIL}@example.com>", at=EXHAUSTED_AT, machine_at=EXHAUSTED_AT)]
        self._customers()
        self._rows()
        self.tells("invoice.payment_failed", FAILED_AT)
        self.tells("invoice.paid", TRIED_AT)

    def _customers(self) -> None:
        books = self.books
        books.customers["cus_1"] = Customer(id="cus_1", default=CARD, own_cards=[CARD])
        books.saved_at["pm_1"] = FAILED_AT - timedelta(days=30)
        books.invoices["in_1"] = Invoice(
            id="in_1",
            customer="cus_1",
            subscription="sub_1",
            status=ObligationStatus.PAID,
            remaining=Money(minor=0, currency="eur"),
            created_at=FAILED_AT,
            paid_at=TRIED_AT,
        )
        short = Signals(error_code="card_declined", decline_code="insufficient_funds", network_advice_code="26")
        self.charges("ch_1", FAILED_AT, signals=short)
        self.charges("ch_2", TRIED_AT, key=KEY)
        books.shown["in_1"] = [
            (TRIED_AT, Wallet(default=CARD, cards=(KeptCard(card=CARD, place=Place.CUSTOMER, saved_at=FAILED_AT),)))
        ]

    def _rows(self) -> None:
        known = shipped()
        self.puts("policies", version=known.policy_version, content=policy_json(known.policy))
        self.puts(
            "cases",
            id=CASE,
            obligation="in_1",
            customer="cus_1",
            subscription="sub_1",
            state="recovered",
            policy=known.policy_version,
            segment="",
            failed_at=FAILED_AT,
            opened_at=FAILED_AT,
            ended_at=TRIED_AT,
            horizon_at=FAILED_AT + timedelta(days=21),
            left_because=None,
            letters_done=1,
        )
        self.puts("exhaustions", case_id=CASE, at=EXHAUSTED_AT)
        self.puts("journal", fact="EmailDue", reason="", state="dunning", booked_at=EXHAUSTED_AT, at=EXHAUSTED_AT)
        self.puts("emails", id=EMAIL, letter=1, template="first", status="sent", begun_at=EXHAUSTED_AT)
        self.tries(KEY, 1, TRIED_AT)
        for kind, ref, charge in (("at_risk", "in_1", None), ("recovered", "ch_2", "ch_2")):
            self.puts(
                "ledger",
                kind=kind,
                ref=ref,
                charge_id=charge,
                source="silent_retry" if charge else None,
                amount_minor=EUR.minor,
                currency="eur",
            )

    def puts(self, table: str, **columns: Any) -> None:
        """One more row, of the one case where nothing else is said."""
        numbered = {"id": len(self.rows[table]) + 1, "case_id": CASE, "grounds": None}
        self.rows[table].append(numbered | columns)

    def tries(self, key: str, number: int, at: datetime, status: str = "succeeded") -> None:
        """An attempt of ours, committed and sent."""
        face = {"brand": CARD.brand, "fingerprint": CARD.fingerprint}
        told = {"number": number, "purpose": "silent", "status": status, "card": face, "started_at": at}
        told |= {"amount_minor": EUR.minor, "currency": EUR.currency}
        self.puts("attempts", id=key, **told)
        reason = f"attempt {number}: now"
        self.puts("journal", fact="ChargeDue", reason=reason, state="silent", booked_at=at, at=at)
        self.books.calls.append(Called(key=key, obligation="in_1", at=at, machine_at=at, landed_at=at))

    def charges(self, name: str, at: datetime, *, key: str | None = None, signals: Signals | None = None) -> None:
        """What the gateway's ledger has: failed where it has signals."""
        self.books.charges[name] = Booked(
            id=name,
            obligation="in_1",
            key=key,
            initiator=Initiator.ENGINE if key else Initiator.GATEWAY,
            amount=EUR,
            at=at,
            machine_at=at,
            status=ChargeStatus.FAILED if signals else ChargeStatus.SUCCEEDED,
            card=CARD,
            signals=signals,
        )

    def tells(self, kind: str, at: datetime) -> None:
        """An event of the gateway that was accepted, kept and worked through."""
        name = f"evt_{len(self.notices)}"
        content = {"invoice": "in_1"}
        self.notices[name] = Notice(
            id=name, kind=kind, livemode=False, created_at=at, object_id="in_1", content=content
        )
        self.accepted[name] = at
        self.puts("events", id=name, kind=kind, state="done", failures=0, detail=None)

    def moves_the_try(self, to: datetime) -> None:
        """Our one try happened at another instant."""
        self.rows["attempts"][0]["started_at"] = to
        self.rows["journal"][1] |= {"at": to, "booked_at": to}
        self.books.shown["in_1"] = [(to, wallet) for _, wallet in self.books.shown["in_1"]]
        self.books.calls[0].at = self.books.calls[0].machine_at = self.books.calls[0].landed_at = to
        self.books.charges["ch_2"].at = self.books.charges["ch_2"].machine_at = to

    def judged(self) -> list[str]:
        """What the checkers say of it."""
        seen = Seen(
            books=self.books,
            notices=self.notices,
            accepted=self.accepted,
            mails=self.mails,
            editions=[(FAILED_AT - timedelta(days=30), shipped())],
            visits=Visited(),
            driven=True,
            late=timedelta(seconds=60),
        )
        rows = {name: [Row(row) for row in table] for name, table in self.rows.items()}
        return sim_checks.judge(View(rows, seen), sim_checks.all_ended)


def charged_again(story: Story) -> None:
    story.tries("case_in_1-2", 2, TRIED_AT)
    story.charges("ch_3", TRIED_AT, key="case_in_1-2")


def key_executed_twice(story: Story) -> None:
    story.charges("ch_3", TRIED_AT, key=KEY)


def call_without_intent(story: Story) -> None:
    story.books.calls.append(Called(key="nobody", obligation="in_1", at=TRIED_AT, machine_at=TRIED_AT))


def call_before_the_older_landed(story: Story) -> None:
    story.tries("case_in_1-2", 2, TRIED_AT, status="not_sent")
    story.books.calls[0].landed_at = TRIED_AT + timedelta(seconds=1)


def call_after_the_lease(story: Story) -> None:
    story.books.calls[0].machine_at += timedelta(minutes=5)


def call_on_a_paid_invoice(story: Story) -> None:
    story.books.invoices["in_1"].paid_at = TRIED_AT - timedelta(hours=1)


def no_wake_up(story: Story) -> None:
    story.rows["cases"][0] |= {"state": "silent", "ended_at": None}


def wake_up_set_aside(story: Story) -> None:
    no_wake_up(story)
    aside = {"kind": "charge_card", "state": "planned", "failures": 0, "set_aside_at": TRIED_AT, "error": "boom"}
    story.puts("steps", **aside)


def attempt_left_open(story: Story) -> None:
    story.rows["attempts"][0]["status"] = "unknown"


def failure_without_a_case(story: Story) -> None:
    for name in ("cases", "attempts", "journal", "emails", "exhaustions", "ledger"):
        story.rows[name].clear()
    invoice = story.books.invoices["in_1"]
    invoice.status, invoice.remaining, invoice.paid_at = ObligationStatus.OPEN, EUR, None
    story.books.calls.clear()
    story.mails.clear()
    del story.books.charges["ch_2"]


def event_lost_after_its_answer(story: Story) -> None:
    story.rows["events"].pop()


def event_left_lying(story: Story) -> None:
    story.rows["events"][0]["state"] = "waiting"


def email_before_exhaustion(story: Story) -> None:
    story.rows["exhaustions"][0]["at"] = EXHAUSTED_AT + timedelta(hours=1)


def email_twice(story: Story) -> None:
    story.mails *= 2


def next_letter_never_planned(story: Story) -> None:
    ended_at = EXHAUSTED_AT + timedelta(days=60)
    story.rows["cases"][0] |= {"state": "lost", "ended_at": ended_at, "mail_stopped": False}
    story.rows["journal"][0]["reason"] = (
        "the customer is written to (letter 1 of 4 of campaign standard, payment_due, try 1)"
    )
    story.puts("journal", fact="CloseDue", reason="time is over", state="lost", at=ended_at)


def email_that_nobody_knows(story: Story) -> None:
    story.rows["emails"].clear()


def email_that_never_left(story: Story) -> None:
    story.mails.clear()


def given_up_unasked(story: Story) -> None:
    ended_at = EXHAUSTED_AT + timedelta(days=60)
    story.rows["cases"][0] |= {"state": "lost", "ended_at": ended_at, "mail_stopped": False}
    story.rows["emails"].clear()
    story.mails.clear()


def money_not_booked(story: Story) -> None:
    story.rows["ledger"].pop()


def money_off_by_a_cent(story: Story) -> None:
    story.rows["ledger"][1]["amount_minor"] += 1


def credited_for_others_money(story: Story) -> None:
    story.books.charges["ch_2"].key, story.books.charges["ch_2"].initiator = None, Initiator.GATEWAY
    story.rows["attempts"].clear()
    story.books.calls.clear()


def tried_at_night(story: Story) -> None:
    story.moves_the_try(TRIED_AT.replace(hour=1))


def tried_on_a_sunday(story: Story) -> None:
    story.moves_the_try(TRIED_AT + timedelta(days=2))


def tried_before_the_network_allows(story: Story) -> None:
    story.moves_the_try(FAILED_AT + timedelta(days=1))


def tried_beyond_the_budget(story: Story) -> None:
    for number in range(40):
        signals = Signals(decline_code="do_not_honor")
        story.charges(f"ch_more_{number}", FAILED_AT + timedelta(hours=1), signals=signals)


def tried_on_dead_details(story: Story) -> None:
    story.books.charges["ch_1"].signals = Signals(decline_code="lost_card")


def tried_on_what_the_network_forbade(story: Story) -> None:
    story.books.charges["ch_1"].signals = Signals(decline_code="do_not_honor", network_advice_code="03")


def tried_on_what_the_updater_called_closed(story: Story) -> None:
    story.books.closed.append((FAILED_AT + timedelta(hours=1), CARD))


def tried_without_a_mandate(story: Story) -> None:
    for charge in story.books.charges.values():
        charge.card = replace(CARD, country="IN")


def tried_beside_a_processing_charge(story: Story) -> None:
    story.books.calls[0].behind = TRIED_AT - timedelta(hours=1)


def tried_for_another_sum(story: Story) -> None:
    story.books.owed["in_1"] = [(TRIED_AT, Money(minor=1600, currency="eur"))]


def written_at_night(story: Story) -> None:
    story.rows["emails"][0]["begun_at"] = EXHAUSTED_AT.replace(hour=22)


def written_again_too_soon(story: Story) -> None:
    at = EXHAUSTED_AT + timedelta(hours=1)
    story.puts("emails", id=f"{EMAIL}9", letter=2, template="reminder", status="ambiguous", begun_at=at)


def cared_for_as_somebody_else(story: Story) -> None:
    story.rows["cases"][0]["segment"] = "trial"


def renewed_card_never_tried(story: Story) -> None:
    """The case was given up weeks after an expiry had been renewed, and nobody ever tried it."""
    renewed = replace(CARD, exp_year=2033)
    invoice = story.books.invoices["in_1"]
    invoice.status, invoice.remaining, invoice.paid_at = ObligationStatus.OPEN, EUR, None
    story.books.calls.clear()
    story.rows["attempts"].clear()
    story.rows["ledger"].pop()
    del story.books.charges["ch_2"]
    story.books.customers["cus_1"].default = renewed
    story.books.arrived.append((TRIED_AT, "cus_1", renewed, False))
    story.rows["cases"][0] |= {"state": "lost", "ended_at": GIVEN_UP_AT, "mail_stopped": False}


FOUND: dict[Callable[[Story], None], str] = {
    charged_again: "charged_once: in_1 was charged 2 times by us",
    key_executed_twice: f"charged_once: key {KEY} was executed 2 times",
    call_without_intent: "keys: nobody was sent without an attempt",
    call_before_the_older_landed: f"no_haste: case_in_1-2 was sent before {KEY} had landed",
    call_after_the_lease: f"no_haste: {KEY} was sent 0:05:00 after its intent: its lease had ended long before",
    call_on_a_paid_invoice: f"no_haste: {KEY} began {TRIED_AT} although the invoice ended at",
    no_wake_up: f"nothing_lies: {CASE} is silent and nothing will wake it",
    wake_up_set_aside: f"nothing_lies: {CASE} is silent and nothing will wake it",
    attempt_left_open: f"nothing_lies: attempt {KEY} is still unknown",
    failure_without_a_case: "effects: in_1 failed and has no case",
    event_lost_after_its_answer: "effects: event evt_1 invoice.paid was accepted",
    event_left_lying: "effects: event evt_0 invoice.payment_failed is waiting",
    email_before_exhaustion: f"emails: {EMAIL} left before its case was exhausted",
    email_twice: f"emails: {CASE} got letter 1 2 times",
    email_that_nobody_knows: "emails: <case_in_1-mail-1@example.com> left without a row",
    email_that_never_left: f"emails: {EMAIL} is noted as sent, but never left",
    next_letter_never_planned: f"dropped: {CASE} was given up after letter 1 of 4",
    given_up_unasked: f"silence: {CASE} was given up",
    money_not_booked: "money: ch_2 of in_1 brought",
    money_off_by_a_cent: "money: ch_2: booked (4901, 'eur'), was (4900, 'eur')",
    credited_for_others_money: "sources: ch_2 was made by gateway and is credited to silent_retry",
    tried_at_night: f"timing: {KEY} (silent) began 2026-09-18 01:00:00+00:00, risk 0.5 above 0.15 in DE",
    tried_on_a_sunday: f"timing: {KEY} (silent) began 2026-09-20 09:00:00+00:00, risk 0.2 above 0.15 in DE",
    tried_before_the_network_allows: f"timing: {KEY} began 2026-09-15 09:00:00+00:00, within 48 h of",
    tried_beyond_the_budget: f"timing: {KEY} was number",
    tried_on_dead_details: f"timing: {KEY} presents details that were declined as lost_card",
    tried_on_what_the_network_forbade: f"timing: {KEY} presents a card that was do_not_honor, network advice 03 on in_1",
    tried_on_what_the_updater_called_closed: f"cards: {KEY} presents details that the updater had called closed",
    tried_without_a_mandate: f"cards: {KEY} (silent) charged a card issued in IN, which the customer had not chosen",
    tried_beside_a_processing_charge: f"no_haste: {KEY} was sent although another charge was processing since",
    tried_for_another_sum: f"no_haste: {KEY} was for 4900 eur, owed were 16.00 EUR",
    written_at_night: f"letters: {EMAIL} was begun 2026-09-16 22:00:00+00:00, which is no decent hour for cus_1",
    written_again_too_soon: f"letters: {EMAIL}9 was begun",
    renewed_card_never_tried: f"cards: mastercard credit ••0001 DE came {TRIED_AT} to cus_1 and was never charged, {CASE}",
    cared_for_as_somebody_else: f"standing: {CASE} is cared for as 'trial', it should be []",
}


def test_a_story_without_a_fault_is_believed() -> None:
    assert Story().judged() == []


@pytest.mark.parametrize("wrong", FOUND, ids=lambda wrong: wrong.__name__)
def test_what_is_wrong_is_found(wrong: Callable[[Story], None]) -> None:
    story = Story()
    wrong(story)
    found = story.judged()
    assert any(each.startswith(FOUND[wrong]) for each in found), found


def test_a_card_that_paid_since_is_not_closed() -> None:
    story = Story()
    tried_on_what_the_updater_called_closed(story)
    story.charges("ch_their_own", FAILED_AT + timedelta(hours=2))
    paid = story.books.charges["ch_their_own"]
    paid.obligation, paid.initiator = "in_2", Initiator.CUSTOMER
    story.books.invoices["in_2"] = replace(story.books.invoices["in_1"], id="in_2", customer="cus_2")
    assert not [found for found in story.judged() if "closed" in found]


@pytest.mark.parametrize(
    ("replaced_after", "again", "overlooked"),
    [(timedelta(hours=4), True, False), (timedelta(hours=4), False, True), (timedelta(days=14), True, True)],
)
def test_a_card_that_was_soon_replaced_until_the_end_did_not_stay(
    replaced_after: timedelta, *, again: bool, overlooked: bool
) -> None:
    """Seed 74099: another card took its place within hours, and it came back as the case was given up."""
    story = Story()
    renewed_card_never_tried(story)
    came_at, customer, renewed, _ = story.books.arrived[0]
    other = replace(CARD, payment_method="pm_2", fingerprint="fp_2", last4="0002")
    story.books.arrived.append((came_at + replaced_after, customer, other, True))
    if again:
        story.books.arrived.append((GIVEN_UP_AT, customer, renewed, True))
    assert any("was never charged" in found for found in story.judged()) is overlooked


@pytest.mark.parametrize(
    ("country", "other_first", "kept", "overlooked"),
    [("IN", False, True, False), ("IN", True, False, False), ("IN", True, True, True), ("DE", False, False, True)],
)
def test_that_a_stored_card_was_chosen_shows_where_another_was_before(
    country: str, *, other_first: bool, kept: bool, overlooked: bool
) -> None:
    """Seeds 101087 and 140912: where cards are left to their holders, it is nobody's choice as long as no reading tells."""
    story = Story()
    renewed_card_never_tried(story)
    came_at, customer, renewed, _ = story.books.arrived.pop()
    renewed = replace(renewed, country=country)
    story.books.customers["cus_1"].default = renewed
    story.books.arrived.append((came_at, customer, renewed, True))
    first = replace(CARD, payment_method="pm_2", fingerprint="fp_2") if other_first else renewed
    story.books.shown["in_1"] = [(came_at, Wallet(default=first)), (came_at, Wallet(default=renewed))]
    if kept:
        story.puts("journal", fact="CardRefreshed", reason="read", state="silent", at=came_at - timedelta(hours=1))
    assert any("was never charged" in found for found in story.judged()) is overlooked


@pytest.mark.parametrize("chosen", [True, False])
@pytest.mark.parametrize("code", ["incorrect_cvc", "incorrect_zip", "authentication_required"])
def test_another_entry_of_the_number_may_be_right_where_its_holder_chose_it(code: str, *, chosen: bool) -> None:
    """Seeds 130637 and 130727: what was refused was of the first entry alone."""
    story = Story()
    story.books.charges["ch_1"].signals = Signals(error_code=code, decline_code=code)
    other = replace(CARD, payment_method="pm_9")
    story.books.charges["ch_2"].card = other
    story.books.arrived.append((TRIED_AT - timedelta(minutes=5), "cus_1", other, chosen))
    wrong = [found for found in story.judged() if found.startswith(f"timing: {KEY} presents")]
    wrong += [found for found in story.judged() if "only the customer can cure" in found]
    assert bool(wrong) is not chosen


@pytest.mark.parametrize("closed", [True, False])
def test_a_corrected_address_brings_back_no_account_that_is_closed(*, closed: bool) -> None:
    """Seed 111000: the updater was asked about the card that the correction brought back."""
    story = Story()
    renewed_card_never_tried(story)
    story.books.arrived.clear()
    story.books.customers["cus_1"].default = CARD
    story.books.corrected.append((TRIED_AT, "cus_1", CARD))
    if closed:
        story.books.closed.append((TRIED_AT, CARD))
    assert any("was lost without a try" in found for found in story.judged()) is not closed


@pytest.mark.parametrize("person", [True, False])
def test_whom_people_gave_up_need_not_have_been_asked(*, person: bool) -> None:
    """Seeds 110918 and 120917: marked uncollectible before the first letter could leave, and given up by who looked at it."""
    story = Story()
    given_up_unasked(story)
    assert any("nobody was written to" in found for found in story.judged())
    if person:
        story.puts("journal", fact="PersonDecided", reason="given up", state="lost", at=FAILED_AT)
    else:
        story.books.invoices["in_1"].ended_at = story.rows["cases"][0]["ended_at"]
    assert not any("nobody was written to" in found for found in story.judged())


def test_hours_of_a_card_that_was_taken_away_since_are_decent_too() -> None:
    """Seed 110524: a letter went out by the hours of a backup card, which the customer removed without its ever being charged."""
    story = Story()
    written_at_night(story)
    abroad = replace(CARD, country="US", payment_method="pm_2", fingerprint="fp_2")
    wallet = Wallet(default=CARD, cards=(KeptCard(card=abroad, place=Place.ATTACHED),))
    story.books.shown["in_1"].append((TRIED_AT, wallet))
    assert story.judged() == []


FIRST, LATER = FAILED_AT - timedelta(days=1), TRIED_AT + timedelta(days=20)


@pytest.mark.parametrize(
    ("brand", "told", "at", "overlooked"),
    [
        ("mastercard", Signals(decline_code="do_not_honor", network_advice_code="03"), FIRST, False),
        ("mastercard", Signals(decline_code="do_not_honor", network_advice_code="03"), LATER, True),
        ("visa", Signals(decline_code="do_not_honor", network_decline_code="R1"), FIRST, False),
        ("visa", Signals(decline_code="do_not_honor", network_decline_code="57"), FIRST, True),
    ],
)
def test_only_what_forbade_a_renewed_card_in_time_excuses_that_it_was_not_tried(
    brand: str, told: Signals, at: datetime, *, overlooked: bool
) -> None:
    """The network's word binds the number from when it was said, and 57 from when it came into category 1."""
    story = Story()
    renewed_card_never_tried(story)
    story.charges("ch_other", at, signals=told)
    for charge in story.books.charges.values():
        charge.card = replace(charge.card, brand=brand)
    renewed = replace(CARD, brand=brand, exp_year=2033)
    story.books.customers["cus_1"].default = renewed
    story.books.arrived[:] = [(TRIED_AT, "cus_1", renewed, False)]
    story.books.shown.clear()
    assert any("was never charged" in found for found in story.judged()) is overlooked


def test_what_the_updater_said_of_somebody_elses_entry_binds_nobody_else() -> None:
    story = Story()
    story.books.closed.append((FAILED_AT + timedelta(hours=1), replace(CARD, payment_method="pm_theirs")))
    assert story.judged() == []
