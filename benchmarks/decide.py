"""What a decision costs, as a ratio against a named baseline measured in the same run: ``python benchmarks/decide.py``.

Baseline: a json round trip (dumps and loads) of the card and signals of one case, about the least that any step of a case costs
elsewhere. Ratios travel between machines, microseconds do not.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

from recovery.cases.project import Scenario, project
from recovery.cases.rules import Rules
from recovery.declines.signals import Card, Signals
from recovery.money import Money
from recovery.runtime.knowledge import load_knowledge, rules_of

ROUNDS = 5
"""The best of so many is printed. Processor time is measured, for others are on the machine too."""

CASES = 400
COUNTRIES = ("US", "GB", "DE", "BR", "JP", "AE", "AU", "IN")
CODES = ("insufficient_funds", "do_not_honor", "issuer_not_available", "expired_card")


def scenarios() -> list[Scenario]:
    """Cases that fail through three weeks, in eight countries, for four reasons."""
    began = datetime(2026, 9, 14, tzinfo=UTC)
    return [
        Scenario(
            signals=Signals(decline_code=CODES[number // len(COUNTRIES) % len(CODES)]),
            card=Card(
                payment_method="pm",
                brand=("visa", "mastercard")[number % 2],
                funding=("credit", "debit")[number % 3 % 2],
                country=COUNTRIES[number % len(COUNTRIES)],
                fingerprint=f"f{number}",
            ),
            amount=Money(minor=4900, currency="usd"),
            failed_at=began + timedelta(minutes=77 * number),
            case_id=f"case_{number}",
        )
        for number in range(CASES)
    ]


def plays(rules: Rules, cases: list[Scenario]) -> int:
    """Play every case to its end; how many decisions that took."""
    decisions = 0
    for case in cases:
        plan = project(case, rules)
        decisions += 1 + len(plan.steps) + len(plan.tries)
    return decisions


def best(work: Callable[[], int]) -> float:
    """Seconds per unit of work, the best of a few rounds."""
    found = []
    for _ in range(ROUNDS):
        began = time.process_time()
        done = work()
        found.append((time.process_time() - began) / done)
    return min(found)


def baseline(case: Scenario) -> int:
    """The json round trip, 2,000 times."""
    document = {"card": asdict(case.card), "signals": asdict(case.signals)}
    for _ in range(2000):
        json.loads(json.dumps(document))
    return 2000


def main() -> None:
    """Measure and print."""
    rules = rules_of(load_knowledge(Path(__file__).resolve().parents[1] / "config"))
    cases = scenarios()
    began = time.process_time()
    decisions = plays(rules, cases)
    cold = (time.process_time() - began) / decisions
    warm = best(lambda: plays(rules, cases))
    json_seconds = best(lambda: baseline(cases[0]))
    print(f"baseline, a json round trip: {json_seconds * 1e6:.1f} µs")
    print(f"a decision, warm: {warm * 1e6:.0f} µs = {warm / json_seconds:.1f} × baseline")
    print(f"a decision, first run with every calendar cold: {cold * 1e6:.0f} µs = {cold / json_seconds:.1f} × baseline")
    print(f"a case of {decisions / len(cases):.1f} decisions: {warm * decisions / len(cases) * 1e3:.2f} ms")


if __name__ == "__main__":
    main()
