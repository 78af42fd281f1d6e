"""What the options of ``recovery plan`` mean. Without it a misspelt country or code would be planned as if it had not been given."""

from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from recovery.cases.policy import Policy
from recovery.cases.segments import JOINT
from recovery.declines.networks import NetworkRules
from recovery.declines.signals import Card, Signals
from recovery.money import Money, parse_money
from recovery.runtime.clock import machine_now
from recovery.runtime.iso import no_country, no_currency, no_funding
from recovery.timing.banks import Banks

YEARS = (2000, 2099)
"""What calendars of bank holidays know well enough to plan by."""


def signals_of(*, code: str, network_code: str | None, advice_code: str | None) -> Signals:
    """The codes as gateways write them: words in small letters, a network's in capitals and of two digits at least."""
    code = _given("--code", code).lower()
    network = _given("--network-code", network_code).upper().zfill(2) if network_code is not None else None
    advice = _given("--advice-code", advice_code) if advice_code is not None else None
    if advice is not None and "_" in advice:
        return Signals(decline_code=code, advice_code=advice.lower(), network_decline_code=network)
    networks = advice.upper().zfill(2) if advice is not None else None
    return Signals(decline_code=code, network_decline_code=network, network_advice_code=networks)


def _given(option: str, value: str | None) -> str:
    """An option's value without space around it. Raises BadParameter for an empty one."""
    told = (value or "").strip()
    if not told:
        raise typer.BadParameter("it is empty; give a code", param_hint=option)
    return told


def _checked(
    option: str, value: str | None, spelled: Callable[[str], str], mistake: Callable[[str], str | None]
) -> str | None:
    """An option's value in its usual spelling; None where it is not given. Raises BadParameter for what is not known."""
    if value is None:
        return None
    told = spelled(value.strip())
    if wrong := mistake(told):
        raise typer.BadParameter(wrong, param_hint=option)
    return told


def card_of(*, brand: str, funding: str | None, country: str | None, networks: NetworkRules) -> Card:
    """The card that failed. Raises BadParameter for a brand, a kind of funding or a country that there is not."""
    known = {each for pack in networks.packs for each in pack.brands}
    if brand.strip().lower() not in known:
        raise typer.BadParameter(f"{brand!r} is none of {', '.join(sorted(known))}", param_hint="--brand")
    return Card(
        payment_method="pm_plan",
        brand=brand.strip().lower(),
        funding=_checked("--funding", funding, str.lower, no_funding),
        country=_checked("--country", country, str.upper, no_country),
        fingerprint="plan",
    )


def instant_of(given: str | None) -> datetime:
    """When the payment failed; now where that is not given. Raises BadParameter."""
    if given is None:
        return machine_now()
    try:
        at = datetime.fromisoformat(given)
    except ValueError as error:
        raise typer.BadParameter(
            f"{given!r} is no instant like 2026-11-20T23:40:00-05:00", param_hint="--failed-at"
        ) from error
    if at.tzinfo is None:
        raise typer.BadParameter("the offset is missing: 2026-11-20T23:40:00-05:00", param_hint="--failed-at")
    try:
        instant = at.astimezone(UTC)
    except OverflowError:
        instant = None
    if instant is None or not YEARS[0] <= instant.year <= YEARS[1]:
        told = f"{given} cannot be planned: give an instant of the years {YEARS[0]} to {YEARS[1]}"
        raise typer.BadParameter(told, param_hint="--failed-at")
    return instant


def check_zone(zone: str, country: str | None, banks: Banks) -> None:
    """Raises BadParameter for what is no zone, or none of the card's country."""
    if country is None:
        raise typer.BadParameter("a zone needs its country; add --country", param_hint="--zone")
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise typer.BadParameter(f"{zone!r} is no IANA time zone", param_hint="--zone") from error
    if not banks.is_zone_of(country, zone):
        raise typer.BadParameter(f"{zone} is no zone of {country} in banks.toml", param_hint="--zone")


def check_segment(joined: str | None, policy: Policy) -> None:
    """Raises BadParameter for names that are no segments of the policy."""
    known = [each.name for each in policy.segments]
    if strange := [name for name in (joined or "").split(JOINT) if name and name not in known]:
        raise typer.BadParameter(f"{', '.join(strange)} is none of {', '.join(known)}", param_hint="--segment")


def amount_of(amount: str, currency: str) -> Money:
    """What is owed, from the currency's main unit. Raises BadParameter."""
    currency = _checked("--currency", currency, str.lower, no_currency) or ""
    try:
        owed = parse_money(amount, currency)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--amount") from error
    if owed.minor <= 0:
        raise typer.BadParameter(f"nothing is owed with {amount}; give an amount above 0", param_hint="--amount")
    return owed
