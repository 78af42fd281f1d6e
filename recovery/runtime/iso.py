"""Which countries and currencies there are. Without it "UK" or "USD" in a file would match no card and no amount, unnoticed."""

from functools import cache

from babel.core import get_global


@cache
def _countries() -> frozenset[str]:
    """ISO 3166 codes of countries that have a currency today: what a card can be issued in."""
    tender = get_global("territory_currencies")
    return frozenset(code for code, every in tender.items() if any(ended is None for _, _, ended, _ in every))


@cache
def _currencies() -> frozenset[str]:
    """ISO 4217 codes in lower case, as amounts carry them."""
    return frozenset(each[0].lower() for every in get_global("territory_currencies").values() for each in every)


def no_country(code: str) -> str | None:
    """Why a code names no country, and what to write instead; None for one that does."""
    if code in _countries():
        return None
    others = get_global("territory_aliases").get(code.upper(), [code.upper()])
    meant = others[0] if len(others) == 1 and others[0] in _countries() else None
    return f"{code!r} is no country of ISO 3166; write {f'it as {meant}' if meant else 'two capital letters, as US'}"


def no_currency(code: str) -> str | None:
    """Why a code names no currency, and what to write instead; None for one that does."""
    if code in _currencies():
        return None
    meant = code.lower() if code.lower() in _currencies() else None
    return f"{code!r} is no currency of ISO 4217; write {f'it as {meant}' if meant else 'three small letters, as usd'}"


FUNDINGS = ("credit", "debit", "prepaid", "unknown")
"""How a card is funded, as gateways tell it."""


def no_funding(word: str) -> str | None:
    """Why a word is no kind of funding, and what to write instead; None for one that is."""
    return None if word in FUNDINGS else f"{word!r} is no kind of funding; write one of {', '.join(FUNDINGS)}"
