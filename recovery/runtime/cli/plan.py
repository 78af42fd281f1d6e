"""``recovery plan``: the whole silent schedule of a failed payment, before it fails. Needs no database."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from recovery.cases.asking import issuer_window
from recovery.cases.project import Scenario, opened, project
from recovery.cases.segments import JOINT
from recovery.declines.networks import NetworkRules
from recovery.declines.signals import Card, Signals
from recovery.money import Money, exponent
from recovery.runtime.cli.output import said, said_json
from recovery.runtime.cli.plan_view import plan_values, say_plan
from recovery.runtime.cli.session import settings_for_command
from recovery.runtime.clock import machine_now
from recovery.runtime.iso import no_country, no_currency, no_funding
from recovery.runtime.knowledge import load_knowledge, rules_of

YEARS = (2000, 2099)
"""What calendars of bank holidays know well enough to plan by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Codes:
    code: str
    network_code: str | None
    advice_code: str | None


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(plan)


def plan(  # noqa: PLR0913 - one option each
    *,
    code: Annotated[str, typer.Option(help="The gateway's decline code, such as insufficient_funds.")],
    country: Annotated[str | None, typer.Option(help="The card's country, ISO 3166: US.")] = None,
    brand: Annotated[str, typer.Option(help="visa, mastercard, amex …")] = "visa",
    funding: Annotated[str | None, typer.Option(help="credit, debit or prepaid.")] = None,
    amount: Annotated[str, typer.Option(help="What is owed, in the currency's main unit: 49.00")] = "49.00",
    currency: Annotated[str, typer.Option(help="ISO 4217: USD.")] = "USD",
    failed_at: Annotated[str | None, typer.Option(help="ISO 8601 with offset; now without it.")] = None,
    zone: Annotated[str | None, typer.Option(help="The customer's own zone, where the country has several.")] = None,
    network_code: Annotated[str | None, typer.Option(help="The network's decline code: 51, R0 …")] = None,
    advice_code: Annotated[
        str | None, typer.Option(help="The network's advice code (02, 26), or the gateway's.")
    ] = None,
    segment: Annotated[str | None, typer.Option(help="Segment names of the policy, joined with +.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the whole silent schedule of a failed payment if every try failed the same way. Needs no database."""
    settings = settings_for_command()
    rules = rules_of(load_knowledge(settings.config_dir))
    codes = _Codes(code=code, network_code=network_code, advice_code=advice_code)
    signals, upper = _signals(codes), _checked("--country", country, str.upper, no_country)
    kind = _checked("--funding", funding, str.lower, no_funding)
    known = [each.name for each in rules.policy.segments]
    if segment is not None and (strange := [name for name in segment.split(JOINT) if name and name not in known]):
        raise typer.BadParameter(f"{', '.join(strange)} is none of {', '.join(known)}", param_hint="--segment")
    if zone is not None and upper is None:
        raise typer.BadParameter("a zone needs its country; add --country", param_hint="--zone")
    if zone is not None and not rules.banks.is_zone_of(upper, _zone(zone)):
        raise typer.BadParameter(f"{zone} is no zone of {upper} in banks.toml", param_hint="--zone")
    card = Card(
        payment_method="pm_plan",
        brand=_brand(brand, rules.networks),
        funding=kind,
        country=upper,
        fingerprint="plan",
    )
    scenario = Scenario(
        signals=signals,
        card=card,
        amount=_money(amount, _checked("--currency", currency, str.lower, no_currency) or ""),
        failed_at=_instant(failed_at),
        zone=zone,
        segment=segment,
    )
    found = project(scenario, rules)
    local = issuer_window(found.case, rules, None).zone
    unknown = rules.verdict(signals, card, scenario.failed_at).unknown
    if json:
        said_json({**plan_values(found, local), "unknown": list(unknown)})
        return
    if unknown:
        said(
            f"{', '.join(unknown)}: in no file, so that it says nothing here (a decline code counts as the generic decline)"
        )
    which = f", segment {name}" if (name := opened(scenario, rules).segment) else ""
    say_plan(
        found,
        local,
        f"{signals.decline_code} on {card.brief()}, {scenario.amount}{which}: if every try failed the same way",
    )


def _signals(codes: _Codes) -> Signals:
    """The codes as gateways write them: words in small letters, a network's in capitals and of two digits at least."""
    code = _given("--code", codes.code).lower()
    network = _given("--network-code", codes.network_code).upper().zfill(2) if codes.network_code is not None else None
    advice = _given("--advice-code", codes.advice_code) if codes.advice_code is not None else None
    if advice is not None and "_" in advice:
        return Signals(decline_code=code, advice_code=advice.lower(), network_decline_code=network)
    networks = advice.upper().zfill(2) if advice is not None else None
    return Signals(decline_code=code, network_decline_code=network, network_advice_code=networks)


def _given(option: str, value: str | None) -> str:
    """An option's value without space around it. Raises BadParameter for an empty one."""
    told = (value or "").strip()
    if not told:
        raise typer.BadParameter("it is empty; leave it out, or give a code", param_hint=option)
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


def _brand(given: str, networks: NetworkRules) -> str:
    known = list(dict.fromkeys(brand for pack in networks.packs for brand in pack.brands))
    brand = given.strip().lower()
    if brand not in known:
        raise typer.BadParameter(f"{given!r} is none of {', '.join(sorted(known))}", param_hint="--brand")
    return brand


def _instant(given: str | None) -> datetime:
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


def _zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise typer.BadParameter(f"{name!r} is no IANA time zone", param_hint="--zone") from error


def _money(amount: str, currency: str) -> Money:
    try:
        minor = Decimal(amount) * 10 ** exponent(currency)
        if not minor.is_finite() or minor != minor.to_integral_value() or minor <= 0:
            raise ValueError(f"{amount} is no amount of {currency}")
        return Money(minor=int(minor), currency=currency)
    except (InvalidOperation, ValueError) as error:
        raise typer.BadParameter(str(error) or f"{amount!r} is no amount", param_hint="--amount") from error
