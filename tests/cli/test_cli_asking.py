"""The commands about emails, silence and the merchant's app."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from building import MONDAY, Life, wired
from commanding import Run

from recovery.cases import facts
from recovery.cases.customer_facts import listed
from recovery.cases.lifecycle import State, StepKind
from recovery.dunning.addresses import Addresses
from recovery.dunning.objecting import list_addresses, unsubscribe
from recovery.dunning.recess import FAILURES_MAX, note_ill
from recovery.engine.advance import advance
from recovery.gateways.port import Contact, Gateway, GatewayRefused, GatewayUnavailable
from recovery.runtime.clock import SharedClock, machine_now
from recovery.storage.flag_store import LETTERS_REFUSED, MAIL_ILL, read_flags
from recovery.storage.message_store import list_messages
from recovery.storage.objection_store import address_is_listed, objection, unlisted
from recovery.storage.pace_store import EMAILS, resting
from recovery.storage.suppression_store import suppress

pytest_plugins = ["command_fixtures"]

SECRET = "whsec_" + base64.b64encode(b"shop" * 8).decode()


@pytest.fixture
def life(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Life]:
    SharedClock(tmp_path / "clock").set(MONDAY)
    told = {"CLOCK_FILE": str(tmp_path / "clock"), "DATABASE_URL": database_url.replace("+psycopg", "")}
    told |= {"MERCHANT_URL": "http://127.0.0.1:1/", "MERCHANT_SECRETS": SECRET, "ADDRESS_KEY": "a key"}
    for name, value in told.items():
        monkeypatch.setenv(f"RECOVERY_{name}", value)
    with wired(database_url, merchant_url="http://127.0.0.1:1/", merchant_secrets=SECRET) as wiring:
        yield Life(wiring)


def test_the_gallery_shows_every_letter_and_sends_nothing(run: Run, tmp_path: Path) -> None:
    told = run("email", "preview", "--out", "gallery", "--json")
    page = (tmp_path / json.loads(told.out)["page"]).read_text(encoding="utf-8")
    assert page.count("<figure") == 24 + 4 * 13
    names = {path.name for path in (tmp_path / "gallery").iterdir()}
    assert {
        "index.html",
        "last_notice.zh_Hans.html",
        "new_card.es.txt",
        "page_lost.de.html",
        "page_day.es.html",
    } <= names
    assert "http" not in page


def test_a_test_email_goes_out_marked_as_one(run: Run, smtp_catcher: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOVERY_SMTP_PORT", str(smtp_catcher.port))
    monkeypatch.setenv("RECOVERY_SMTP_SECURITY", "none")
    monkeypatch.setenv("RECOVERY_SMTP_TRIES", "1")
    words = ("email", "send-test", "me@example.org", "--template", "reminder", "--language", "de")
    assert run(*words).code == 0
    (caught,) = smtp_catcher.messages
    assert caught.message["Subject"].startswith("[test] Erinnerung:")
    assert caught.recipients == ("me@example.org",)
    strange = run("email", "send-test", "me@example.org", "--template", "nonsense")
    assert (strange.code, "no letter nonsense" in strange.err) == (1, True)
    smtp_catcher.answer = "550 no"
    assert run(*words).code == 1


def test_suppressed_addresses_are_counted_asked_for_and_lifted(life: Life, run: Run) -> None:
    with life.wiring.database.begin() as tx:
        suppress(tx, Addresses(key="a key").hashed("kim@example.org"), "bounced", at=MONDAY)
    assert run("email", "suppressed").out == "1 bounced\n"
    assert json.loads(run("email", "suppressed", "Kim@example.org", "--json").out)["reason"] == "bounced"
    lifted = run("email", "suppressed", "kim@example.org", "--lift").out
    assert "off the list (bounced)" in lifted
    assert "ask for the customer's id" in lifted, "who may have objected besides"
    assert run("email", "suppressed").out == "none\n"


def test_a_customer_who_unsubscribed_is_counted_and_may_come_back(life: Life, run: Run) -> None:
    case_id = life.fail("in_1", customer="cus_1")
    unsubscribe(life.door, "cus_1")
    assert run("email", "suppressed").out == "1 customers who object\n"
    said = run("email", "suppressed", "cus_1").out
    assert said == f"gets nothing: unsubscribed\nthese open cases stay without emails: {case_id}\n"
    assert json.loads(run("email", "suppressed", "cus_1", "--lift", "--json").out) == {
        "reason": "unsubscribed",
        "lifted": True,
        "cases_without_emails": [case_id],
    }
    assert run("email", "suppressed", "cus_1").out.startswith("the customer is not on the list\n")
    assert "ask for the address" in run("email", "suppressed", "cus_1", "--lift").out


@pytest.mark.parametrize("key", [True, False])
def test_who_is_forgotten_is_still_not_written_to(
    life: Life, run: Run, monkeypatch: pytest.MonkeyPatch, key: bool
) -> None:
    """With a key the hash must be made first; without one the id has to stay, in that one place."""
    case_id = life.fail("in_1")
    life.pay(case_id)
    customer = life.case(case_id).customer
    unsubscribe(life.door, customer)
    monkeypatch.setenv("RECOVERY_STRIPE_SECRET_KEY", "sk_test_123")
    monkeypatch.setenv("RECOVERY_STRIPE_API_BASE", "http://127.0.0.1:1")
    monkeypatch.setenv("RECOVERY_STRIPE_CALL_SECONDS", "1")
    if not key:
        monkeypatch.delenv("RECOVERY_ADDRESS_KEY")
    told = run("forget", customer)
    with life.wiring.database.connect() as tx:
        assert objection(tx, customer) == "unsubscribed"
    assert (told.code, life.case(case_id).customer == customer) == ((1, True) if key else (0, False))
    assert ("the gateway does not answer" in told.err, "want no emails" in told.out) == (key, not key)
    with life.wiring.database.begin() as tx:
        address_is_listed(tx, customer)
    assert run("forget", customer).code == 0
    with life.wiring.database.connect() as tx:
        assert objection(tx, customer) is None


class _Ill:
    """A gateway at whose door one customer's invoice is refused for ever, and which is away from some moment on."""

    def __init__(self, refused: str, answers: int) -> None:
        self._refused = refused
        self._answers = answers
        self.asked: list[str] = []

    def read_contact(self, obligation: str) -> Contact:
        self.asked.append(obligation)
        if obligation == self._refused:
            raise GatewayRefused("400")
        if len(self.asked) > self._answers:
            raise GatewayUnavailable("no answer")
        return Contact(email=f"{obligation}@example.org", name=None, locale=None, hosted_url=None)


def test_one_invoice_that_cannot_be_read_keeps_no_younger_wish_waiting(life: Life) -> None:
    for number in range(7):
        unsubscribe(life.door, life.case(life.fail(f"in_{number}")).customer)
    gateway = _Ill("in_0", answers=2)
    assert list_addresses(life.door, cast(Gateway, gateway), Addresses(key="a key")) == 1
    assert len(gateway.asked) == 2 + 3, "a gateway that is away is asked no more"
    there = _Ill("in_0", answers=99)
    assert list_addresses(life.door, cast(Gateway, there), Addresses(key="a key")) == 5
    with life.wiring.database.connect() as tx:
        assert [each.obligation for each in unlisted(tx, customer=None, limit=9)] == ["in_0"]


def _refused_for_good(life: Life, invoice: str) -> str:
    """A case whose first letter the mail server refused for good."""
    case_id = life.fail(invoice, code="lost_card")
    life.refresh(case_id)
    step = life._claim(case_id, StepKind.SEND_EMAIL)
    due = facts.EmailDue(obligation=life.owed(case_id), step_id=step.id)
    email_id = advance(life.door, case_id, due, step=step).email_id
    assert email_id is not None
    told = facts.EmailRefused(email_id=email_id, detail="550", permanent=True)
    advance(life.door, case_id, told, step=step)
    assert life.case(case_id).mail_stopped
    return case_id


def test_what_the_mail_server_refused_goes_on_once_it_is_mended(life: Life, run: Run) -> None:
    refused = [_refused_for_good(life, f"in_{number}") for number in range(5)]
    unsubscribe(life.door, life.case(refused[0]).customer)
    life.tell(refused[1], facts.MailStopped(why="the address bounced"))
    life.tell(refused[2], listed("refused"))
    life.tell(refused[3], facts.PersonDecided(to=State.LOST, note="over", decided_at=MONDAY))
    with life.wiring.database.begin() as tx:
        for number, reason in enumerate(("refused", "bounced", "unsubscribed")):
            suppress(tx, f"hash {number}", reason, at=MONDAY)
        assert [flag.times for flag in read_flags(tx, LETTERS_REFUSED)] == [5]
    for _ in range(FAILURES_MAX):
        note_ill(life.door, "421")
    found = json.loads(run("email", "resume", "--json").out)
    assert found == {"cases": [refused[2], refused[4]], "addresses": 1}
    for case_id in found["cases"]:
        assert life.case(case_id).step(StepKind.SEND_EMAIL) is not None
        assert not life.case(case_id).mail_stopped
    for case_id in (refused[0], refused[1]):
        # Said by somebody who looked before the customer spoke.
        life.tell(case_id, facts.MailResumed(resumed_at=MONDAY))
        assert (life.case(case_id).mail_stopped, life.case(case_id).step(StepKind.SEND_EMAIL)) == (True, None)
    assert run("email", "suppressed").out == "1 bounced, 1 unsubscribed, 1 customers who object\n"
    assert run("email", "resume").out.startswith("0 cases get their emails again; 0 addresses")
    with life.wiring.database.connect() as tx:
        assert read_flags(tx, LETTERS_REFUSED) == read_flags(tx, MAIL_ILL) == []
        assert not resting(tx, EMAILS, moment=life.door.moment()), "nothing waits for the end of a rest"


def test_silence_is_proved_and_the_merchants_news_are_listed(life: Life, run: Run) -> None:
    life.fail("in_1", code="lost_card")
    proved = json.loads(run("audit", "silence", "--json").out)
    assert (proved["kept"], proved["emails"]) == (True, 0)
    assert "silence was kept" in run("audit", "silence", "--from", "2026-01-01", "--to", "2026-12-31").out
    (listed,) = json.loads(run("merchant", "list", "--json").out)
    assert (listed["kind"], listed["state"], listed["tries"]) == ("case.opened", "waiting", 0)
    assert "case.opened" in run("merchant", "list").out
    assert run("merchant", "replay", listed["id"]).out == "1 messages are back in line\n"
    assert run("merchant", "replay", "msg_none").code == 1
    with life.wiring.database.connect() as tx:
        (message,) = list_messages(tx, state="waiting", limit=5)
    assert message.due_at <= machine_now()
