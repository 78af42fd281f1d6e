"""Commands about asking the customer and telling the merchant. Without them an email would first be seen by whoever it is for."""

from datetime import UTC, datetime, timedelta
from email.utils import make_msgid
from pathlib import Path
from typing import Annotated, Any

import typer

from recovery.cases.facts import MailResumed
from recovery.dunning.checking import sample_ask
from recovery.dunning.mailer import MailError
from recovery.engine.advance import advance
from recovery.gateways.port import Contact
from recovery.reporting.silence import Silence, audit
from recovery.runtime.asking import letters_of
from recovery.runtime.cli.explain import Refused
from recovery.runtime.cli.output import cells, console, grid, instant, said, said_json
from recovery.runtime.cli.session import command_stack, settings_for_command
from recovery.runtime.clock import clock_from, machine_now
from recovery.runtime.knowledge import load_knowledge, rules_of
from recovery.runtime.web.customer_samples import write_samples
from recovery.runtime.wiring import Wiring
from recovery.storage.flag_store import LETTERS_REFUSED, MAIL_ILL, lower_flag
from recovery.storage.message_store import Message, list_messages, replay_messages
from recovery.storage.objection_store import lift_objection, objection
from recovery.storage.pace_store import EMAILS, rest
from recovery.storage.silence_queries import email_records
from recovery.storage.suppression_store import (
    release,
    release_refused,
    still_stopped,
    stopped_by_refusals,
    suppressed,
    suppression_counts,
)

email_app = typer.Typer(no_args_is_help=True, help="The emails to customers.")
audit_app = typer.Typer(no_args_is_help=True, help="Proofs from the journal.")
merchant_app = typer.Typer(no_args_is_help=True, help="The messages to the merchant's app.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

SHOWN_BROKEN_MAX = 50
"""More broken emails than this are not read one by one."""


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(email_app, name="email")
    app.add_typer(audit_app, name="audit")
    app.add_typer(merchant_app, name="merchant")


@email_app.command("preview")
def preview(
    out: Annotated[Path, typer.Option("--out", help="The folder to write into.")] = Path("email-preview"),
    as_json: AsJson = False,
) -> None:
    """Write every email and page in every language to a gallery page. Needs no database and sends nothing."""
    settings = settings_for_command()
    letters = letters_of(settings)
    files = write_samples(letters, rules_of(load_knowledge(settings.config_dir)), out)
    if as_json:
        said_json({"page": str(files[0]), "files": [str(path) for path in files]})
    else:
        said(f"{len(files) - 1} files; open {files[0]}")


@email_app.command("send-test")
def send_test(
    address: Annotated[str, typer.Argument(help="Your own address.")],
    template: Annotated[str, typer.Option(help="Which letter.")] = "payment_due",
    language: Annotated[str, typer.Option(help="In which language, as de or zh-Hans.")] = "en",
) -> None:
    """Send one email with sample values through the mail server of the settings."""
    settings = settings_for_command()
    wiring = Wiring(settings, "")
    contact = Contact(email=address, name="Kim Lee", locale=language, hosted_url=None)
    letter = letters_of(settings).write(
        sample_ask(template), contact, message_id=make_msgid("test", settings.sender_domain)
    )
    letter.replace_header("Subject", f"[test] {letter['Subject']}")
    try:
        wiring.mailer.send(letter, to=address)
    except MailError as error:
        raise Refused(f"{error}; `recovery doctor` looks at the mail settings.") from error
    said(f"handed over to {settings.smtp_host}:{settings.smtp_port}")


@email_app.command("suppressed")
def suppressed_addresses(
    who: Annotated[str | None, typer.Argument(metavar="[ADDRESS or CUSTOMER]", help="Ask for one of them.")] = None,
    lift: Annotated[
        bool,
        typer.Option("--lift", help="Take the address or the customer off the list; what still stops them is told."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """How many addresses and customers get nothing any more, and why; or whether one does. Addresses are kept as hashes only."""
    with command_stack() as stack, stack.wiring.database.begin() as tx:
        if who is None:
            counts = suppression_counts(tx)
            said_json(counts) if as_json else said(_counted(counts))
            return
        if "@" in who:
            addresses = stack.wiring.outbox.addresses
            if addresses is None:
                raise Refused("RECOVERY_ADDRESS_KEY is not set: no addresses are kept.")
            hashed = addresses.hashed(who)
            why = suppressed(tx, hashed)
            lifted = lift and release(tx, hashed)
        else:
            why = objection(tx, who)
            lifted = lift and lift_objection(tx, who)
        stopped = still_stopped(tx, who)
    thing = "address" if "@" in who else "customer"
    if as_json:
        said_json({"reason": why, "lifted": lifted, "cases_without_emails": stopped})
    elif lifted:
        said(f"the {thing} is off the list ({why}), and may be written to in cases to come")
    else:
        said(f"gets nothing: {why}" if why else f"the {thing} is not on the list")
    if lift and not as_json:
        other = (
            "the address, which may be listed" if thing == "customer" else "the customer's id, who may have objected"
        )
        said(f"the lists are two: ask for {other} by itself, too")
    if stopped and not as_json:
        said(f"these open cases stay without emails: {', '.join(stopped)}")


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{n} {why.replace('_', ' ')}" for why, n in counts.items()) or "none"


@email_app.command("resume")
def resume(as_json: AsJson = False) -> None:
    """After the mail server was mended: let the emails of cases go on that it had refused, and forget the addresses it refused."""
    with command_stack() as stack:
        door = stack.wiring.door
        with stack.wiring.database.begin() as tx:
            released = release_refused(tx)
            stopped = stopped_by_refusals(tx)
            lower_flag(tx, LETTERS_REFUSED, MAIL_ILL)
            rest(tx, EMAILS, seconds=0, moment=door.moment())
        for case_id in stopped:
            advance(door, case_id, MailResumed(resumed_at=door.clock()))
    if as_json:
        said_json({"cases": stopped, "addresses": released})
    else:
        said(f"{len(stopped)} cases get their emails again; {released} addresses that were refused may be written to")


@audit_app.command("silence")
def silence(
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day, UTC. Default: 90 days ago.")
    ] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day, UTC.")] = None,
    as_json: AsJson = False,
) -> None:
    """Prove from the journal that every email followed the exhaustion of the silent options. Exit code 1 when one did not."""
    with command_stack() as stack:
        now = clock_from(stack.wiring.settings.clock_file).now()
        begins = first.replace(tzinfo=UTC) if first else now - timedelta(days=90)
        ends = last.replace(tzinfo=UTC) + timedelta(days=1) if last else now + timedelta(seconds=1)
        with stack.wiring.database.connect() as tx:
            found = audit(email_records(tx, first=begins, until=ends))
    if as_json:
        said_json(_values(found, begins, ends))
    else:
        _say_silence(found, begins, ends)
    if not found.kept:
        raise typer.Exit(1)


def _values(found: Silence, begins: datetime, ends: datetime) -> dict[str, Any]:
    return {
        "from": begins.isoformat(),
        "until": ends.isoformat(),
        "emails": found.emails,
        "cases": found.cases,
        "by_rule": dict(found.by_rule),
        "only_the_customer_could_cure": [
            {"case": record.case_id, "rule": record.rule, "silent_tries": record.silent_tries}
            for record in found.only_customer
        ],
        "kept": found.kept,
        "broken": [{"email": record.id, "why": why} for record, why in found.broken],
    }


def _say_silence(found: Silence, begins: datetime, ends: datetime) -> None:
    said(f"{begins:%Y-%m-%d %H:%M} to {ends:%Y-%m-%d %H:%M} UTC: {found.emails} emails about {found.cases} cases")
    for rule, count in sorted(found.by_rule.items()):
        said(f"  {count} cases were exhausted by the rule {rule}")
    apart = len(found.only_customer)
    said(f"  {apart} of them only the customer could cure: there silence could not have helped")
    for record, why in found.broken[:SHOWN_BROKEN_MAX]:
        said(f"BROKEN {record.id}: {why}")
    said(
        "silence was kept: every email stands in the journal after its case's exhaustion" if found.kept else "NOT kept"
    )


@merchant_app.command("list")
def merchant_list(
    state: Annotated[str | None, typer.Option(help="waiting, delivered or given_up.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """The messages to the merchant's app, newest first."""
    with command_stack() as stack, stack.wiring.database.connect() as tx:
        messages = list_messages(tx, state=state, limit=limit)
    if as_json:
        said_json([_message(message) for message in messages])
        return
    table = grid("Messages", "Id", "Kind", "Case", "State", ">Tries", "Due", "Error")
    for each in messages:
        due = instant(each.delivered_at or each.due_at)
        table.add_row(*cells(each.id, each.kind, each.case_id, each.state, each.tries, due, each.error))
    console().print(table)


def _message(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "kind": message.kind,
        "case": message.case_id,
        "state": message.state,
        "tries": message.tries,
        "due_at": message.due_at.isoformat(),
        "delivered_at": message.delivered_at.isoformat() if message.delivered_at else None,
        "error": message.error,
    }


@merchant_app.command("replay")
def merchant_replay(
    message: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One message; all that were given up without it.")
    ] = None,
) -> None:
    """Put messages to the merchant's app back in line."""
    with command_stack() as stack, stack.wiring.database.begin() as tx:
        count = replay_messages(tx, message, machine_now=machine_now())
    if message is not None and count == 0:
        raise Refused(f"there is no message {message}.")
    said(f"{count} messages are back in line")
