"""One case on a terminal or as JSON. Without it `case show` and `why` would tell the same story in two ways."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from rich.padding import Padding
from rich.text import Text

from recovery.cases.case import Attempt, Case
from recovery.runtime.cli.output import cells, console, grid, instant
from recovery.runtime.cli.plan_view import points
from recovery.storage.case_queries import CaseFile, CaseLine, JournalLine


def line_values(line: CaseLine) -> dict[str, Any]:
    """A case of a list, for JSON."""
    return {
        "id": line.id,
        "obligation": line.obligation,
        "customer": line.customer,
        "state": line.state.value,
        "amount_minor": line.amount.minor,
        "currency": line.amount.currency,
        "failed_at": line.failed_at.isoformat(),
        "changed_at": line.changed_at.isoformat(),
        "left_because": line.left_because,
    }


def case_values(found: CaseFile) -> dict[str, Any]:
    """Everything about a case, for JSON."""
    case = found.case
    return {
        "id": case.id,
        "gateway": case.gateway,
        **{name: getattr(case, name) for name in ("obligation", "customer", "subscription")},
        "state": case.state.value,
        "source": case.source.value if case.source else None,
        "amount_minor": case.amount.minor,
        "currency": case.amount.currency,
        "policy": case.policy,
        "arm": case.arm,
        "failed_at": case.failed_at.isoformat(),
        "horizon_at": case.horizon_at.isoformat(),
        "ended_at": _iso(case.ended_at),
        "left_because": case.left_because,
        "card": case.card.brief() if case.card else None,
        "decline": case.signals.brief() if case.signals else None,
        "verdict": case.verdict.brief() if case.verdict else None,
        "exhausted": f"{case.exhausted.rule.value}: {case.exhausted.detail}" if case.exhausted else None,
        "attempts": [_attempt_values(attempt) for attempt in case.attempts],
        "steps": [
            {"kind": step.kind, "state": step.state, "due_at": step.due_at.isoformat(), "failures": step.failures}
            for step in found.steps
        ],
        "bookings": [
            {
                "kind": line.kind,
                "amount_minor": line.amount.minor,
                "currency": line.amount.currency,
                "occurred_at": line.occurred_at.isoformat(),
                "ref": line.ref,
                "charge": line.charge_id,
                "source": line.source,
            }
            for line in found.bookings
        ],
        "emails": [
            {
                "number": email.number,
                "letter": email.letter,
                "template": email.template,
                "status": email.status,
                "begun_at": email.begun_at.isoformat(),
            }
            for email in found.emails
        ],
        "timeline": timeline_values(found.timeline),
    }


def _attempt_values(attempt: Attempt) -> dict[str, Any]:
    return {
        "id": attempt.id,
        "number": attempt.number,
        "started_at": attempt.started_at.isoformat(),
        "purpose": attempt.purpose.value,
        "status": attempt.status.value,
        "amount_minor": attempt.amount.minor,
        "currency": attempt.amount.currency,
        "card": attempt.card.brief(),
        "decline": attempt.signals.brief() if attempt.signals else None,
        "charge": attempt.charge_id,
    }


def timeline_values(lines: Sequence[JournalLine]) -> list[dict[str, Any]]:
    """A timeline, for JSON."""
    return [
        {
            "at": line.at.isoformat(),
            "fact": line.fact,
            "state": line.state.value,
            "reason": line.reason,
            "grounds": asdict(line.grounds) if line.grounds else None,
        }
        for line in lines
    ]


def say_case(found: CaseFile) -> None:
    """Print everything about a case."""
    case, out = found.case, console()
    facts = grid(case.id, "", "")
    facts.show_header = False
    for name, value in (
        ("state", f"{case.state.value}, source {case.source.value}" if case.source else case.state.value),
        ("amount", case.amount),
        ("customer", case.customer),
        ("subscription", case.subscription),
        ("card", case.card.brief() if case.card else None),
        ("last decline", case.signals.brief() if case.signals else None),
        ("what it allows", case.verdict.brief() if case.verdict else None),
        ("exhausted", f"{case.exhausted.rule.value}: {case.exhausted.detail}" if case.exhausted else None),
        ("failed", instant(case.failed_at)),
        ("ended", instant(case.ended_at)),
        ("why they leave", case.left_because),
        ("policy", case.policy),
        ("measured as", case.arm.value if case.arm else None),
    ):
        facts.add_row(*cells(name, value))
    out.print(facts)
    if case.attempts:
        tried = grid("Attempts", ">#", "when", "why", "status", ">amount", "card", "answer", "charge")
        for a in case.attempts:
            answer = a.signals.brief() if a.signals else None
            when = instant(a.started_at)
            tried.add_row(*cells(a.number, when, a.purpose, a.status, a.amount, a.card.brief(), answer, a.charge_id))
        out.print(tried)
    waiting = [step for step in found.steps if step.state in ("planned", "in_flight")]
    if waiting:
        plan = grid("What comes next", "step", "state", "due", ">failures", "last error")
        for step in waiting:
            plan.add_row(*cells(step.kind, step.state, instant(step.due_at), step.failures, step.error))
        out.print(plan)
    if found.bookings:
        booked = grid("Bookings", "kind", ">amount", "occurred", "charge", "source")
        for line in found.bookings:
            booked.add_row(*cells(line.kind, line.amount, instant(line.occurred_at), line.charge_id, line.source))
        out.print(booked)
    say_timeline(case, found.timeline)


def say_timeline(case: Case, lines: Sequence[JournalLine]) -> None:
    """Print a case's story."""
    out = console()
    out.print(Text(f"{case.id} · {case.state.value} · {case.amount}", style="bold"))
    for line in lines:
        out.print(Text.assemble(instant(line.at), "  ", (line.fact, "bold"), f" → {line.state.value}"))
        out.print(Padding(Text(points(line.reason)), (0, 0, 0, 4)))
        if line.grounds is not None:
            out.print(Padding(Text(line.grounds.brief(), style="dim"), (0, 0, 0, 4)))


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
