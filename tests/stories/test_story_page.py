"""The customer's page: what it offers happens, what only looks changes nothing, and a link opens one case."""

import base64
import json
import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

import httpx
import pytest
from story_house import Ways
from story_support import Begin, Life

from recovery.cases.case import Purpose
from recovery.cases.lifecycle import Source, State
from recovery.cases.policy import Policy
from recovery.dunning.links import For, Links
from recovery.dunning.standard_webhooks import signed_headers
from recovery.gateways.port import Contact, Gateway, GatewayError, GatewayUnavailable, NotFound
from recovery.reporting.silence import audit
from recovery.runtime.clock import machine_now
from recovery.storage.silence_queries import email_records
from recovery.storage.suppression_store import suppressed

pytest_plugins = ["story_fixtures"]

BASE = "https://pay.example.org"
SECRET = "a secret of twenty-four or more"
MAIL_SECRET = "whsec_" + base64.b64encode(b"mail" * 8).decode()
PAGED = Ways(
    more={
        "public_url": BASE,
        "link_secrets": SECRET,
        "address_key": "a key",
        "brand_name": "Nimbus",
        "mail_event_secrets": MAIL_SECRET,
    }
)
LINKS = Links(base_url=BASE, secrets=(SECRET,))


def _letter(life: Life, number: int = -1) -> Any:
    return life.mails.messages[number].message


def _path(life: Life) -> str:
    """Where the link in the newest email leads."""
    text = _letter(life).get_body(("plain",)).get_content()
    return str(re.search(rf"{BASE}(/r/\S+)", text).group(1))  # type: ignore[union-attr]


def _get(life: Life, path: str, **headers: str) -> httpx.Response:
    with httpx.Client(trust_env=False) as client:
        return client.get(life.house.web_url + path, headers=headers)


def _post(life: Life, path: str, headers: dict[str, str] | None = None, **form: str) -> httpx.Response:
    with httpx.Client(trust_env=False) as client:
        return client.post(life.house.web_url + path, data=form, headers=headers)


def _told_of_mail(life: Life, body: bytes, *, secret: str | None = None, at: datetime | None = None) -> httpx.Response:
    """A report about our email, from whoever carries it."""
    headers = signed_headers((secret or MAIL_SECRET,), "evt_1", body, at=at or machine_now())
    with httpx.Client(trust_env=False) as client:
        return client.post(f"{life.house.web_url}/webhooks/mail", content=body, headers=headers)


def _proof(page: httpx.Response) -> str:
    return str(re.search(r'name="proof" value="([^"]+)"', page.text).group(1))  # type: ignore[union-attr]


def _facts(life: Life) -> int:
    return life.count("SELECT count(*) FROM journal") + life.count("SELECT count(*) FROM steps")


def test_a_customer_looks_changes_the_card_and_is_thanked(begin: Begin) -> None:
    life = begin(ways=PAGED)
    customer = {"email": "kim@example.org", "name": "Kim Private", "locales": ["de-DE"]}
    life.fail_on(("lost_card",), customer)
    assert "Karte" in _letter(life)["Subject"]
    path, before = _path(life), _facts(life)
    page = _get(life, path)
    assert (page.status_code, _facts(life)) == (200, before), "looking changes nothing"
    assert "Guten Tag Kim," in page.text
    assert "Ihre Zahlung ist offen" in page.text
    assert "4242" in page.text
    hidden = ("Private", "kim@", life.invoice, life.customer(), "lost", "verloren")
    assert [
        word for word in hidden if word in page.text.replace(life.sandbox.read(life.invoice)["hosted_invoice_url"], "")
    ] == []
    assert 'name="day"' not in page.text, "no other day can help a dead card"
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    going = _post(life, f"{path}/card", proof=_proof(page))
    portal = str(re.search(r'url=([^"]+)"', going.text).group(1))  # type: ignore[union-attr]
    with httpx.Client(trust_env=False) as client:
        assert client.post(portal, data={"card": "pm_card_visa"}).headers["location"] == BASE + path
    life.work()
    assert (life.case().state, life.case().source) == (State.RECOVERED, Source.CUSTOMER_AFTER_EMAIL)
    thanked = _get(life, path)
    assert "Vielen Dank" in thanked.text
    assert "<form" not in thanked.text
    life.run(days=20)
    assert len(life.mails.messages) == 1


def test_the_day_that_the_customer_chose_is_kept(begin: Begin) -> None:
    life = begin(ways=PAGED)
    life.fail(*["do_not_honor"] * 5, "approve")
    life.run(days=21)
    assert len(life.mails.messages) == 1
    path = _path(life)
    page = _get(life, path)
    before = _facts(life)
    for strange in ("2026-12-31", "2019-11-30", "0001-01-01", "9999-12-31", "soon"):
        assert _post(life, f"{path}/day", proof=_proof(page), day=strange).status_code == 400
    assert (life.case().wished_at, _facts(life)) == (None, before), "nobody fills the journal with days"
    wished = (life.now + timedelta(days=9)).date()
    told = _post(life, f"{path}/day", proof=_proof(page), day=wished.isoformat())
    assert (told.status_code, f"{wished:%B} {wished.day}" in told.text) == (200, True)
    life.run(days=12)
    case = life.case()
    assert (case.state, case.attempts[-1].purpose) == (State.RECOVERED, Purpose.CUSTOMER_DATE)
    assert case.attempts[-1].started_at.date() == wished
    assert case.source is Source.CUSTOMER_AFTER_EMAIL
    assert len(life.mails.messages) == 1, "nothing was written before the day"


def test_who_wants_to_leave_is_let_go_at_once(begin: Begin) -> None:
    life = begin(ways=PAGED)
    life.fail("lost_card")
    path = _path(life)
    page = _get(life, path)
    assert _post(life, f"{path}/leave", proof=_proof(page), because="nonsense").status_code == 400
    for headers in ({"Sec-Fetch-Site": "cross-site"}, None):
        proof = _proof(page) if headers else ""
        answer = _post(life, f"{path}/leave", headers, proof=proof, because="unused")
        assert (answer.status_code, life.case().state) == (404, State.DUNNING), "not from our own form"
    assert "sorry to see you go" in _post(life, f"{path}/leave", proof=_proof(page), because="unused").text
    case = life.case()
    assert (case.state, case.left_because) == (State.WITHDRAWN, "unused")
    life.run(days=20)
    assert (len(life.mails.messages), life.tries()) == (1, [])
    assert "<form" not in _get(life, path).text, "asked once"


def test_leaving_ends_every_open_invoice_of_the_subscription_and_no_other(begin: Begin) -> None:
    life = begin(ways=PAGED)
    person = life.sandbox.make_customer(email="kim@example.org", name="Kim")
    life.sandbox.make_card(person, ("lost_card",) * 9)
    held, kept = life.sandbox.make_subscription(person), life.sandbox.make_subscription(person)
    first, life.invoice = (life.sandbox.make_failed_invoice(person, subscription=held) for _ in range(2))
    other = life.sandbox.make_failed_invoice(person, subscription=kept)
    life.run(hours=1)
    assert {life.case(each).state for each in (first, life.invoice, other)} == {State.DUNNING}
    path = f"/r/{LINKS.token(life.case(first).id, until=life.now + timedelta(days=5))}"
    page = _get(life, path)
    told = _post(life, f"{path}/leave", proof=_proof(page), because="unused").text
    assert "has been recorded" in told
    assert "has been told" not in told, "nobody is: no app of the merchant's is named"
    assert [(life.case(each).state, life.case(each).left_because) for each in (first, life.invoice, other)] == [
        (State.WITHDRAWN, "unused"),
        (State.WITHDRAWN, "unused"),
        (State.DUNNING, None),
    ]
    _post(life, f"{path}/leave", proof=_proof(page), because="other")
    assert life.case(other).state is State.DUNNING


def _curious(shipped: Policy) -> Policy:
    return replace(shipped, dunning=replace(shipped.dunning, ask_reason_by_email=True))


def test_who_cancelled_is_asked_once_for_the_reason_and_the_page_takes_it(begin: Begin) -> None:
    life = begin(ways=replace(PAGED, policy=_curious))
    person = life.sandbox.make_customer(email="kim@example.org", name="Kim")
    life.sandbox.make_card(person, ("lost_card",) * 9)
    life.invoice = life.sandbox.make_failed_invoice(person)
    other = life.sandbox.make_failed_invoice(person, subscription=life.sandbox.make_subscription(person))
    life.run(hours=1)
    letters = len(life.mails.messages)
    for invoice in (life.invoice, other):
        held = life.sandbox.read(invoice)["parent"]["subscription_details"]["subscription"]
        life.sandbox.cancel_subscription(str(held))
    life.run(days=30)
    assert life.case().state is life.case(other).state is State.WITHDRAWN
    (question,) = life.mails.messages[letters:]
    assert question.message["Subject"] == "One question about your Nimbus subscription"
    assert "49.00" not in question.message.get_body(("plain",)).get_content(), "it asks for no money"
    path = _path(life)
    page = _get(life, path)
    assert "May we ask why?" in page.text
    assert _post(life, f"{path}/reason", proof=_proof(page), because="nonsense").status_code == 400
    assert "Thank you for telling us" in _post(life, f"{path}/reason", proof=_proof(page), because="unused").text
    asked = [each for each in (life.case(), life.case(other)) if each.reason_mail is not None]
    assert [(each.left_because, each.state) for each in asked] == [("unused", State.WITHDRAWN)]
    assert "<form" not in _get(life, path).text, "asked once"
    with life.wiring.database.connect() as tx:
        proved = audit(email_records(tx, first=life.now - timedelta(days=60), until=life.now))
    assert (proved.kept, proved.emails) == (True, letters + 1)


def test_links_are_for_one_case_one_purpose_and_a_while(begin: Begin) -> None:
    life = begin(ways=PAGED)
    life.fail("lost_card")
    path = _path(life)
    case_id, later = life.case().id, life.now + timedelta(days=5)
    wrong = [
        path[:-3] + ("aaa" if not path.endswith("aaa") else "bbb"),
        "/r/" + "x" * 3000,
        "/r/" + case_id,
        f"/r/{LINKS.token(case_id, until=later, purpose=For.UNSUBSCRIBE)}",
        f"/r/{LINKS.token(case_id, until=life.now - timedelta(seconds=1))}",
        f"/r/{LINKS.token('case_in_other', until=later)}",
        f"/r/{Links(base_url=BASE, secrets=('another secret, long enough',)).token(case_id, until=later)}",
    ]
    pages = [_get(life, each) for each in wrong]
    assert {page.status_code for page in pages} == {404}
    assert len({page.text for page in pages}) == 1, "it never says what was wrong"
    other = LINKS.token("case_in_other", until=later, purpose=For.FORM)
    assert _post(life, f"{path}/leave", proof=other, because="unused").status_code == 404
    assert life.case().state is State.DUNNING
    assert "Dieser Link" in _get(life, "/r/nonsense", **{"Accept-Language": "de-DE,de;q=0.9"}).text


def test_one_click_ends_all_emails_to_the_address(begin: Begin) -> None:
    life = begin(ways=PAGED)
    life.fail_on(("lost_card",), {"email": "kim@example.org"})
    link = _letter(life)["List-Unsubscribe"].strip("<>").removeprefix(BASE)
    before = _facts(life)
    assert "No further emails" in _get(life, link).text
    assert _facts(life) == before, "a scanner that fetches the link ends nothing"
    assert _post(life, link).status_code == 200
    life.run(days=30)
    assert len(life.mails.messages) == 1
    life.fail_on(("stolen_card",), {"email": "KIM@example.org"})
    life.run(days=5)
    assert len(life.mails.messages) == 1, "the same address of another customer"
    assert "nothing (unsubscribed)" in life.reasons()
    assert life.count("SELECT count(*) FROM suppressions WHERE address_hash LIKE '%kim%'") == 0


class _Away:
    """The real gateway, which cannot tell who anybody is while it is away."""

    def __init__(self, real: Gateway) -> None:
        self._real = real
        self.away: bool | GatewayError = False

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    def read_contact(self, obligation: str) -> Contact:
        """As the real one, when it is there."""
        if self.away:
            raise GatewayUnavailable("no answer") if self.away is True else self.away
        return self._real.read_contact(obligation)


def _begun_with(begin: Begin, **others: str) -> tuple[Life, _Away]:
    """A life without a key for addresses, unless one is given, and its gateway."""
    made: list[_Away] = []

    def wrapped(real: Gateway) -> Gateway:
        made.append(_Away(real))
        return cast(Gateway, made[0])

    kept = {name: value for name, value in PAGED.more.items() if name != "address_key"}
    life = begin(ways=Ways(more=kept | others, gateway=wrapped))
    life.fail_on(("lost_card",), {"email": "kim@example.org"})
    return life, made[0]


def _another_invoice(life: Life) -> None:
    life.invoice = life.sandbox.make_failed_invoice(life.customer())
    life.work()
    life.run(days=15)


def test_who_unsubscribed_gets_nothing_about_the_next_invoice_either(begin: Begin) -> None:
    """Without a key for addresses, and although the gateway could tell none at that moment."""
    life, gateway = _begun_with(begin)
    gateway.away = True
    assert _post(life, _letter(life)["List-Unsubscribe"].strip("<>").removeprefix(BASE)).status_code == 200
    gateway.away = False
    _another_invoice(life)
    assert len(life.mails.messages) == 1
    assert (life.case().state, life.case().mail_stopped) == (State.LOST, True)
    assert "no email, now or later: the customer has unsubscribed" in life.reasons()


def test_who_complained_gets_nothing_about_the_next_invoice_either(begin: Begin) -> None:
    life, gateway = _begun_with(begin)
    complaint = json.dumps({"type": "complained", "data": {"message_id": _letter(life)["Message-ID"]}}).encode()
    gateway.away = True
    assert _told_of_mail(life, complaint).status_code == 503, "to be sent again"
    gateway.away = False
    _another_invoice(life)
    assert (len(life.mails.messages), "the customer has complained" in life.reasons()) == (1, True)


def test_an_address_that_could_not_be_read_at_once_is_listed_later(begin: Begin) -> None:
    life, gateway = _begun_with(begin, address_key="a key")
    gateway.away = True
    assert _post(life, _letter(life)["List-Unsubscribe"].strip("<>").removeprefix(BASE)).status_code == 200
    life.wiring.backfill()
    assert life.count("SELECT count(*) FROM suppressions") == 0
    gateway.away = False
    life.wiring.backfill()
    assert life.count("SELECT count(*) FROM suppressions WHERE reason = 'unsubscribed'") == 1
    life.fail_on(("stolen_card",), {"email": "KIM@example.org"})
    life.run(days=5)
    assert len(life.mails.messages) == 1, "the same address of another customer"


def test_a_bounced_address_gets_nothing_more(begin: Begin) -> None:
    life = begin(ways=PAGED)
    life.fail("lost_card")
    sent = {"message_id": _letter(life)["Message-ID"]}
    bounced = json.dumps({"type": "bounced", "data": sent}).encode()
    other = "whsec_" + base64.b64encode(b"else" * 8).decode()
    refused = [
        _told_of_mail(life, bounced, secret=other),
        _told_of_mail(life, bounced, at=machine_now() - timedelta(minutes=6)),
        _told_of_mail(life, b"no json"),
    ]
    assert {answer.status_code for answer in refused} == {400}
    delivered = json.dumps({"type": "delivered", "data": sent}).encode()
    assert _told_of_mail(life, delivered).json() == {"received": "ignored"}
    assert not life.case().mail_stopped
    assert _told_of_mail(life, bounced).json() == {"received": "stopped"}
    strange = json.dumps({"type": "complained", "data": {"message_id": "<x@y>"}}).encode()
    assert _told_of_mail(life, strange).json() == {"received": "unknown"}
    life.run(days=30)
    assert len(life.mails.messages) == 1
    assert life.case().state is State.LOST
    assert "the address bounced" in life.reasons()
    assert life.count("SELECT count(*) FROM suppressions WHERE reason = 'bounced'") == 1


def test_the_address_that_bounced_is_listed_and_not_the_one_of_now(begin: Begin) -> None:
    life = begin(ways=PAGED)
    life.fail_on(("lost_card",), {"email": "old@example.org"})
    sent = {"message_id": _letter(life)["Message-ID"], "address": "old@example.org"}
    life.merchant(f"customers/{life.customer()}", email="new@example.org")
    life.work()
    assert _told_of_mail(life, json.dumps({"type": "bounced", "data": sent}).encode()).json() == {"received": "stopped"}
    addresses = life.wiring.outbox.addresses
    assert addresses is not None
    with life.wiring.database.connect() as tx:
        listed = [suppressed(tx, addresses.hashed(f"{name}@example.org")) for name in ("old", "new")]
    assert listed == ["bounced", None]
    life.merchant(
        f"customers/{life.customer()}", email="old@example.org"
    )  # the story's judge asks whom the letter reached
    life.work()


def test_a_bounce_of_somebody_whom_the_gateway_knows_no_more_is_taken(begin: Begin) -> None:
    life, gateway = _begun_with(begin, address_key="a key")
    gateway.away = NotFound("404")
    bounced = json.dumps({"type": "bounced", "data": {"message_id": _letter(life)["Message-ID"]}}).encode()
    assert _told_of_mail(life, bounced).json() == {"received": "stopped"}
    assert life.case().mail_stopped


@pytest.mark.parametrize("size", [5_000, 100_000])
def test_long_forms_are_not_read(begin: Begin, size: int) -> None:
    life = begin(ways=PAGED)
    assert _post(life, "/r/x/leave", because="x" * size).status_code == 413
