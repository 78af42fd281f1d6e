"""A try that is put off again and again, to this very instant or a few minutes on. Without a stop it would be decided anew for ever.

Planning and firing ask the same questions, so it cannot happen; where it does all the same a rule of ours contradicts itself, and a
person must look before anything is tried. A put-off or two are in order: news may come between planning and firing.
"""

from datetime import datetime, timedelta

from recovery.cases.case import Case, Decision
from recovery.cases.lifecycle import Review, State
from recovery.cases.planning import SILENT_STEPS, to_review
from recovery.cases.rules import Rules
from recovery.values import replace

PUT_OFF_MAX = 5
"""So many times in a row a due try may be put off by less than ``SOON``. News comes between planning and firing once, perhaps twice."""

SOON = timedelta(hours=1)
"""Who waits for somebody else, such as a pending charge or an older invoice, looks again after an hour."""


def bounded(before: Case, decision: Decision, *, now: datetime, rules: Rules) -> Decision:
    """The decision, or a person's turn when the try that has come due was put off too often in a row for nothing."""
    again = decision.start is None and any(p.kind in SILENT_STEPS and p.due_at < now + SOON for p in decision.plan)
    if not again:
        return decision if not before.put_off else replace(decision, case=replace(decision.case, put_off=0))
    counted = replace(decision, case=replace(decision.case, put_off=before.put_off + 1))
    if counted.case.put_off < PUT_OFF_MAX or decision.case.state is State.REVIEW:
        return counted
    why = f"put off {PUT_OFF_MAX} times in a row by less than an hour, last because: {decision.reason}"
    held = to_review(replace(decision.case, put_off=0), Review.PUT_OFF, now=now, rules=rules, why=why)
    return replace(held, entries=decision.entries)
