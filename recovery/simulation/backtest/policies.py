"""The strategies that are compared: nobody at all, fixed ladders, and a policy as the engine would carry it out.

Without the engine's own decisions in the comparison it would judge an imitation.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from recovery.cases.answers import Answer as EngineAnswer
from recovery.cases.answers import Declined, NeedsCustomer, Succeeded
from recovery.cases.case import Case
from recovery.cases.course import Course
from recovery.cases.facts import (
    AttemptAnswered,
    CardRefreshed,
    ChargeDue,
    CloseDue,
    EmailDue,
    EmailSent,
    EscalationDue,
    InvoicePaid,
    PaymentFailed,
    PaymentMethodChanged,
    SubscriptionCancelled,
)
from recovery.cases.lifecycle import StepKind
from recovery.cases.obligation import ObligationStatus
from recovery.cases.opening import opened_case
from recovery.cases.rules import Rules
from recovery.cases.wallet import Wallet
from recovery.declines.signals import Initiator
from recovery.simulation.answers import Verdict
from recovery.simulation.backtest.account import Tried
from recovery.simulation.backtest.lives import Scene
from recovery.simulation.world.people import CardFace
from recovery.values import maker

CUSTOMER_DAYS = 14
"""How long a fixed ladder waits for the customer after its email: as long as the shipped policy."""

# Made for every try.
_charge_due, _attempt_answered, _declined = maker(ChargeDue), maker(AttemptAnswered), maker(Declined)
_payment_failed, _card_refreshed = maker(PaymentFailed), maker(CardRefreshed)


class Nothing:
    """Nobody tries and nobody writes: what customers do by themselves."""

    due_at: datetime | None = None

    def __init__(self, scene: Scene) -> None:
        del scene

    def act(self, now: datetime) -> None:
        """Never due."""

    def failed(self, tried: Tried, now: datetime) -> None:
        """Nothing follows."""

    def card_changed(self, now: datetime) -> None:
        """Nothing follows."""

    def over(self, now: datetime) -> None:
        """Nothing follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderPlan:
    """A fixed ladder: the days from each try to the next, the first from the failure."""

    name: str
    gaps_days: tuple[float, ...]


LADDERS = (
    LadderPlan(name="2, 5, 7, 7 days", gaps_days=(2, 5, 7, 7)),
    LadderPlan(name="3, 5, 7 days", gaps_days=(3, 5, 7)),
    LadderPlan(name="1, 3, 5 days", gaps_days=(1, 3, 5)),
    LadderPlan(name="8, 8, 8 days", gaps_days=(8, 8, 8)),
)
"""Ladders that other services ship."""

STRIPE_RHYTHM = LadderPlan(name="Stripe's rhythm", gaps_days=(1.9,) * 8)
"""Stripe's default is eight tries in two weeks; a recorded run on a test account spaced them about 1.9 days apart."""


class FixedLadder:
    """Tries at fixed days whatever the decline said, then writes one email, and tries once more when a card is saved after it."""

    def __init__(self, scene: Scene, plan: LadderPlan) -> None:
        self._scene = scene
        self._gaps = [timedelta(days=days) for days in plan.gaps_days]
        self._gone = 0
        self._tried_last: CardFace | None = None
        self.due_at: datetime | None = None

    def failed(self, tried: Tried, now: datetime) -> None:
        """The renewal failed: begin. Later failures of others change nothing."""
        if tried.charge.initiator is Initiator.GATEWAY:
            self._tried_last = self._scene.account.on_file
            self.due_at = now + self._gaps[0]

    def act(self, now: datetime) -> None:
        """One try; after the last one the email."""
        self._gone += 1
        self.due_at = None
        if self._try(now):
            return
        if self._gone < len(self._gaps):
            self.due_at = now + self._gaps[self._gone]
        else:
            self._scene.mail(now)

    def card_changed(self, now: datetime) -> None:
        """After the email a new card is tried at once; before it, it waits for the next rung."""
        mailed = self._scene.mailed_at
        fresh = self._scene.account.on_file != self._tried_last
        if mailed and fresh and now <= mailed[0] + timedelta(days=CUSTOMER_DAYS) and self._scene.account.owed:
            self._try(now)

    def over(self, _now: datetime) -> None:
        """No further tries."""
        self.due_at = None

    def _try(self, now: datetime) -> bool:
        account = self._scene.account
        self._tried_last = account.on_file
        return account.charge(now, account.on_file, initiator=Initiator.ENGINE).approved


class EnginePolicy:
    """A policy as the engine carries it out, decision by decision."""

    def __init__(self, scene: Scene, rules: Rules) -> None:
        self._scene = scene
        self._rules = rules
        self._course: Course | None = None
        self._events = 0

    @property
    def case(self) -> Case | None:
        """The case; None until the failure opened it."""
        return self._course.case if self._course else None

    @property
    def due_at(self) -> datetime | None:
        """The next step's instant."""
        plan = self._course.next_plan if self._course else None
        return plan.due_at if plan else None

    def failed(self, tried: Tried, now: datetime) -> None:
        """The first failure opens the case."""
        account = self._scene.account
        if self._course is None:
            self._course = Course(self._opened(tried), rules=self._rules)
        self._course.tell(_payment_failed(charge=tried.charge, obligation=account.obligation), now=now)

    def card_changed(self, now: datetime) -> None:
        """An event about the customer's cards."""
        if self._course is not None:
            self._events += 1
            told = PaymentMethodChanged(event_id=f"evt_{self._events}", what="the gateway says so")
            self._course.tell(told, now=now)

    def over(self, now: datetime) -> None:
        """Paid by the customer, or cancelled."""
        if self._course is None:
            return
        obligation = self._scene.account.obligation
        whole = now.replace(microsecond=0)
        if obligation.status is ObligationStatus.PAID:
            self._course.tell(InvoicePaid(obligation_id=obligation.id, charges=obligation.succeeded, at=whole), now=now)
        else:
            assert obligation.subscription is not None
            self._course.tell(SubscriptionCancelled(subscription=obligation.subscription, at=whole), now=now)

    def act(self, now: datetime) -> None:
        """Perform the step that is due, as its performer would."""
        course = self._course
        assert course is not None
        plan = course.next_plan
        assert plan is not None
        step = course.take(plan)
        account = self._scene.account
        obligation, wallet = account.read(), account.wallet if account.owed else Wallet()
        match plan.kind:
            case StepKind.CHARGE_CARD:
                due = _charge_due(obligation=obligation, card=wallet.default, cards=wallet.cards, step_id=step)
                self._charge(course, due, now)
            case StepKind.REFRESH_CARD:
                read = _card_refreshed(obligation=obligation, card=wallet.default, cards=wallet.cards, step_id=step)
                course.tell(read, now=now)
            case StepKind.SEND_EMAIL | StepKind.ASK_REASON:
                why = plan.kind is StepKind.ASK_REASON
                decision = course.tell(EmailDue(obligation=obligation, step_id=step, asks_why=why), now=now)
                if decision is not None and decision.email is not None:
                    self._scene.mail(now)
                    course.tell(EmailSent(email_id=f"{course.case.id}-{decision.email}"), now=now)
            case StepKind.CLOSE_CASE:
                course.tell(CloseDue(obligation=obligation, step_id=step), now=now)
            case StepKind.ESCALATE:
                course.tell(EscalationDue(step_id=step), now=now)
            case StepKind.SETTLE_ATTEMPT:
                raise AssertionError("nothing stays unsettled where every call is answered")

    def _charge(self, course: Course, due: ChargeDue, now: datetime) -> None:
        decision = course.tell(due, now=now)
        if decision is None or decision.start is None:
            return
        account, attempt = self._scene.account, decision.start
        face = account.face_of(attempt.card.payment_method)
        tried = account.charge(now, face, initiator=Initiator.ENGINE, key=attempt.id)
        course.tell(_attempt_answered(attempt_id=attempt.id, answer=_engine_answer(tried)), now=now)

    def _opened(self, tried: Tried) -> Case:
        obligation = self._scene.account.obligation
        return opened_case(
            tried.charge,
            obligation,
            rules=self._rules,
            case_id=f"case_{obligation.id}",  # as storage names it: the jitter depends on it
            gateway="world",
            policy=self._rules.policy.name,
        )


def _engine_answer(tried: Tried) -> EngineAnswer:
    if tried.approved:
        return Succeeded(charge=tried.charge)
    signals = tried.charge.signals
    assert signals is not None, "a refused charge tells why"
    if tried.answer.verdict is Verdict.AUTHENTICATION:
        return NeedsCustomer(signals=signals, charge_id=tried.charge.id)
    return _declined(signals=signals, charge_id=tried.charge.id)
