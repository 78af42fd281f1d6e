"""The email to the customer: strict, in their language, safe in HTML."""

from email.message import EmailMessage
from pathlib import Path

import pytest

from recovery.dunning.letter import Ask, Brand, LetterError, Letters
from recovery.gateways.port import Contact
from recovery.money import Money

CONFIG = Path(__file__).resolve().parents[2] / "config" / "emails"
BRAND = Brand(name="Example & Sons", sender="billing@example.com", reply_to="help@example.com")
URL = "https://pay.example.com/i/1?a=1&b=2"


def _letter(*, name: str | None = "Kim", locale: str | None = "en", amount: Money | None = None) -> EmailMessage:
    contact = Contact(email="kim@example.com", name=name, locale=locale, hosted_url=URL)
    ask = Ask(amount=amount or Money(minor=4900, currency="usd"), last4="4242", hosted_url=URL)
    return Letters(CONFIG, BRAND).write(ask, contact, message_id="<m@example.com>")


def _text(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert isinstance(part, EmailMessage)
    return str(part.get_content())


def test_it_has_both_parts_one_link_and_the_headers_that_machines_need() -> None:
    message = _letter()
    assert message["Message-ID"] == "<m@example.com>"
    assert message["Reply-To"] == "help@example.com"
    assert message["Auto-Submitted"] == "auto-generated"
    assert "$49.00" in message["Subject"]
    assert URL in _text(message, "plain")
    assert "a=1&amp;b=2" in _text(message, "html")


def test_names_are_escaped_in_html_and_plain_in_text() -> None:
    message = _letter(name="<b>Kim</b>")
    assert "<b>Kim</b>" not in _text(message, "html")
    assert "<b>Kim</b>" in _text(message, "plain")


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (Money(minor=4900, currency="jpy"), "¥4,900"),
        (Money(minor=4900, currency="kwd"), "4.900"),
        (Money(minor=4905, currency="eur"), "€49.05"),
    ],
)
def test_amounts_have_the_decimals_of_their_currency(amount: Money, shown: str) -> None:
    assert shown in _letter(amount=amount)["Subject"]


@pytest.mark.parametrize("locale", [None, "xx-nonsense", "en-GB", "zz", ""])
def test_an_unknown_language_falls_back(locale: str | None) -> None:
    assert _letter(locale=locale)["Content-Language"] == "en"


@pytest.mark.parametrize("word", ["lost", "stolen", "fraud"])
def test_no_word_accuses_the_customer(word: str) -> None:
    message = _letter()
    assert word not in (_text(message, "plain") + _text(message, "html")).lower()


def test_a_header_cannot_be_injected_through_the_name_of_the_brand() -> None:
    brand = Brand(name="Evil\nBcc: all@example.com", sender="billing@example.com")
    contact = Contact(email="kim@example.com", name="Kim", locale="en", hosted_url=URL)
    ask = Ask(amount=Money(minor=1, currency="usd"), last4=None, hosted_url=URL)
    with pytest.raises(ValueError):
        Letters(CONFIG, brand).write(ask, contact, message_id="<m@example.com>")


def test_an_unknown_variable_is_found_before_a_customer_sees_it(tmp_path: Path) -> None:
    (tmp_path / "payment_due.en.txt.j2").write_text("Subject: x\n{{ amout }}")
    (tmp_path / "payment_due.en.html.j2").write_text("<p>{{ amount }}</p>")
    letters = Letters(tmp_path, BRAND)
    (mistake,) = letters.check()
    assert "payment_due.en.txt.j2" in mistake
    assert "amout" in mistake
    contact = Contact(email="kim@example.com", name="Kim", locale="en", hosted_url=URL)
    ask = Ask(amount=Money(minor=1, currency="usd"), last4=None, hosted_url=URL)
    with pytest.raises(LetterError, match="amout"):
        letters.write(ask, contact, message_id="<m@example.com>")


def test_a_folder_without_english_is_refused(tmp_path: Path) -> None:
    assert any("payment_due.en.txt.j2 is missing" in mistake for mistake in Letters(tmp_path, BRAND).check())


def test_the_shipped_templates_are_right() -> None:
    assert Letters(CONFIG, BRAND).check() == []
