"""The command about cards. Without it "which card was charged, and how did you know of it?" would need SQL."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from recovery.runtime.cli.explain import Refused
from recovery.runtime.cli.output import cells, console, grid, instant, said_json
from recovery.runtime.cli.session import command_stack
from recovery.storage.card_history import CardStory, card_stories
from recovery.storage.renewal_store import prevented

cards_app = typer.Typer(no_args_is_help=True, help="Look at a customer's cards.")


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(cards_app, name="card")


@cards_app.command("show")
def show(
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help="A customer id of the gateway.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show a customer's cards: what was refreshed, when, by which signal, what it changed, and each try."""
    with command_stack() as stack, stack.wiring.database.connect() as tx:
        stories = card_stories(tx, customer)
    if not stories:
        raise Refused(f"no card of {customer} was ever read; customers are read once a payment of theirs has failed")
    if json:
        said_json([_values(story) for story in stories])
        return
    for story in stories:
        card, place = story.card, story.place.value if story.place else "gone"
        table = grid(f"{card.payment_method}: {card.brief()}, {card.expiry or 'expiry unknown'} ({place})", *_HEADINGS)
        for line in story.lines:
            table.add_row(*cells(instant(line.at), line.what, line.signal, line.case_id))
        console().print(table)


@cards_app.command("ahead")
def ahead(
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what looking ahead at renewals has seen: cards that expired before their charge, and who brought later details."""
    with command_stack() as stack, stack.wiring.database.connect() as tx:
        found = prevented(tx)
    if json:
        said_json(asdict(found))
        return
    still = found.at_risk - found.by_gateway - found.by_engine - found.by_customer
    table = grid("Renewals looked at ahead (not every such card would have failed)", "renewals", ">number")
    for what, number in (
        ("looked at", found.seen),
        ("card expired before the charge, when first read", found.at_risk),
        ("... updated by the gateway by itself", found.by_gateway),
        ("... updated because we asked", found.by_engine),
        ("... replaced by the customer", found.by_customer),
        ("... not updated", still),
    ):
        table.add_row(*cells(what, number))
    console().print(table)


_HEADINGS = ("when", "what", "signal", "case")


def _values(story: CardStory) -> dict[str, Any]:
    card = story.card
    return {
        "payment_method": card.payment_method,
        "place": story.place.value if story.place else None,
        "brand": card.brand,
        "funding": card.funding,
        "country": card.country,
        "last4": card.last4,
        "expiry": card.expiry,
        "fingerprint": card.fingerprint,
        "history": [
            {"at": line.at.isoformat(), "what": line.what, "signal": line.signal, "case": line.case_id}
            for line in story.lines
        ],
    }
