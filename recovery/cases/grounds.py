"""What a decision rested on, kept beside its reason. Without it "why then?" could be answered only as long as nobody changes a file.

The reason is for reading; this is for checking: which rule, of which edition, what was left of each budget, which slots were rejected.
"""

from dataclasses import dataclass
from datetime import datetime

from recovery.cases.between import campaign_of
from recovery.cases.case import Case, Decision
from recovery.cases.holdout import Arm
from recovery.cases.leaving import TEMPLATE as LEAVING
from recovery.cases.lifecycle import SPENT, EntryKind, StepKind
from recovery.cases.rules import CardUse, Rules
from recovery.timing.budgets import Left, Use, remaining


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """The rules that decided, by name and edition. ``rule`` is the one that chose what happens next, ``signal`` what the decline said.

    ``policy`` is the version, the case's segments and whether it is in the holdout; ``network`` the edition in force when the next
    try goes out, else now.
    ``banks`` and ``paydays`` are None where no slot was looked for. ``left`` is what remains of the card's budgets when the decision
    is taken; ``rejected`` holds each slot that was not allowed, with the reason.
    """

    rule: str
    signal: str | None
    declines: str
    policy: str
    network: str
    banks: str | None = None
    paydays: str | None = None
    left: tuple[Left, ...] = ()
    rejected: tuple[str, ...] = ()

    def brief(self) -> str:
        """For a line below the reason: "rule ladders.careful · code do_not_honor (declines 2026-11) · visa-2026-10: 18 of 20 …"."""
        budgets = ", ".join(left.brief() for left in self.left)
        parts = (
            f"rule {self.rule}",
            f"{self.signal} (declines {self.declines})" if self.signal else f"declines {self.declines}",
            f"{self.network}: {budgets}" if budgets else self.network,
            f"policy {self.policy}",
            f"bank hours {self.banks}" if self.banks else None,
            f"paydays {self.paydays}" if self.paydays else None,
        )
        return " · ".join(part for part in parts if part)


def grounds_of(before: Case, decision: Decision, *, now: datetime, rules: Rules, usage: CardUse) -> Grounds:
    """The grounds of a decision that ``usage`` was read for. Rules are those of the case's policy, whatever its segment."""
    after, slot = decision.case, decision.slot
    card = after.card
    at = slot.at if slot is not None and slot.at is not None else now
    pack = rules.networks.in_force(card.brand if card else None, at, card.country if card else None)
    same_card = card is not None and card.budget_key == usage.budget_key
    uses = _counted(decision, usage) if same_card else None
    return Grounds(
        rule=_rule(before, decision, rules),
        signal=after.verdict.by if after.verdict else None,
        declines=rules.declines.edition,
        policy=", ".join([after.policy, *_variant(after)]),
        network=pack.name(),
        banks=rules.banks.edition if slot is not None else None,
        paydays=rules.paydays.edition if slot is not None else None,
        left=remaining(pack, uses=uses, amount=after.amount, at=now) if uses is not None else (),
        rejected=slot.rejected if slot is not None else (),
    )


def _variant(case: Case) -> list[str]:
    """Which reading of its policy a case follows."""
    segment = [f"segment {case.segment}"] if case.segment else []
    return [*segment, "holdout"] if case.arm is Arm.HOLDOUT else segment


def _rule(before: Case, decision: Decision, rules: Rules) -> str:
    """The rule that chose what happens next."""
    after = decision.case
    if after.exhausted is not None and before.exhausted is None:
        return f"exhausted by {after.exhausted.rule.value}"
    if decision.start is not None:
        return f"attempt, {decision.start.purpose.value.replace('_', ' ')}"
    if decision.slot is not None:
        plain = after.arm is Arm.HOLDOUT and decision.slot.question.rule.startswith("ladders.")
        return "holdout.gaps_days" if plain else decision.slot.question.rule
    if after.state is not before.state:
        return f"lifecycle, {before.state.value} to {after.state.value}"
    planned = {plan.kind for plan in decision.plan}
    if StepKind.ASK_REASON in planned or decision.template == LEAVING:
        return "dunning.ask_reason_by_email"
    if decision.email is not None or StepKind.SEND_EMAIL in planned:
        return f"campaign {campaign_of(after, rules).name}, letter {after.letters_done + 1}"
    booked = {entry.kind for entry in decision.entries} - {EntryKind.AT_RISK, EntryKind.AT_RISK_CHANGED}
    if booked:
        return f"booked as {', '.join(sorted(kind.value for kind in booked))}"
    return f"lifecycle, {after.state.value}"


def _counted(decision: Decision, usage: CardUse) -> tuple[Use, ...]:
    """What counts once the decision is saved: with the attempt that it begins, without one that never reached the network."""
    released = {
        (attempt.started_at, attempt.amount)
        for attempt in decision.case.attempts
        if attempt.status not in SPENT or (attempt.signals is not None and not attempt.signals.reached_network)
    }
    uses = tuple(use for use in usage.uses if (use.at, use.amount) not in released)
    start = decision.start
    return uses if start is None else (*uses, Use(at=start.started_at, amount=start.amount, declined=None))
