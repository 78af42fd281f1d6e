"""Commands that keep the installation whole. Without them a lost webhook or a forgotten customer would need SQL."""

import json
import secrets
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

import typer

from recovery.dunning.objecting import list_addresses
from recovery.intake.backfill import LISTED_DAYS, Backfill
from recovery.runtime.account import keep_account
from recovery.runtime.cli.explain import Refused
from recovery.runtime.cli.output import said
from recovery.runtime.cli.session import command_stack
from recovery.runtime.wiring import EVENT_KINDS, Wiring
from recovery.storage.forgetting import ERASED, StillOpen, forget
from recovery.storage.objection_store import unlisted


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("backfill")(backfill)
    app.command("forget")(forget_customer)


def forget_customer(
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help="The gateway's id of the customer.")],
) -> None:
    """Erase what points to a customer whose cases have ended; amounts, charges and instants stay in the books."""
    with command_stack() as stack:
        kept = _objection_kept(stack.wiring, customer)
        try:
            with stack.wiring.database.begin() as tx:
                gone = forget(tx, customer, pseudonym=f"{ERASED}_{secrets.token_hex(8)}")
        except StillOpen as error:
            raise Refused(str(error)) from error
    if not (gone.events or gone.rows_renamed or gone.rows_deleted) and kept:
        raise Refused(f"nothing here names {customer}: see that the id is right, as it is at the gateway.")
    said(
        f"{gone.cases} cases and {gone.events} events name nobody any more, {gone.rows_deleted} rows about them are deleted"
    )
    if not kept:
        said(
            "They want no emails: until RECOVERY_ADDRESS_KEY lets us keep their address's hash, that stands beside their id."
        )


def _objection_kept(wiring: Wiring, customer: str) -> bool:
    """Put the address of one who wants no emails on the list before nobody can read it any more; False without a key for it."""
    with wiring.database.connect() as tx:
        waits = bool(unlisted(tx, customer=customer, limit=1))
    if not waits:
        return True
    addresses = wiring.outbox.addresses
    if addresses is None:
        return False
    keep_account(wiring)
    if not list_addresses(wiring.door, wiring.gateway, addresses, customer=customer):
        raise Refused(
            "This customer wants no emails, and the gateway cannot tell the address to keep that by; nothing was changed. "
            "Try it again later."
        )
    return True


def _open_one(run: Backfill, invoice: str, *, as_json: bool) -> None:
    why_not = run.open_one(invoice)
    if as_json:
        typer.echo(json.dumps({"invoice": invoice, "opened": why_not is None, "why_not": why_not}, indent=2))
    elif why_not is not None:
        raise Refused(f"{invoice} gets no case: {why_not}")
    else:
        said(f"the case of {invoice} is open; recovery case show tells what comes next")


def backfill(
    *,
    days: Annotated[
        int | None,
        typer.Option(
            min=1, max=LISTED_DAYS, help="How far back; without it since the last run, at first all that is listed."
        ),
    ] = None,
    any_age: Annotated[
        bool,
        typer.Option(
            "--any-age", help="Open cases of failures beyond the horizon too; their customers are written to at once."
        ),
    ] = False,
    invoice: Annotated[
        str | None, typer.Option(help="Open the case of this one invoice, however old its failure is; nothing else.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Read the gateway's list of events and its open invoices, and take in what never arrived. Safe at any time."""
    with command_stack(broker=True, gateway=True) as stack:
        door = stack.wiring.door
        if invoice is not None:
            _open_one(Backfill(door, stack.wiring.gateway, EVENT_KINDS), invoice, as_json=as_json)
            return
        since = None if days is None else door.clock() - timedelta(days=days)
        found = Backfill(door, stack.wiring.gateway, EVENT_KINDS, any_age=any_age).run(since=since)
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=2))
        return
    said(f"{found.events_listed} events listed, {found.events_new} had never arrived; workers take them in now")
    said(
        f"{found.invoices_open} open invoices, {found.cases_opened} cases opened; {found.cases_told} cases told that theirs has ended"
    )
    if found.invoices_left:
        said(
            f"{found.invoices_left} open invoices without a case were left alone: too old, or not read this time; "
            "--invoice in_… opens one, --any-age all of them"
        )
    if found.invoices_unreadable:
        said(f"{found.invoices_unreadable} invoices could not be read; the worker's log names them")
