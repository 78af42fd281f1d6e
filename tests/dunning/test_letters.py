"""The emails to the customer: strict, in their language, safe in HTML, and never a word that accuses."""

import re
from email.message import EmailMessage
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from recovery.dunning.checking import letter_mistakes, sample_ask, samples
from recovery.dunning.letter import Brand, LetterError, Letters
from recovery.dunning.texts import chosen, unspeakable
from recovery.gateways.port import Contact
from recovery.money import Money

CONFIG = Path(__file__).resolve().parents[2] / "config" / "emails"
BRAND = Brand(name="Example & Sons", sender="billing@example.com", reply_to="help@example.com")
LETTERS = Letters(CONFIG, BRAND)
URL = "https://pay.example.com/i/1?a=1&b=2"
TEMPLATES = {"payment_due", "confirm_payment", "new_card", "reminder", "last_notice", "leaving"}


def _letter(*, name: str | None = "Kim", locale: str | None = "en", **ask: Any) -> EmailMessage:
    contact = Contact(email="kim@example.com", name=name, locale=locale, hosted_url=URL)
    return LETTERS.write(sample_ask("payment_due", url=URL, **ask), contact, message_id="<m@example.com>")


def _text(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert isinstance(part, EmailMessage)
    return str(part.get_content())


def test_it_has_both_parts_one_link_and_the_headers_that_machines_need() -> None:
    message = _letter()
    assert message["Message-ID"] == "<m@example.com>"
    assert message["Reply-To"] == "help@example.com"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["List-Unsubscribe"].startswith("<https://")
    assert "$49.00" in message["Subject"]
    assert URL in _text(message, "plain")
    assert "a=1&amp;b=2" in _text(message, "html")


def test_names_are_escaped_in_html_and_only_the_first_is_used() -> None:
    message = _letter(name="<b>Kim</b> Lee")
    assert "<b>Kim</b>" not in _text(message, "html")
    assert "Hello <b>Kim</b>," in _text(message, "plain")


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


@pytest.mark.parametrize(
    ("wanted", "language"),
    [
        *((odd, "en") for odd in (None, "xx-nonsense", "en-GB", "zz", "", "zh-TW", "fr")),
        *(("zh", "zh_Hans"), ("zh-CN", "zh_Hans"), ("zh-Hans-SG", "zh_Hans"), ("de-AT", "de"), ("es-419", "es")),
    ],
)
def test_the_nearest_language_is_chosen(wanted: str | None, language: str) -> None:
    assert chosen(wanted, LETTERS.texts)[0] == language


def test_amounts_and_dates_are_written_as_the_reader_writes_them() -> None:
    message = LETTERS.words(
        sample_ask("last_notice", amount=Money(minor=129900, currency="eur")),
        Contact(email=None, name=None, locale="de-DE", hosted_url=None),
    )
    assert message.subject == "Letzte Erinnerung: 1.299,00\xa0€ für Example & Sons sind bis 7. Dezember 2026 offen"


def test_every_letter_in_every_language_is_whole_and_loads_nothing_from_elsewhere() -> None:
    made = list(samples(LETTERS))
    assert {(language, template) for language, template, _ in made} == {
        (language, template) for language in ("de", "en", "es", "zh_Hans") for template in TEMPLATES
    }
    for language, template, words in made:
        where = f"{template} in {language}"
        assert not re.search(r"""(?:src|background)=["']?\s*http|@import|<link""", words.html), f"{where} loads a file"
        assert "{{" not in words.html + words.text + words.subject, where
        assert "prefers-color-scheme: dark" in words.html, where
        assert f'lang="{language.replace("_", "-")}"' in words.html, where
        assert len(words.html) < 60_000, f"{where} would be cut off"
        assert unspeakable(language, words.text + words.subject) is None, where


def test_a_logo_travels_inside_the_email(tmp_path: Path) -> None:
    logo = tmp_path / "logo.png"
    logo.write_bytes(b"\x89PNG\r\n\x1a\n")
    letters = Letters(CONFIG, Brand(name="Example", sender="billing@example.com", logo=logo))
    contact = Contact(email="kim@example.com", name="Kim", locale="en", hosted_url=URL)
    message = letters.write(sample_ask("payment_due"), contact, message_id="<m@example.com>")
    (picture,) = [part for part in message.walk() if part.get_content_type() == "image/png"]
    assert f"cid:{picture['Content-ID'].strip('<>')}" in _text(message, "html")


def test_a_header_cannot_be_injected_through_the_name_of_the_brand() -> None:
    letters = Letters(CONFIG, Brand(name="Evil\nBcc: all@example.com", sender="billing@example.com"))
    contact = Contact(email="kim@example.com", name="Kim", locale="en", hosted_url=URL)
    with pytest.raises(ValueError):
        letters.write(sample_ask("payment_due"), contact, message_id="<m@example.com>")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("{{ amount }} to", "{{ amout }} to", "amout"),
        ("Your payment did not go through", "Your card was reported stolen", "says 'stolen'"),
        ('\npreview = "', '\npreview = "Fraud? ', "says 'Fraud'"),
        ("[letters.reminder]", "[letters.remainder]", "there is no letter reminder"),
        ('closing = "Thank you"', "", "common.closing"),
        ("{{ amount }}", "{% if amount }", "en.toml"),
    ],
)
def test_a_mistake_in_a_text_is_found_before_a_customer_sees_it(tmp_path: Path, old: str, new: str, told: str) -> None:
    folder = tmp_path / "emails"
    copytree(CONFIG, folder)
    english = (folder / "en.toml").read_text(encoding="utf-8")
    assert old in english
    (folder / "en.toml").write_text(english.replace(old, new), encoding="utf-8")
    assert any(told in mistake for mistake in letter_mistakes(Letters(folder, BRAND), templates=TEMPLATES))


def test_what_a_translation_lacks_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "emails"
    copytree(CONFIG, folder)
    german = (folder / "de.toml").read_text(encoding="utf-8")
    (folder / "de.toml").write_text(german.partition("[letters.last_notice]")[0], encoding="utf-8")
    assert any("letters.last_notice is missing" in mistake for mistake in letter_mistakes(Letters(folder, BRAND)))


def test_a_folder_without_english_is_refused(tmp_path: Path) -> None:
    assert any("en.toml: missing" in mistake for mistake in letter_mistakes(Letters(tmp_path, BRAND)))
    with pytest.raises(LetterError):
        chosen("en", {})


def test_the_shipped_texts_are_right() -> None:
    assert letter_mistakes(LETTERS, templates=TEMPLATES) == []
