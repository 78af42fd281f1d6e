"""Commands about network rules and the policy. Without them a new edition or policy would show its effect only in production."""

import tomllib
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from recovery.cases.case import Case, Decision
from recovery.cases.facts import PolicyMoved
from recovery.cases.lifecycle import State, StepKind
from recovery.cases.project import foreseen, moved
from recovery.cases.rules import Rules
from recovery.declines.differing import differences
from recovery.declines.networks import NetworkRules, RulePack
from recovery.engine.advance import advance
from recovery.runtime.cli.explain import Refused
from recovery.runtime.cli.output import cells, console, grid, instant, said, said_json
from recovery.runtime.cli.session import command_stack
from recovery.runtime.knowledge import load_file
from recovery.storage.card_store import card_use
from recovery.storage.case_queries import find_case
from recovery.storage.case_store import load_case
from recovery.storage.planned_queries import PlannedTry, open_cases_of_policies, planned_tries

rules_app = typer.Typer(no_args_is_help=True, help="The networks' rules.")
policy_app = typer.Typer(no_args_is_help=True, help="The policy that cases are pinned on.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.add_typer(rules_app, name="rules")
    app.add_typer(policy_app, name="policy")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """One planned try that would move. None: no try any more."""

    case_id: str
    card: str
    before: datetime | None
    after: datetime | None
    reason: str

    def values(self) -> dict[str, Any]:
        return {
            "case": self.case_id,
            "card": self.card,
            "before": self.before.isoformat() if self.before else None,
            "after": self.after.isoformat() if self.after else None,
            "reason": self.reason,
        }


@rules_app.command("list")
def editions() -> None:
    """List the editions that are known, and from when on each is in force."""
    with command_stack() as stack:
        table = grid("Network rules", "edition", "brands", "in force from", "caps", "source")
        for pack in sorted(stack.wiring.rulebook.networks.packs, key=lambda p: (p.network, p.in_force_from)):
            caps = ", ".join(f"{cap.tries_max} in {cap.span}" for cap in pack.caps)
            table.add_row(*cells(pack.name(), ", ".join(pack.brands), pack.in_force_from, caps, pack.source))
        console().print(table)


@rules_app.command("diff")
def diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help="An edition (visa-2026-04) or a file.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="An edition or a file.")],
    json: AsJson = False,
) -> None:
    """Tell what differs between two editions of a network's rules, and which planned tries the new one would change."""
    with command_stack() as stack:
        book, door = stack.wiring.rulebook, stack.wiring.door
        before, after = (_pack(name, book.networks.packs) for name in (old, new))
        if before.network != after.network:
            raise Refused(f"{before.name()} and {after.name()} are rules of different networks.")
        now = door.clock()
        with door.database.connect() as tx:
            changes = [
                change
                for planned in planned_tries(tx, now=now)
                if _governed(planned.case, book.networks, now) == after.network
                if (change := _moved(planned, book.rules_for(tx, planned.case.policy), before, after, now)) is not None
            ]
    lines = differences(before, after)
    if json:
        said_json({"old": before.name(), "new": after.name(), "rules": lines, "steps": [c.values() for c in changes]})
        return
    said("\n".join(lines) or "the rules are the same")
    _say_changes(f"{len(changes)} planned tries would change", changes)


def _pack(name: str, packs: Any) -> RulePack:  # noqa: ANN401 - any sequence of packs
    found = next((pack for pack in packs if pack.name() == name), None)
    if found is not None:
        return found  # type: ignore[no-any-return]
    path = Path(name)
    if not path.is_file():
        raise Refused(f"{name} is no known edition and no file; `recovery rules list` shows the editions.")
    try:
        return load_file(path, RulePack)
    except tomllib.TOMLDecodeError as error:
        raise Refused(f"{name}: {error}") from error


def _governed(case: Case, networks: NetworkRules, now: datetime) -> str | None:
    """The network whose rules hold for the case's card; brands that no pack lists fall to the one for the others."""
    card = case.card
    return networks.in_force(card.brand, now, card.country).network if card is not None else None


def _moved(planned: PlannedTry, rules: Rules, before: RulePack, after: RulePack, now: datetime) -> _Change | None:
    """What would become of the try under each edition alone; None where it is the same."""
    old, new = (
        foreseen(planned.case, replace(rules, networks=_only(pack, rules.networks)), planned.usage, now=now)
        for pack in (before, after)
    )
    if old is None or new is None or old.at == new.at:
        return None
    assert planned.case.card is not None
    card = planned.case.card.brief()
    return _Change(case_id=planned.case.id, card=card, before=old.at, after=new.at, reason=new.reason)


def _only(pack: RulePack, networks: NetworkRules) -> NetworkRules:
    others = tuple(each for each in networks.packs if each.network != pack.network)
    return NetworkRules(packs=(*others, pack))


@policy_app.command("migrate")
def migrate(
    apply: Annotated[bool, typer.Option("--apply", help="Move the cases; without it only a preview is shown.")] = False,
    case: Annotated[
        list[str] | None, typer.Option(help="Only this one, by case, invoice or charge id; may be given several times.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Move open cases to the policy that is configured now. Shows what would change, and moves nothing, unless told to."""
    with command_stack() as stack:
        book, door = stack.wiring.rulebook, stack.wiring.door
        now = door.clock()
        with door.database.connect() as tx:
            only = {find_case(tx, each) for each in case or ()}
            pinned = [each for each in open_cases_of_policies(tx, but=book.current) if not only or each[0] in only]
            rules = book.rules_for(tx, book.current)
            changes = [_migrated(tx, case_id, rules, version=book.current, now=now) for case_id, _ in pinned]
        if apply:
            for case_id, _ in pinned:
                advance(door, case_id, PolicyMoved(version=book.current, moved_at=now))
            with door.database.connect() as tx:
                left = [case_id for case_id, _ in pinned if load_case(tx, case_id).policy != book.current]
    if json:
        said_json({"to": book.current, "applied": apply, "cases": [c.values() for c in changes]})
        return
    _say_changes(f"{len(changes)} open cases {'were moved' if apply else 'would be moved'} to {book.current}", changes)
    if apply:
        said(f"{len(pinned) - len(left)} cases moved; {len(left)} ended meanwhile")
    elif changes:
        said("Nothing was changed; add --apply to move them.")


def _silent_try(decision: Decision) -> datetime | None:
    """When the ladder goes on; None where it is over, even if paydays are still tried between emails."""
    if decision.case.state is not State.SILENT:
        return None
    return next((plan.due_at for plan in decision.plan if plan.kind is StepKind.CHARGE_CARD), None)


def _migrated(tx: Connection, case_id: str, rules: Rules, *, version: str, now: datetime) -> _Change:
    case = load_case(tx, case_id)
    usage = card_use(tx, case.card.budget_key if case.card else None, now=now)
    planned = case.step(StepKind.CHARGE_CARD)
    before = planned.due_at if planned else None
    decision = moved(case, rules, usage, version=version, now=now)
    after = _silent_try(decision) if decision.plan else before
    card = case.card.brief() if case.card else ""
    return _Change(case_id=case_id, card=card, before=before, after=after, reason=str(decision.reason))


def _say_changes(title: str, changes: list[_Change]) -> None:
    if not changes:
        said(title)
        return
    table = grid(title, "case", "card", "planned", "then", "why")
    for change in changes:
        then = instant(change.after) if change.after or not change.before else "no try any more"
        table.add_row(*cells(change.case_id, change.card, instant(change.before), then, change.reason))
    console().print(table)
