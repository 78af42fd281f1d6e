"""Writes the email to the customer. Without strict rendering a missing value would be found in a customer's inbox."""

from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formataddr
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.numbers import format_currency
from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError, select_autoescape

from recovery.gateways.port import Contact
from recovery.money import Money

DEFAULT_LANGUAGE = "en"
TEMPLATE = "payment_due"


class LetterError(ValueError):
    """A template is missing or does not render; the message names the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Brand:
    """Who writes: name and sender address, and where answers go."""

    name: str
    sender: str
    reply_to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What one email says: how much is due and on which card, and where it can be paid."""

    amount: Money
    last4: str | None
    hosted_url: str


class Letters:
    """Renders the emails of a folder: ``payment_due.<language>.txt.j2`` (its first line is the subject) and ``….html.j2``."""

    def __init__(self, folder: Path, brand: Brand) -> None:
        self._brand = brand
        self._folder = folder
        self._templates = Environment(
            loader=FileSystemLoader(folder),
            undefined=StrictUndefined,
            autoescape=select_autoescape(enabled_extensions=("html.j2",)),
            trim_blocks=True,
            lstrip_blocks=True,
        )

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages there are templates for."""
        return tuple(sorted(path.name.split(".")[1] for path in self._folder.glob(f"{TEMPLATE}.*.txt.j2")))

    def write(self, ask: Ask, contact: Contact, *, message_id: str) -> EmailMessage:
        """The email for one customer, in the language nearest to theirs. Raises LetterError."""
        language, locale = self._language(contact.locale)
        values = {
            "brand": self._brand.name,
            "name": contact.name,
            "amount": format_currency(ask.amount.major(), ask.amount.currency.upper(), locale=locale),
            "last4": ask.last4,
            "url": ask.hosted_url,
        }
        text = self._render(f"{TEMPLATE}.{language}.txt.j2", values)
        html = self._render(f"{TEMPLATE}.{language}.html.j2", values)
        subject, _, body = text.partition("\n")
        message = EmailMessage()
        message["Subject"] = subject.removeprefix("Subject:").strip()
        message["From"] = formataddr((self._brand.name, self._brand.sender))
        message["To"] = contact.email or ""
        if self._brand.reply_to:
            message["Reply-To"] = self._brand.reply_to
        message["Message-ID"] = message_id
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(body.lstrip("\n"))
        message.add_alternative(html, subtype="html")
        message["Content-Language"] = language  # last: setting the content drops every Content- header
        return message

    def check(self) -> list[str]:
        """Render every language with sample values; the mistakes found, each naming its file."""
        sample = Ask(amount=Money(minor=4900, currency="usd"), last4="4242", hosted_url="https://example.com/pay")
        mistakes = []
        if DEFAULT_LANGUAGE not in self.languages:
            mistakes.append(f"{self._folder}/{TEMPLATE}.{DEFAULT_LANGUAGE}.txt.j2 is missing")
        for language in self.languages:
            for name, last4 in (("Kim", "4242"), (None, None)):
                contact = Contact(email="kim@example.com", name=name, locale=language, hosted_url=None)
                ask = Ask(amount=sample.amount, last4=last4, hosted_url=sample.hosted_url)
                try:
                    self.write(ask, contact, message_id="<check@example.com>")
                except LetterError as error:
                    mistakes.append(str(error))
        return sorted(set(mistakes))

    def _language(self, wanted: str | None) -> tuple[str, Locale]:
        try:
            locale = Locale.parse((wanted or DEFAULT_LANGUAGE).replace("-", "_"))
        except (UnknownLocaleError, ValueError):
            locale = Locale.parse(DEFAULT_LANGUAGE)
        for candidate in (str(locale), locale.language):
            if candidate in self.languages:
                return candidate, locale
        return DEFAULT_LANGUAGE, Locale.parse(DEFAULT_LANGUAGE)

    def _render(self, name: str, values: Mapping[str, object]) -> str:
        try:
            return self._templates.get_template(name).render(values)
        except TemplateError as error:
            raise LetterError(f"{self._folder / name}: {type(error).__name__}: {error}") from error
