"""``recovery plan``: the whole silent schedule of a failed payment, before it fails. Needs no database."""

from typing import Annotated

import typer

from recovery.cases.asking import issuer_window
from recovery.cases.project import Scenario, opened, project
from recovery.runtime.cli.output import said, said_json
from recovery.runtime.cli.plan_options import amount_of, card_of, check_segment, check_zone, instant_of, signals_of
from recovery.runtime.cli.plan_view import plan_values, say_plan
from recovery.runtime.cli.session import settings_for_command
from recovery.runtime.knowledge import load_knowledge, rules_of


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
    signals = signals_of(code=code, network_code=network_code, advice_code=advice_code)
    check_segment(segment, rules.policy)
    card = card_of(brand=brand, funding=funding, country=country, networks=rules.networks)
    if zone is not None:
        check_zone(zone, card.country, rules.banks)
    scenario = Scenario(
        signals=signals,
        card=card,
        amount=amount_of(amount, currency),
        failed_at=instant_of(failed_at),
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
