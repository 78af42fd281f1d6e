"""The worked examples: reading them, asking the engine, and the page that shows them."""

import tomllib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from recovery.cases.asking import issuer_window
from recovery.cases.lifecycle import State
from recovery.cases.project import Projection, Scenario, opened, project
from recovery.cases.rules import Rules
from recovery.declines.signals import Card, Signals
from recovery.money import Money
from recovery.runtime.knowledge import load_knowledge, rules_of
from recovery.timing.budgets import Use

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FILE = HERE / "examples.toml"
PAGE = ROOT / "docs" / "timing-examples.md"
AMOUNT = Money(minor=4900, currency="eur")


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One row of examples.toml."""

    section: str
    title: str
    code: str
    brand: str
    funding: str
    failed: str
    next: str
    tries: int
    then: str
    because: tuple[str, ...]
    country: str | None = None
    zone: str | None = None
    network_code: str | None = None
    advice_code: str | None = None
    gateway_advice: str | None = None
    segment: str | None = None
    earlier: int = 0
    earlier_every_hours: int = 24
    earlier_by_customer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the engine does, in the words of the file."""

    next: str
    tries: int
    then: str
    because: tuple[str, ...]


@cache
def knowledge() -> Rules:
    """The shipped policy and knowledge, without jitter."""
    found = load_knowledge(ROOT / "config")
    return rules_of(found, policy=replace(found.policy, jitter_minutes=0))


def examples() -> list[Example]:
    """All rows of the file."""
    rows = tomllib.loads(FILE.read_text(encoding="utf-8"))["examples"]
    return [Example(**{**row, "because": tuple(row["because"])}) for row in rows]


def outcome_of_example(example: Example) -> Outcome:
    """Ask the engine."""
    clock, _, zone = example.failed.rpartition(" ")
    failed_at = datetime.fromisoformat(clock).replace(tzinfo=ZoneInfo(zone))
    instant = failed_at.astimezone(ZoneInfo("UTC"))
    uses = tuple(
        Use(
            at=instant - timedelta(hours=example.earlier_every_hours * (number + 1)),
            amount=AMOUNT,
            declined=True,
            by_customer=example.earlier_by_customer,
        )
        for number in range(example.earlier)
    )
    scenario = Scenario(
        signals=Signals(
            decline_code=example.code,
            advice_code=example.gateway_advice,
            network_decline_code=example.network_code,
            network_advice_code=example.advice_code,
        ),
        card=Card(
            payment_method="pm", brand=example.brand, funding=example.funding, country=example.country, fingerprint="f"
        ),
        amount=AMOUNT,
        failed_at=instant,
        zone=example.zone,
        segment=example.segment or "",
        uses=uses,
    )
    plan = project(scenario, knowledge())
    return _told(
        plan, issuer_window(replace(opened(scenario, knowledge()), card=scenario.card), knowledge(), None).zone
    )


def _told(plan: Projection, zone: str) -> Outcome:
    first = plan.tries[0] if plan.tries else None
    at = f"{first.at.astimezone(ZoneInfo(zone)):%a %d %b %Y %H:%M} {zone}" if first else "none"
    reason = first.planned_because if first else plan.ending
    points = [
        point for point in reason.split("; ") if not point.startswith(("card read again", "the customer is asked"))
    ]
    rule = f" by the rule {plan.rule.value}" if plan.rule else ""
    then = {State.DUNNING: "the customer is asked", State.REVIEW: "a person must look"}[plan.state] + rule
    return Outcome(next=at, tries=len(plan.tries), then=then, because=tuple(points))


def page(rows: list[Example]) -> str:
    """The documentation page."""
    lines = [
        "# When the next try is made: worked examples",
        "",
        "Each row is a failed payment and what the engine does about it, under the policy and the knowledge files in `config/`, "
        "without jitter. The rows are `tests/timing/examples.toml`, and a test asks the engine for each: if a row is wrong, "
        "correct it there. Times are local to the card's issuer, or to the customer where the address names a zone.",
        "",
        "`recovery plan --code … --country … --failed-at …` shows the whole schedule of any other case.",
    ]
    section = ""
    for row in rows:
        if row.section != section:
            section = row.section
            lines += ["", f"## {section}", "", "| what fails | next silent try | why | in all |", "|---|---|---|---|"]
        tries = f"{row.tries} {'try' if row.tries == 1 else 'tries'}, then {row.then}"
        lines.append(f"| **{row.title}**<br>{_what(row)} | {row.next} | {'<br>'.join(row.because)} | {tries} |")
    return "\n".join(lines) + "\n"


def _what(row: Example) -> str:
    codes = [f"`{row.code}`"]
    codes += [f"network code {row.network_code}"] if row.network_code else []
    codes += [f"network advice {row.advice_code}"] if row.advice_code else []
    codes += [f"advice `{row.gateway_advice}`"] if row.gateway_advice else []
    card = f"{row.brand} {row.funding}, {row.country or 'country unknown'}"
    own = f", customer in {row.zone}" if row.zone else ""
    segment = f", segment {row.segment}" if row.segment else ""
    who = " by the customer" if row.earlier_by_customer else ""
    before = f", {row.earlier} earlier tries{who}, one every {row.earlier_every_hours} hours" if row.earlier else ""
    return f"{', '.join(codes)}; {card}{own}{segment}{before}; failed {row.failed}"
