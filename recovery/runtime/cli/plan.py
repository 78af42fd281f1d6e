"""``recovery plan``: the whole silent schedule of a failed payment, before it fails. Needs no database."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from recovery.cases.asking import issuer_window
from recovery.cases.project import Scenario, opened, project
from recovery.cases.segments import JOINT
from recovery.declines.signals import Card, Signals
from recovery.money import Money, exponent
from recovery.runtime.cli.output import said_json
from recovery.runtime.cli.plan_view import plan_values, say_plan
from recovery.runtime.cli.session import settings_for_command
from recovery.runtime.clock import machine_now
from recovery.runtime.knowledge import load_knowledge, rules_of


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
    known = [each.name for each in rules.policy.segments]
    if segment is not None and (strange := [name for name in segment.split(JOINT) if name and name not in known]):
        raise typer.BadParameter(f"{', '.join(strange)} is none of {', '.join(known)}", param_hint="--segment")
    upper = country.upper() if country else None
    if zone is not None and not rules.banks.is_zone_of(upper, _zone(zone)):
        raise typer.BadParameter(f"{zone} is no zone of {upper} in banks.toml", param_hint="--zone")
    card = Card(
        payment_method="pm_plan",
        brand=brand.lower(),
        funding=funding.lower() if funding else None,
        country=upper,
        fingerprint="plan",
    )
    scenario = Scenario(
        signals=_signals(_Codes(code=code, network_code=network_code, advice_code=advice_code)),
        card=card,
        amount=_money(amount, currency.lower()),
        failed_at=_instant(failed_at),
        zone=zone,
        segment=segment,
    )
    found = project(scenario, rules)
    local = issuer_window(found.case, rules, None).zone
    if json:
        said_json(plan_values(found, local))
        return
    which = f", segment {name}" if (name := opened(scenario, rules).segment) else ""
    say_plan(found, local, f"{code} on {card.brief()}, {scenario.amount}{which}: if every try failed the same way")


def _signals(codes: _Codes) -> Signals:
    gateways = codes.advice_code if codes.advice_code and "_" in codes.advice_code else None
    return Signals(
        decline_code=codes.code,
        advice_code=gateways,
        network_decline_code=codes.network_code,
        network_advice_code=None if gateways else codes.advice_code,
    )


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
    return at.astimezone(UTC)


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
