"""The course of one case without a database: facts in, steps out. Without it a plan, a comparison of rules and a backtest would each
imitate the engine, and none of them would show what the engine does.

It keeps what ``engine.advance`` keeps in rows: the case, its open steps and what counts against its cards.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from recovery.cases.case import Attempt, Case, Decision, Plan, WaitingStep
from recovery.cases.choosing import card_read
from recovery.cases.decide import decide
from recovery.cases.facts import (
    AttemptAnswered,
    CardRefreshed,
    ChargeDue,
    CloseDue,
    EmailDue,
    EmailRefused,
    EmailSent,
    Fact,
    LeaseLapsed,
    PaymentFailed,
    step_of,
)
from recovery.cases.lifecycle import LETTERS, OPEN, OPEN_ATTEMPTS, SPENT, AttemptStatus, StepKind
from recovery.cases.rules import NO_USE, CardUse, Refusal, Rules
from recovery.declines.networks import LOOK_BACK
from recovery.declines.signals import Initiator
from recovery.timing.budgets import Use
from recovery.values import maker, replace

_URGENT = tuple(StepKind)
_NEEDS_USE: frozenset[type] = frozenset({AttemptAnswered, CardRefreshed, ChargeDue})
_READINGS = (ChargeDue, CardRefreshed)
_OUTCOMES = (AttemptAnswered, LeaseLapsed)
_NEEDS_STEPS: frozenset[type] = frozenset({CardRefreshed, ChargeDue, CloseDue, EmailDue, EmailSent, EmailRefused})
# Made with every fact.
_card_use, _counted_use, _waiting_step = maker(CardUse), maker(Use), maker(WaitingStep)
_NOTHING: Mapping[str, Sequence[Refusal]] = {}


class Course:
    """One case as it goes through facts. Steps are performed one at a time: ``take`` the next, then ``tell`` what came of it."""

    __slots__ = (
        "_again",
        "_busy",
        "_counted",
        "_known",
        "_others",
        "_own",
        "_planned",
        "_refusals",
        "_rules",
        "_taken",
        "case",
    )

    def __init__(
        self,
        case: Case,
        *,
        rules: Rules,
        planned: Sequence[Plan] = (),
        uses: Sequence[tuple[str, Use]] = (),
        refusals: Mapping[str, Sequence[Refusal]] = _NOTHING,
    ) -> None:
        """Begin with a fresh case, or with one under way: its open steps, and by budget key earlier tries but its own, and what was
        said of the card.
        """
        self.case = case
        self._rules = rules
        self._known: set[str] = set()
        self._planned: dict[StepKind, Plan] = {plan.kind: plan for plan in planned}
        self._busy: Plan | None = None
        self._again: datetime | None = None
        self._taken = 0
        self._others: list[tuple[str | None, Use]] = list(uses)
        self._refusals = refusals
        self._counted: tuple[Attempt, ...] = ()
        self._own: list[tuple[str | None, Use]] = []

    @property
    def next_plan(self) -> Plan | None:
        """The open step that is due first, in the engine's order where several are due at once; None when nothing is planned."""
        if len(self._planned) <= 1:
            return next(iter(self._planned.values()), None)
        return min(self._planned.values(), key=lambda plan: (plan.due_at, _URGENT.index(plan.kind)))

    def take(self, plan: Plan) -> int:
        """Begin to perform a planned step; its id, which the fact that it brings has to carry."""
        del self._planned[plan.kind]
        self._busy, self._again = plan, None
        self._taken += 1
        return self._taken

    def tell(self, fact: Fact, *, now: datetime) -> Decision | None:
        """Let a fact have its effect, once; None when it was known."""
        key = fact.key
        if key in self._known:
            return None
        self._known.add(key)
        kind: type = type(fact)
        case = self._with_steps() if kind in _NEEDS_STEPS else self.case
        usage = self._usage(fact, now) if kind in _NEEDS_USE else NO_USE
        decision = decide(case, fact, now=now, rules=self._rules, usage=usage)
        if isinstance(fact, PaymentFailed):
            self._note(fact)
        self.case = decision.case
        again = self._finish(fact, decision, now) if self._busy is not None else None
        self._apply(decision, again=again)
        return decision

    def _with_steps(self) -> Case:
        """The case with its planned steps; the one under way is no plan any more."""
        if not self._planned and not self.case.steps:
            return self.case
        waiting = tuple([_waiting_step(kind=p.kind, due_at=p.due_at, in_flight=False) for p in self._planned.values()])
        return self.case if waiting == self.case.steps else replace(self.case, steps=waiting)

    def _finish(self, fact: Fact, decision: Decision, now: datetime) -> Plan | None:
        """End the step under way, unless it now carries an attempt or an email; what it was asked to repeat meanwhile."""
        busy = self._busy
        if busy is None or decision.start is not None or decision.email is not None:
            return None
        ends = step_of(fact) is not None or isinstance(fact, _OUTCOMES)
        if not ends and busy.kind not in LETTERS:
            return None
        self._busy = None
        if self._again is None or decision.case.state not in OPEN or busy.kind in decision.cancel:
            return None
        return Plan(kind=busy.kind, due_at=max(self._again, now))

    def _apply(self, decision: Decision, *, again: Plan | None) -> None:
        plans: Sequence[Plan] = decision.plan
        for kind in decision.cancel:
            self._planned.pop(kind, None)
        if again is not None and all(plan.kind is not again.kind for plan in plans):
            plans = (*plans, again)
        for plan in plans:
            self._planned.pop(plan.kind, None)
            if self._busy is not None and self._busy.kind is plan.kind:
                self._again = plan.due_at if self._again is None else min(self._again, plan.due_at)
            else:
                self._planned[plan.kind] = plan

    def _note(self, fact: PaymentFailed) -> None:
        charge = fact.charge
        if charge.card is not None and (charge.signals is None or charge.signals.reached_network):
            theirs = charge.initiator is Initiator.CUSTOMER
            use = _counted_use(at=charge.created_at, amount=charge.amount, declined=True, by_customer=theirs)
            self._others.append((charge.card.budget_key, use))

    def _usage(self, fact: Fact, now: datetime) -> CardUse:
        """What counts against the card that the decision is about, as the engine reads it from its rows."""
        case, card = self.case, self.case.card
        if isinstance(fact, _READINGS):
            card = card_read(case, fact, now=now, rules=self._rules) or card
        if card is None:
            return NO_USE
        if self._counted is not case.attempts:
            self._count(case.attempts)
        key, since = card.budget_key, now - LOOK_BACK
        uses = [use for other, use in self._others + self._own if other == key and use.at > since]
        return _card_use(budget_key=key, uses=uses, refusals=self._refusals.get(key, ()))

    def _count(self, attempts: tuple[Attempt, ...]) -> None:
        """Count our own attempts; each changes once or twice."""
        counted, own = self._counted, self._own
        for number, attempt in enumerate(attempts):
            if number >= len(counted):
                own.append(_use(attempt))
            elif counted[number] is not attempt:
                own[number] = _use(attempt)
        self._counted = attempts


def _use(attempt: Attempt) -> tuple[str | None, Use]:
    """What an attempt counts as, and against which card: none where the network never saw it."""
    counts = attempt.status in SPENT and (attempt.signals is None or attempt.signals.reached_network)
    open_still = attempt.status in OPEN_ATTEMPTS
    declined = None if open_still else attempt.status is not AttemptStatus.SUCCEEDED
    use = _counted_use(at=attempt.started_at, amount=attempt.amount, declined=declined)
    return attempt.card.budget_key if counts else None, use
