"""Commands about cases: look at them, ask why, decide. Without them a case in review could only be ended by its horizon."""

from typing import Annotated, Any

import typer

from recovery.cases.facts import PersonDecided
from recovery.cases.lifecycle import OPEN, State
from recovery.engine.advance import advance
from recovery.runtime.cli.case_view import case_values, line_values, say_case, say_timeline, timeline_values
from recovery.runtime.cli.explain import Refused
from recovery.runtime.cli.output import cells, console, grid, instant, said, said_json
from recovery.runtime.cli.session import command_stack
from recovery.runtime.cli.standing_view import say_standing, standing_values
from recovery.runtime.standing import standing_of
from recovery.storage.case_queries import case_file, find_case, list_cases, timeline
from recovery.storage.case_store import load_case

CaseId = Annotated[str, typer.Argument(metavar="CASE", help="A case id, an invoice id or a charge id.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Note = Annotated[str, typer.Option("--note", help="Why; kept in the case's journal. No personal data, please.")]

LIST_MAX = 1000

cases_app = typer.Typer(no_args_is_help=True, help="Look at cases and decide about them.")


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(cases_app, name="case")
    app.command("why")(why)


@cases_app.command("list")
def listed(
    state: Annotated[list[State] | None, typer.Option(help="Only these states; may be given several times.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=LIST_MAX, help="How many, last changed first.")] = 50,
    search: Annotated[str, typer.Option(help="A whole customer, subscription, invoice or charge id.")] = "",
    left: Annotated[
        bool, typer.Option("--left", help="Only customers who said on their page that they leave.")
    ] = False,
    json: AsJson = False,
) -> None:
    """List cases, last changed first."""
    with command_stack() as stack, stack.wiring.database.connect() as tx:
        lines, more = list_cases(tx, states=state or (), search=search, left=left, limit=limit)
    if json:
        said_json([line_values(line) for line in lines])
        return
    columns = ("customer", "why they leave") if left else ()
    title = f"{len(lines)} cases" + (", and more" if more else "")
    table = grid(title, "case", "state", ">amount", "failed", "changed", *columns)
    for line in lines:
        told = (line.customer, line.left_because) if left else ()
        table.add_row(
            *cells(line.id, line.state, line.amount, instant(line.failed_at), instant(line.changed_at), *told)
        )
    console().print(table)


@cases_app.command("show")
def show(case: CaseId, json: AsJson = False) -> None:
    """Show everything about one case."""
    with command_stack() as stack, stack.wiring.database.connect() as tx:
        found = case_file(tx, find_case(tx, case))
    if json:
        said_json(case_values(found))
    else:
        say_case(found)


def why(case: CaseId, json: AsJson = False) -> None:
    """Tell a case's story: what happened, what was decided, and why."""
    with command_stack() as stack, stack.wiring.database.connect() as tx:
        case_id = find_case(tx, case)
        lines, now = timeline(tx, case_id), load_case(tx, case_id)
        door = stack.wiring.door
        standing = standing_of(tx, door.rulebook, now, now=door.clock())
    if json:
        told = {"case": case_id, "state": now.state.value, "timeline": timeline_values(lines)}
        said_json(told | {"standing": standing_values(standing)})
    else:
        say_timeline(now, lines)
        say_standing(standing)


@cases_app.command("resume")
def resume(case: CaseId, note: Note) -> None:
    """End the review: the case goes on where it stood."""
    _decide(case, State.SILENT, note)


@cases_app.command("withdraw")
def withdraw(case: CaseId, note: Note) -> None:
    """Stop recovering: nothing is owed any more."""
    _decide(case, State.WITHDRAWN, note)


@cases_app.command("give-up")
def give_up(case: CaseId, note: Note) -> None:
    """Stop recovering: the money counts as lost."""
    _decide(case, State.LOST, note)


def _decide(reference: str, to: State, note: str) -> None:
    if not note.strip():
        raise typer.BadParameter("say why, in a few words", param_hint="--note")
    with command_stack() as stack:
        door = stack.wiring.door
        with door.database.connect() as tx:
            case_id = find_case(tx, reference)
            before = load_case(tx, case_id)
        if before.state not in OPEN:
            raise Refused(f"{case_id} has ended already ({before.state.value}); nothing was changed.")
        if to is State.SILENT and before.state is not State.REVIEW:
            raise Refused(
                f"{case_id} is {before.state.value}, not in review: it goes on by itself; nothing was changed."
            )
        advanced = advance(door, case_id, PersonDecided(to=to, note=note.strip(), decided_at=door.clock()))
    decision: Any = advanced.decision
    said(f"{case_id} is now {advanced.case.state.value}: {decision.reason if decision else 'as decided before'}")
