"""Writes the email to the customer. Without strict rendering a missing value would be found in a customer's inbox."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import formataddr
from functools import cached_property, partial
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_currency
from jinja2 import Environment, StrictUndefined, Template, TemplateError
from mjml import mjml2html

from recovery.dunning.texts import DEFAULT_LANGUAGE, LetterError, Texts, chosen, load_texts, plain
from recovery.gateways.port import Contact
from recovery.money import Money

TEMPLATE = "payment_due"
LOGO_ID = "logo@brand"
UNSUBSCRIBE_HEADER = "List-Unsubscribe"
_OF_THE_SUMMARY = ("label_amount", "label_card", "card")


@dataclass(frozen=True, slots=True, kw_only=True)
class Brand:
    """Who writes: name and sender address, where answers go, the colour of buttons, and a PNG that travels inside the email."""

    name: str
    sender: str
    reply_to: str | None = None
    colour: str = "#0b5cad"
    logo: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What one email says: how much is due since when and on which card, until when, and where it can be paid."""

    amount: Money
    last4: str | None
    url: str
    failed_at: datetime
    until: datetime
    zone: str = "UTC"
    template: str = TEMPLATE
    unsubscribe_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One letter as words: what it is made of before it becomes a message."""

    language: str
    subject: str
    text: str
    html: str


class Letters:
    """Renders the emails of a folder: the words from ``<language>.toml``, the form from ``layout.mjml`` and ``layout.txt``."""

    def __init__(self, folder: Path, brand: Brand) -> None:
        self._brand = brand
        self._folder = folder
        self._html = Environment(undefined=StrictUndefined, autoescape=True)

    @cached_property
    def _loaded(self) -> tuple[dict[str, Texts], list[str]]:
        return load_texts(self._folder)

    @cached_property
    def _layouts(self) -> tuple[Template, Template]:
        """The two forms. MJML becomes tables once; the values are filled in afterwards."""
        path = self._folder / "layout.mjml"
        try:
            made = mjml2html(path.read_text(encoding="utf-8"))
            html = self._html.from_string(made)
            path = self._folder / "layout.txt"
            return html, plain(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise LetterError(f"{path}: {error.strerror}; put it back, or take the shipped one") from error
        except (TemplateError, ValueError) as error:
            raise LetterError(f"{path}: {type(error).__name__}: {error}") from error

    @property
    def texts(self) -> Mapping[str, Texts]:
        """Everything that is said, by language."""
        return self._loaded[0]

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages there are texts for."""
        return tuple(sorted(self.texts))

    @property
    def brand(self) -> Brand:
        """Who writes."""
        return self._brand

    @property
    def mistakes(self) -> list[str]:
        """What is wrong with the files of texts."""
        return list(self._loaded[1])

    def write(self, ask: Ask, contact: Contact, *, message_id: str) -> EmailMessage:
        """The email for one customer, in the language nearest to theirs. Raises LetterError."""
        written = self.words(ask, contact, logo=f"cid:{LOGO_ID}" if self._brand.logo else None)
        message = EmailMessage()
        message["Subject"] = " ".join(written.subject.split())
        message["From"] = formataddr((self._brand.name, self._brand.sender))
        message["To"] = contact.email or ""
        if self._brand.reply_to:
            message["Reply-To"] = self._brand.reply_to
        message["Message-ID"] = message_id
        message["Auto-Submitted"] = "auto-generated"
        if ask.unsubscribe_url:
            # RFC 8058 (January 2017): mail programs post to this address without showing a page.
            message[UNSUBSCRIBE_HEADER] = f"<{ask.unsubscribe_url}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message.set_content(written.text)
        message.add_alternative(written.html, subtype="html")
        if self._brand.logo:
            page = message.get_payload()[1]  # type: ignore[index]
            assert isinstance(page, EmailMessage)
            page.add_related(self._picture(self._brand.logo), "image", "png", cid=f"<{LOGO_ID}>")
        message["Content-Language"] = written.language.replace(
            "_", "-"
        )  # last: setting the content drops every Content- header
        return message

    def _picture(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise LetterError(f"RECOVERY_BRAND_LOGO: {path}: {error.strerror}") from error

    def words(self, ask: Ask, contact: Contact, *, logo: str | None = None) -> Written:
        """What the email says, as text and as HTML. Raises LetterError."""
        language, locale = chosen(contact.locale, self.texts)
        texts = self.texts[language]
        if ask.template not in texts.letters:
            raise LetterError(f"{self._folder / language}.toml: there is no letter {ask.template}")
        known = self._known(ask, contact, locale)
        said = self._said(language, ask.template, known)
        values = said | {
            "brand": self._brand.name,
            "colour": self._brand.colour,
            "logo": logo,
            "language": language.replace("_", "-"),
            "url": ask.url,
            "unsubscribe_url": ask.unsubscribe_url,
        }
        made = []
        for name, layout in zip(("layout.mjml", "layout.txt"), self._layouts, strict=True):
            try:
                made.append(layout.render(values))
            except TemplateError as error:
                raise LetterError(f"{self._folder / name}: {type(error).__name__}: {error}") from error
        return Written(language=language, subject=str(said["subject"]), html=made[0], text=made[1])

    def _known(self, ask: Ask, contact: Contact, locale: Locale) -> dict[str, object]:
        """The values that texts may use."""
        zone = ZoneInfo(ask.zone)
        first_name = (contact.name or "").split(" ")[0] or None
        return {
            "brand": self._brand.name,
            "name": first_name,
            "amount": format_currency(ask.amount.major(), ask.amount.currency.upper(), locale=locale),
            "last4": ask.last4,
            "failed_on": format_date(ask.failed_at.astimezone(zone), "long", locale=locale),
            "until": format_date(ask.until.astimezone(zone), "long", locale=locale),
        }

    def _said(self, language: str, template: str, known: Mapping[str, object]) -> dict[str, object]:
        """Every sentence of a letter with its values filled in."""
        texts = self.texts[language]
        text = texts.letters[template]

        def filled(key: str, sentence: str) -> str:
            try:
                return plain(sentence).render(known)
            except TemplateError as error:
                raise LetterError(f"{self._folder / language}.toml: {key}: {error}, in {sentence!r}") from error

        shared = asdict(texts.common)
        common = {name: partial(filled, f"common.{name}", sentence) for name, sentence in shared.items()}
        own = {name: value for name, value in asdict(text).items() if isinstance(value, str)}
        summary = [(common["label_amount"](), known["amount"])]
        if known["last4"]:
            summary.append((common["label_card"](), common["card"]()))
        said: dict[str, object] = {name: common[name]() for name in shared if name not in _OF_THE_SUMMARY}
        said |= {name: filled(f"letters.{template}.{name}", value) for name, value in own.items()}
        said["lines"] = [filled(f"letters.{template}.lines", line) for line in text.lines]
        return said | {"summary": summary if text.summary else []}


__all__ = ["DEFAULT_LANGUAGE", "Ask", "Brand", "LetterError", "Letters", "Written"]
