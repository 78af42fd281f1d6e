"""``recovery sandbox``: a gateway to try things against, that speaks the part of Stripe's API used here."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from recovery.gateways.stripe import KINDS
from recovery.runtime.clock import clock_from
from recovery.runtime.settings import load_settings
from recovery.runtime.worlds import DEFAULT_WORLD, load_world
from recovery.simulation.sandbox.server import RunSettings, run_sandbox
from recovery.simulation.sandbox.settings import SandboxOptions


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(sandbox)


def sandbox(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any free one.")] = 12111,
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same world.")] = 1,
    customers: Annotated[int, typer.Option(min=0, help="Customers whose payment fails; 0 for an empty sandbox.")] = 0,
    days: Annotated[float, typer.Option(min=1, help="Days over which the world lives.")] = 45,
    world: Annotated[
        str, typer.Option(help="Which world: a name in the configuration's folder `worlds`, or a file.")
    ] = (DEFAULT_WORLD),
    start_at: Annotated[str | None, typer.Option(help="First instant, ISO 8601 with offset; now by default.")] = None,
    webhook: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="Where to send the events we ask for, signed with the first webhook secret."),
    ] = None,
) -> None:
    """Run the sandbox. Key and webhook secret are those of the RECOVERY_STRIPE_ settings."""
    settings = load_settings()
    clock = clock_from(settings.clock_file)
    secrets = [secret.get_secret_value() for secret in settings.stripe_webhook_secrets]
    if webhook and not secrets:
        raise typer.BadParameter("set RECOVERY_STRIPE_WEBHOOK_SECRETS to sign with", param_hint="--webhook")
    key = settings.stripe_secret_key.get_secret_value() if settings.stripe_secret_key else "sk_test_sandbox"
    run = RunSettings(
        start_at=_instant(start_at) if start_at else clock.now(),
        host=host,
        port=port,
        seed=seed,
        customers=customers,
        days=days,
        parameters=load_world(settings.config_dir, world),
        secret_key=key,
        webhook_endpoints=tuple((url, secrets[0]) for url in webhook or ()),
        options=SandboxOptions(webhook_kinds=KINDS),  # as an endpoint is set up for us at the real gateway
    )
    run_sandbox(
        run, now=clock.now, ready=lambda url: typer.echo(f"sandbox at {url}, its ledger at {url}/_sandbox/ledger")
    )


def _instant(value: str) -> datetime:
    try:
        found = datetime.fromisoformat(value)
    except ValueError as error:
        raise typer.BadParameter(f"{value!r} is not an ISO 8601 instant", param_hint="--start-at") from error
    if found.tzinfo is None:
        raise typer.BadParameter(f"{value!r} needs its offset, for example +00:00", param_hint="--start-at")
    return found.astimezone(UTC)
