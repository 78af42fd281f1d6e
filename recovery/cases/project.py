"""Plays decisions forward without a database: what would be done if every try failed the same way. Without it a plan could only be
seen by waiting three weeks for it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from recovery.cases.answers import Declined, NeedsCustomer
from recovery.cases.case import Attempt, Case, Decision, Plan, WaitingStep
from recovery.cases.decide import decide
from recovery.cases.facts import AttemptAnswered, CardRefreshed, ChargeDue, Fact, PaymentFailed
from recovery.cases.lifecycle import AttemptStatus, Rule, State, StepKind
from recovery.cases.obligation import Charge, ChargeStatus, Obligation, ObligationStatus
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

    ``segment`` None lets the amount alone decide. ``uses`` are earlier tries on the card.
    """

    signals: Signals
    card: Card
    amount: Money
    failed_at: datetime
    zone: str | None = None
    segment: str | None = None
    uses: tuple[Use, ...] = ()
    case_id: str = "case_plan"


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
    case = opened(scenario, rules)
    obligation = _obligation(case, scenario.card)
    charge = Charge(
        id="ch_first",
        status=ChargeStatus.FAILED,
        amount=scenario.amount,
        created_at=scenario.failed_at,
        card=scenario.card,
        signals=scenario.signals,
        initiator=Initiator.GATEWAY,
    )
    first = Use(at=scenario.failed_at, amount=scenario.amount, declined=True)
    reached = (first,) if scenario.signals.reached_network else ()
    usage = CardUse(budget_key=scenario.card.budget_key, uses=(*scenario.uses, *reached))
    fact = PaymentFailed(charge=charge, obligation=obligation)
    decision = decide(case, fact, now=scenario.failed_at, rules=rules, usage=usage)
    return _play(_after(decision, case), decision, usage, now=scenario.failed_at, rules=rules)


def project_from(case: Case, rules: Rules, usage: CardUse, *, now: datetime) -> Projection | None:
    """The schedule still to come of a silent case, if every try fails as the last one did; None where nothing is planned."""
    if case.state is not State.SILENT or not case.steps or case.open_attempt is not None or case.signals is None:
        return None
    standing = Decision(case=case, reason="as planned")
    return _play(case, standing, replace(usage, elder=None, siblings=0), now=now, rules=rules)


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
        horizon_at=scenario.failed_at + timedelta(days=rules.policy.of(segment).horizon_days),
        segment=segment,
        zone=scenario.zone,
    )


def replanned(case: Case, rules: Rules, usage: CardUse, *, now: datetime, horizon: bool = False) -> Decision | None:
    """What would be planned now for a silent case under these rules; None where it is on no ladder and has no try planned.

    ``horizon`` takes over the rules' own horizon too, as moving to another policy does.
    """
    planned = case.step(StepKind.CHARGE_CARD)
    if (
        case.state is not State.SILENT
        or case.signals is None
        or case.open_attempt
        or planned is None
        or planned.in_flight
    ):
        return None
    verdict = rules.verdict(case.signals, case.tried_card, max(now, planned.due_at))
    if case.verdict is None or case.verdict.decline_class not in RETRIED:
        return None
    own = rules.for_segment(case.segment)
    judged = replace(case, verdict=verdict)
    if horizon:
        judged = replace(judged, horizon_at=case.failed_at + timedelta(days=own.policy.horizon_days))
    return next_silent(judged, now=now, rules=own, usage=usage, why="planned anew")


def _play(case: Case, planning: Decision, usage: CardUse, *, now: datetime, rules: Rules) -> Projection:
    opening = planning.reason
    done: list[Projected] = []
    for number in range(TURNS_MAX):
        step = min((s for s in case.steps if s.kind in _SILENT), key=lambda s: s.due_at, default=None)
        if step is None or case.state is not State.SILENT:
            break
        now = max(now, step.due_at)
        facts = _performed(case, step.kind, number)
        before = planning
        case = replace(case, steps=tuple(s for s in case.steps if s is not step))
        for fact in facts:
            planning = decide(case, fact, now=now, rules=rules, usage=usage)
            case = _after(planning, case)
            if planning.start is not None:
                usage = _used(usage, planning.start, case)
                case, planning, line = _refused(case, planning, usage, now=now, rules=rules, because=before.reason)
                done.append(line)
                break
            done.append(_line(now, step.kind, planning, before.reason))
    return Projection(
        steps=tuple(done),
        opening=opening,
        ends_at=case.exhausted.at if case.exhausted else now,
        state=case.state,
        rule=case.exhausted.rule if case.exhausted else None,
        ending=planning.reason,
        case=case,
    )


_SILENT = (StepKind.REFRESH_CARD, StepKind.CHARGE_CARD)


def _performed(case: Case, kind: StepKind, number: int) -> Iterator[Fact]:
    """What performing a step finds: nothing has changed."""
    obligation = _obligation(case, case.card)
    if kind is StepKind.REFRESH_CARD:
        yield CardRefreshed(obligation=obligation, card=case.card, step_id=number)
    else:
        yield ChargeDue(obligation=obligation, card=case.card, step_id=number)


def _refused(
    case: Case, started: Decision, usage: CardUse, *, now: datetime, rules: Rules, because: str
) -> tuple[Case, Decision, Projected]:
    """The attempt just begun is refused as the last one was."""
    attempt = started.start
    assert attempt is not None
    assert case.signals is not None
    assert case.verdict is not None
    asks = case.verdict.decline_class is DeclineClass.AUTHENTICATE
    answer = (NeedsCustomer if asks else Declined)(signals=case.signals, charge_id=f"ch_{attempt.number}")
    fact = AttemptAnswered(attempt_id=attempt.id, answer=answer)
    decision = decide(case, fact, now=now, rules=rules, usage=usage)
    line = Projected(
        at=now,
        kind=StepKind.CHARGE_CARD,
        number=attempt.number,
        zone=attempt.zone,
        state=decision.case.state,
        reason=decision.reason,
        planned_because=because,
    )
    return _after(decision, case), decision, line


def _line(now: datetime, kind: StepKind, decision: Decision, because: str) -> Projected:
    return Projected(
        at=now,
        kind=kind,
        number=None,
        zone=None,
        state=decision.case.state,
        reason=decision.reason,
        planned_because=because,
    )


def _used(usage: CardUse, attempt: Attempt, case: Case) -> CardUse:
    reached = case.signals is None or case.signals.reached_network
    if not reached or attempt.status is not AttemptStatus.IN_FLIGHT:
        return usage
    return replace(usage, uses=(*usage.uses, Use(at=attempt.started_at, amount=attempt.amount, declined=True)))


def _after(decision: Decision, before: Case) -> Case:
    """The case with its steps as the store would keep them."""
    gone = decision.cancel | {plan.kind for plan in decision.plan}
    kept = [step for step in before.steps if step.kind not in gone]
    steps = (*kept, *(_waiting(plan) for plan in decision.plan))
    return decision.case if steps == decision.case.steps else replace(decision.case, steps=steps)


def _waiting(plan: Plan) -> WaitingStep:
    return WaitingStep(kind=plan.kind, due_at=plan.due_at, in_flight=False)


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
