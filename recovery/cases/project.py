"""Plays decisions forward without a database: what would be done if every try failed the same way. Without it a plan could only be
seen by waiting three weeks for it.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from recovery.cases.answers import Declined, NeedsCustomer
from recovery.cases.case import Attempt, Case, Decision, Plan, Purpose
from recovery.cases.choosing import card_read
from recovery.cases.course import Course
from recovery.cases.decide import decide
from recovery.cases.facts import AttemptAnswered, CardRefreshed, ChargeDue, Fact, PaymentFailed, PolicyMoved
from recovery.cases.holdout import Arm
from recovery.cases.lifecycle import Rule, State, StepKind
from recovery.cases.obligation import Charge, ChargeStatus, Obligation, ObligationStatus
from recovery.cases.opening import horizon_of
from recovery.cases.planning import next_silent
from recovery.cases.policy import RETRIED
from recovery.cases.rules import CardUse, Rules
from recovery.cases.segments import Standing, segment_of
from recovery.declines.classify import DeclineClass
from recovery.declines.signals import Card, Initiator, Signals
from recovery.money import Money
from recovery.timing.budgets import Use

TURNS_MAX = 400
"""A case of 30 attempts and as many readings ends long before; more would be a loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One failed payment as a person would describe it. ``zone`` is the customer's own, ``segment`` the joined segment names.

    ``segment`` None lets the amount alone decide. ``uses`` are earlier tries on the card, ``arm`` that of the holdout.
    """

    signals: Signals
    card: Card
    amount: Money
    failed_at: datetime
    zone: str | None = None
    segment: str | None = None
    uses: tuple[Use, ...] = ()
    case_id: str = "case_plan"
    arm: Arm | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Projected:
    """One step that would be performed: when, which, what it led to, and why."""

    at: datetime
    kind: StepKind
    number: int | None
    zone: str | None
    state: State
    reason: str
    planned_because: str
    """The decision that planned it."""

    @property
    def what(self) -> str:
        """In a few words: "try 3", "card read again", or that a planned try was decided anew when it came due."""
        if self.number is not None:
            return f"try {self.number}"
        return "planned anew" if self.kind is StepKind.CHARGE_CARD else "card read again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """The silent schedule and how it ends. ``case`` is the case as it stands then."""

    steps: tuple[Projected, ...]
    opening: str
    ends_at: datetime
    state: State
    rule: Rule | None
    ending: str
    case: Case

    @property
    def tries(self) -> tuple[Projected, ...]:
        """Only the attempts."""
        return tuple(step for step in self.steps if step.number is not None)


def project(scenario: Scenario, rules: Rules) -> Projection:
    """The whole silent schedule of a failed payment if every try failed the same way."""
    charge = Charge(
        id="ch_first",
        status=ChargeStatus.FAILED,
        amount=scenario.amount,
        created_at=scenario.failed_at,
        card=scenario.card,
        signals=scenario.signals,
        initiator=Initiator.GATEWAY,
    )
    case = opened(scenario, rules)
    course = Course(case, rules=rules, uses=[(scenario.card.budget_key, use) for use in scenario.uses])
    fact = PaymentFailed(charge=charge, obligation=_obligation(case, scenario.card))
    decision = course.tell(fact, now=scenario.failed_at)
    assert decision is not None
    return _play(course, str(decision.reason), now=scenario.failed_at)


def project_from(case: Case, rules: Rules, usage: CardUse, *, now: datetime, because: str) -> Projection | None:
    """The schedule still to come of a silent case, if every try fails as the last one did; None where nothing is planned.

    ``because`` is the reason of the decision that planned what is planned now.
    """
    if case.state is not State.SILENT or not case.steps or case.open_attempt is not None or case.signals is None:
        return None
    own = {(attempt.started_at, attempt.amount) for attempt in case.attempts}
    others = [(usage.budget_key, use) for use in usage.uses if (use.at, use.amount) not in own]
    planned = [Plan(kind=step.kind, due_at=step.due_at) for step in case.steps]
    refusals = {usage.budget_key: usage.refusals}
    course = Course(case, rules=rules, planned=planned, uses=others, refusals=refusals)
    return _play(course, because, now=now)


def opened(scenario: Scenario, rules: Rules) -> Case:
    """The case that the failure would open."""
    segment = scenario.segment
    if segment is None:
        segment = segment_of(rules.policy.segments, Standing(amount=scenario.amount))
    return Case(
        id=scenario.case_id,
        gateway="plan",
        obligation="in_plan",
        customer="cus_plan",
        subscription="sub_plan",
        amount=scenario.amount,
        state=State.SILENT,
        policy="plan",
        failed_at=scenario.failed_at,
        horizon_at=horizon_of(scenario.failed_at, segment, scenario.arm, rules),
        segment=segment,
        arm=scenario.arm,
        zone=scenario.zone,
    )


def moved(case: Case, rules: Rules, usage: CardUse, *, version: str, now: datetime) -> Decision:
    """What moving a case to another version of the policy would lead to; ``rules`` are those of that version."""
    return decide(case, PolicyMoved(version=version, moved_at=now), now=now, rules=rules, usage=usage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What becomes of a planned try: when it is made, None if it is not, and why."""

    at: datetime | None
    reason: str


def foreseen(case: Case, rules: Rules, usage: CardUse, *, now: datetime) -> Foreseen | None:
    """What these rules make of a case's planned try, whatever it is for; None where none is planned, one is under way, or another card
    than the one that ``usage`` is of has its turn.

    A ladder is planned anew. Everything else (fresh details, another card, a payday or a chosen day between letters) is decided as it
    will be when it comes due.
    """
    planned = case.step(StepKind.CHARGE_CARD)
    if planned is None or planned.in_flight or case.open_attempt is not None or case.card is None:
        return None
    at = max(now, planned.due_at)
    climbs = case.verdict is not None and case.verdict.decline_class in RETRIED and case.signals is not None
    if climbs and case.state is State.SILENT and case.purpose_of(case.card) is Purpose.SILENT:
        assert case.signals is not None
        judged = replace(case, verdict=rules.verdict(case.signals, case.tried_card, at))
        decision = next_silent(judged, now=now, rules=rules.for_case(case), usage=usage, why="planned anew")
        goes_on = decision.case.state is State.SILENT
    else:
        fact = _performed(case, StepKind.CHARGE_CARD, 0)
        assert isinstance(fact, ChargeDue)
        turn = card_read(case, fact, now=at, rules=rules)
        if turn is not None and turn.budget_key != usage.budget_key:
            return None
        decision = decide(case, fact, now=at, rules=rules, usage=usage)
        if decision.start is not None:
            return Foreseen(at=at, reason=str(decision.reason))
        goes_on = True
    due = next((plan.due_at for plan in decision.plan if plan.kind is StepKind.CHARGE_CARD), None)
    return Foreseen(at=due if goes_on else None, reason=str(decision.reason))


def _play(course: Course, opening: str, *, now: datetime) -> Projection:
    done: list[Projected] = []
    reason = opening
    for _ in range(TURNS_MAX):
        plan = course.next_plan
        if plan is None or course.case.state is not State.SILENT:
            break
        now = max(now, plan.due_at)
        because = reason
        decision = course.tell(_performed(course.case, plan.kind, course.take(plan)), now=now)
        assert decision is not None
        started = decision.start
        if started is not None:
            decision = course.tell(_refused(course.case, started), now=now)
            assert decision is not None
        reason = str(decision.reason)
        done.append(
            Projected(
                at=now,
                kind=plan.kind,
                number=started.number if started else None,
                zone=started.zone if started else None,
                state=decision.case.state,
                reason=reason,
                planned_because=because,
            )
        )
    case = course.case
    return Projection(
        steps=tuple(done),
        opening=opening,
        ends_at=case.exhausted.at if case.exhausted else now,
        state=case.state,
        rule=case.exhausted.rule if case.exhausted else None,
        ending=reason,
        case=case,
    )


def _performed(case: Case, kind: StepKind, step: int) -> Fact:
    """What performing a step finds: nothing has changed."""
    obligation = _obligation(case, case.card)
    if kind is StepKind.CHARGE_CARD:
        return ChargeDue(obligation=obligation, card=case.card, step_id=step)
    assert kind is StepKind.REFRESH_CARD, f"a silent case has {kind} planned"
    return CardRefreshed(obligation=obligation, card=case.card, step_id=step)


def _refused(case: Case, attempt: Attempt) -> Fact:
    """The attempt just begun is refused as the last one was."""
    assert case.signals is not None
    assert case.verdict is not None
    asks = case.verdict.decline_class is DeclineClass.AUTHENTICATE
    answer = (NeedsCustomer if asks else Declined)(signals=case.signals, charge_id=f"ch_{attempt.number}")
    return AttemptAnswered(attempt_id=attempt.id, answer=answer)


def _obligation(case: Case, card: Card | None) -> Obligation:
    return Obligation(
        id=case.obligation,
        customer=case.customer,
        status=ObligationStatus.OPEN,
        remaining=case.amount,
        livemode=False,
        charge_automatically=True,
        billing_reason="subscription_cycle",
        created_at=case.failed_at,
        subscription=case.subscription,
        card=card,
    )
