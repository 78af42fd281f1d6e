"""The customer's page in words: its sentences with their values, in the reader's language. Without it pages and emails would speak
two languages to one person.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_currency
from jinja2 import TemplateError

from recovery.dunning.texts import DEFAULT_LANGUAGE, LetterError, Texts, chosen, plain
from recovery.money import Money

REASONS = ("too_expensive", "unused", "missing_features", "switched_service", "other")
"""Why customers leave, in the order in which the page offers it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """The page's sentences for one reader."""

    language: str
    locale: Locale
    brand: str
    sentences: Mapping[str, str]

    @property
    def tag(self) -> str:
        """The language as HTML names it."""
        return self.language.replace("_", "-")

    def day(self, at: datetime, zone: str) -> str:
        """A day as the reader writes it."""
        return str(format_date(at.astimezone(ZoneInfo(zone)), "full", locale=self.locale))

    def amount(self, money: Money) -> str:
        """An amount as the reader writes it."""
        return str(format_currency(money.major(), money.currency.upper(), locale=self.locale))

    def say(self, name: str, /, **values: object) -> str:
        """One sentence. Raises LetterError for one that is missing or names a value that there is not."""
        try:
            sentence = self.sentences[name]
            return str(plain(sentence).render({"brand": self.brand, **values}))
        except (KeyError, TemplateError) as error:
            raise LetterError(f"{self.language}.toml: page.{name}: {error}") from error


def wording_for(wanted: str | None, texts: Mapping[str, Texts], *, brand: str) -> Wording:
    """The sentences in the language nearest to a wish; those that a language lacks in English."""
    language, locale = chosen(wanted, texts)
    sentences = {**texts[DEFAULT_LANGUAGE].page, **texts[language].page, "greeting": texts[language].common.greeting}
    return Wording(language=language, locale=locale, brand=brand, sentences=sentences)


def page_mistakes(texts: Mapping[str, Texts]) -> list[str]:
    """Sentences of the page that do not render."""
    found: list[str] = []
    if DEFAULT_LANGUAGE not in texts:
        return found  # that is told already, and nothing can be rendered
    for language in texts:
        wording = wording_for(language, texts, brand="Example")
        for name in wording.sentences:
            for last4 in ("4242", None):
                try:
                    wording.say(name, amount="$49.00", last4=last4, day="Friday", name="Kim")
                except LetterError as error:
                    found.append(str(error))
    return sorted(set(found))
