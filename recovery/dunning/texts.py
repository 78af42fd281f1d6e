"""The words of emails and pages, one file a language. Without them a missing sentence would be found in a customer's inbox."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final

from annotated_types import MinLen
from babel import Locale, UnknownLocaleError
from babel.core import get_global
from jinja2 import Environment, StrictUndefined, Template
from pydantic import TypeAdapter, ValidationError

DEFAULT_LANGUAGE: Final = "en"
NOT_TEXTS: Final = frozenset({"campaigns.toml"})

NEVER_SAID: Final = {
    "en": r"\b(lost|stolen|fraud\w*)\b",
    "de": r"\b(verloren\w*|gestohlen\w*|betrug\w*|betrüg\w*)\b",
    "es": r"\b(perdid\w*|robad\w*|fraud\w*)\b",
    "zh": r"丢失|遗失|挂失|被盗|盗刷|欺诈|诈骗",
}
"""A customer is never told that a card was declined as lost, stolen or fraudulent (docs.stripe.com/declines/codes): it warns the
wrong person. Languages without a list of their own are searched for the English words."""

_FORBID: Any = {"extra": "forbid"}


_PLAIN: Final = Environment(undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True)  # noqa: S701 - plain text


class LetterError(ValueError):
    """A text or a layout is missing or does not render; the message names the file."""


@lru_cache(maxsize=2000)
def plain(text: str) -> Template:
    """A sentence or a whole text as a template; where it ends up in HTML, that escapes it. An unknown value is an error.

    Compiling one takes a hundred times as long as filling it in; there are some dozens of sentences in each language.
    """
    return _PLAIN.from_string(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterText:
    """One letter in one language; each text is a Jinja template.

    Without ``summary`` amount and card are not listed. ``paid_hint`` and ``why_this`` replace what the letters of a language share; an
    empty one is left out.
    """

    __pydantic_config__: ClassVar[Any] = _FORBID
    subject: str
    preview: str
    heading: str
    lines: Annotated[tuple[str, ...], MinLen(1)]
    button: str
    summary: bool = True
    paid_hint: str | None = None
    why_this: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonText:
    """What all letters of a language share."""

    __pydantic_config__: ClassVar[Any] = _FORBID
    greeting: str
    link_hint: str
    paid_hint: str
    closing: str
    why_this: str
    unsubscribe: str
    label_amount: str
    label_card: str
    card: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """Everything that is said in one language."""

    __pydantic_config__: ClassVar[Any] = _FORBID
    common: CommonText
    letters: Annotated[Mapping[str, LetterText], MinLen(1)]
    page: Mapping[str, str] = field(default_factory=dict)


def load_texts(folder: Path) -> tuple[dict[str, Texts], list[str]]:
    """Every language of a folder, and what is wrong with their files: unreadable, or not saying what English says."""
    texts: dict[str, Texts] = {}
    mistakes: list[str] = []
    for path in sorted(folder.glob("*.toml")):
        if path.name in NOT_TEXTS:
            continue
        try:
            texts[path.stem] = TypeAdapter(Texts).validate_python(tomllib.loads(path.read_text(encoding="utf-8-sig")))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            mistakes.append(f"{path}: not readable as TOML: {error}; correct the spelling there")
        except ValidationError as error:
            mistakes += [f"{path}: {'.'.join(map(str, d['loc']))}: {d['msg']}; correct it" for d in error.errors()]
    model = texts.get(DEFAULT_LANGUAGE)
    if model is None:
        mistakes.append(f"{folder / DEFAULT_LANGUAGE}.toml: missing or unusable; every other language falls back on it")
        return texts, mistakes
    for language, found in texts.items():
        missing = [f"letters.{name}" for name in sorted(set(model.letters) - set(found.letters))]
        missing += [f"page.{name}" for name in sorted(set(model.page) - set(found.page))]
        mistakes += [
            f"{folder / language}.toml: {name} is missing; translate it from {DEFAULT_LANGUAGE}.toml"
            for name in missing
        ]
    return texts, mistakes


def chosen(wanted: str | None, known: Mapping[str, Texts]) -> tuple[str, Locale]:
    """The language nearest to a wish, and the locale for its amounts and dates. Simplified and Traditional Chinese are two."""
    for wish in (wanted or "", DEFAULT_LANGUAGE):
        try:
            locale = Locale.parse(wish.replace("-", "_"))
        except (UnknownLocaleError, ValueError):
            continue
        likely = get_global("likely_subtags").get(str(locale)) or get_global("likely_subtags").get(locale.language, "")
        script = locale.script or _script(likely)
        for candidate in (str(locale), f"{locale.language}_{script}", locale.language):
            if candidate in known:
                return candidate, locale
    raise LetterError(f"there are no texts in {DEFAULT_LANGUAGE}")


def _script(likely: str) -> str:
    return next((part for part in likely.split("_")[1:] if len(part) == 4), "")


def unspeakable(language: str, text: str) -> str | None:
    """The first word in a text that a customer must never read, or None."""
    pattern = NEVER_SAID.get(language.split("_")[0], NEVER_SAID[DEFAULT_LANGUAGE])
    found = re.search(pattern, text, re.IGNORECASE)
    return found.group(0) if found else None
