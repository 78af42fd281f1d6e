"""Commands that run and mend the installation. Without them a halted charge or a set-aside event would wait for a developer."""

from typing import Annotated

import typer

from recovery.runtime.asking import letters_of
from recovery.runtime.cli.explain import Refused
from recovery.runtime.cli.output import said
from recovery.runtime.cli.serve import serve_beat, serve_web, serve_worker
from recovery.runtime.cli.session import command_stack, settings_for_command, settings_for_process
from recovery.runtime.config_check import folder_mistakes
from recovery.runtime.knowledge import ConfigInvalid, load_knowledge
from recovery.storage.aside_store import replay_steps
from recovery.storage.case_queries import find_case
from recovery.storage.event_store import replay_set_aside
from recovery.storage.flag_store import CHARGING_HALTED, lower_flag, read_flags
from recovery.storage.migrate import upgrade

config_app = typer.Typer(no_args_is_help=True, help="The policy and knowledge files.")
events_app = typer.Typer(no_args_is_help=True, help="The gateway's events that were stored.")
steps_app = typer.Typer(no_args_is_help=True, help="The orders that workers perform.")
charging_app = typer.Typer(no_args_is_help=True, help="The switch that stops all charging.")


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(config_app, name="config")
    app.add_typer(events_app, name="events")
    app.add_typer(steps_app, name="steps")
    app.add_typer(charging_app, name="charging")
    app.command("migrate")(migrate)
    app.command("web")(web)
    app.command("worker")(worker)
    app.command("beat")(beat)


@config_app.command("check")
def check() -> None:
    """Check every file of the configuration folder and tell all mistakes at once."""
    settings = settings_for_command()
    mistakes = folder_mistakes(settings.config_dir, letters_of(settings))
    if mistakes:
        raise ConfigInvalid(mistakes)
    said(f"{settings.config_dir}: all right, policy {load_knowledge(settings.config_dir).policy_version}")


def migrate() -> None:
    """Bring the database's schema to the version that this release expects."""
    with command_stack() as stack:
        said(f"the schema is at version {upgrade(stack.wiring.database_url)}")


@events_app.command("replay")
def replay(
    event: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One event; all that were set aside without it.")
    ] = None,
) -> None:
    """Put events that were set aside back in line."""
    with command_stack() as stack, stack.wiring.database.begin() as tx:
        count = replay_set_aside(tx, event)
    if event is not None and count == 0:
        raise Refused(f"no event {event} is set aside.")
    said(f"{count} events are back in line")


@steps_app.command("replay")
def replay_step(
    case: Annotated[str | None, typer.Argument(metavar="[CASE]", help="One case; all cases without it.")] = None,
) -> None:
    """Put steps that were set aside back in line."""
    with command_stack() as stack, stack.wiring.database.begin() as tx:
        count = replay_steps(tx, case and find_case(tx, case))
    if case is not None and count == 0:
        raise Refused(f"no step of {case} is set aside.")
    said(f"{count} steps are back in line")


@charging_app.command("resume")
def resume() -> None:
    """Let charging go on after it was halted, once the cause is mended."""
    with command_stack() as stack, stack.wiring.database.begin() as tx:
        halted = [flag for flag in read_flags(tx, CHARGING_HALTED) if flag.name == CHARGING_HALTED]
        lower_flag(tx, CHARGING_HALTED)
    if halted:
        said(f"charging goes on; it was halted since {halted[0].since:%Y-%m-%d %H:%M} UTC: {halted[0].detail}")
    else:
        said("charging was not halted")


def web() -> None:
    """Run the web process: webhooks, health, metrics and, where the settings allow, the pages."""
    serve_web(settings_for_process())


def worker() -> None:
    """Run a worker process: works through events and due steps."""
    serve_worker(settings_for_process())


def beat() -> None:
    """Run the beat process: rings the workers' bell every few seconds. One is enough, two do no harm."""
    serve_beat(settings_for_process())
