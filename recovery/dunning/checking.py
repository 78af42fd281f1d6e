"""Checks every email before a customer could get it. Without it a typing mistake in Spanish would be found by a Spaniard."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from recovery.dunning.letter import Ask, LetterError, Letters, Written
from recovery.dunning.texts import DEFAULT_LANGUAGE, unspeakable
from recovery.dunning.wording import page_mistakes
from recovery.gateways.port import Contact
from recovery.money import Money

_WHEN = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
"""Any day; a sample needs one."""


def sample_ask(template: str, **others: object) -> Ask:
    """An email with sample values."""
    values: dict[str, object] = {
        "template": template,
        "amount": Money(minor=4900, currency="usd"),
        "last4": "4242",
        "url": "https://pay.example.com/r/sample",
        "unsubscribe_url": "https://pay.example.com/r/sample/unsubscribe",
        "failed_at": _WHEN,
        "until": _WHEN + timedelta(days=35),
    }
    return Ask(**values | others)  # type: ignore[arg-type]


def samples(letters: Letters) -> Iterable[tuple[str, str, Written]]:
    """Every letter in every language as people would get it: language, template, words. Raises LetterError."""
    for language in letters.languages:
        for template in letters.texts[language].letters:
            contact = Contact(email="kim@example.com", name="Kim Lee", locale=language, hosted_url=None)
            yield language, template, letters.words(sample_ask(template), contact)


def letter_mistakes(letters: Letters, *, templates: Iterable[str] = ()) -> list[str]:
    """Everything that is wrong with texts and layouts, each with its file: what is missing, does not render, or must not be said.

    ``templates`` are those that campaigns name.
    """
    mistakes = letters.mistakes + page_mistakes(letters.texts)
    for language, texts in letters.texts.items():
        for name, sentence in texts.page.items():
            if word := unspeakable(language, sentence):
                mistakes.append(f"{language}.toml: page.{name} says {word!r}, which no customer must read")
        # What only a translation lacks is told by whoever read it.
        wanted = {*texts.letters, *templates} if language == DEFAULT_LANGUAGE else texts.letters
        for template in sorted(wanted):
            mistakes += _mistakes_of(letters, language, template)
    return sorted(set(mistakes))


def _mistakes_of(letters: Letters, language: str, template: str) -> list[str]:
    """What is wrong with one letter in one language, with a name and card and without."""
    found: list[str] = []
    for name, last4 in (("Kim", "4242"), (None, None)):
        contact = Contact(email="kim@example.com", name=name, locale=language, hosted_url=None)
        try:
            written = letters.words(sample_ask(template, last4=last4), contact)
        except LetterError as error:
            found.append(str(error))
            continue
        # The HTML says more than the text: what a list of emails shows below the subject.
        if word := unspeakable(language, f"{written.subject}\n{written.text}\n{written.html}"):
            found.append(f"{language}.toml: letters.{template} says {word!r}, which no customer must read")
    return found
