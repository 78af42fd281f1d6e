"""Cases, facts and rules for tests of the pure core: one tried card, one failure, the shipped rules."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from recovery.cases import facts
from recovery.cases.case import Attempt, Case, Decision, Exhausted, Purpose, WaitingStep
from recovery.cases.decide import decide
from recovery.cases.lifecycle import AttemptStatus, Rule, State, StepKind
from recovery.cases.obligation import Charge, ChargeStatus, Obligation, ObligationStatus
from recovery.cases.rules import CardUse, Rules
from recovery.declines.signals import Card, Initiator, Signals
from recovery.money import Money
from recovery.runtime.knowledge import load_knowledge, rules_of

CONFIG = Path(__file__).resolve().parents[2] / "config"
FAILED_AT = datetime(2026, 10, 6, 15, 0, tzinfo=UTC)
"""A Tuesday, 08:00 in Los Angeles: every bank of the card's country is open an hour later."""

BEFORE_PAYDAY = datetime(2026, 10, 8, 17, 0, tzinfo=UTC)
"""The Thursday after: banks are open, but the next payday is Friday's."""

OPEN_HOUR = datetime(2026, 10, 9, 17, 0, tzinfo=UTC)
"""Friday, the first payday after the failure: 13:00 in New York, 10:00 in Los Angeles, an hour after the slot opened."""

NIGHT = datetime(2026, 10, 14, 4, 0, tzinfo=UTC)
"""Wednesday, midnight in New York, with the payday past: nothing but the hour forbids a try."""

MORNING_AFTER = datetime(2026, 10, 14, 16, 0, tzinfo=UTC)
"""Banks are open from New York to Los Angeles."""

OWED = Money(minor=4900, currency="usd")
CARD = Card(
    payment_method="pm_1", brand="visa", country="US", last4="4242", exp_month=1, exp_year=2030, fingerprint="fp_1"
)
OTHER = replace(CARD, payment_method="pm_2", fingerprint="fp_2", last4="5555")
FUNDS = Signals(error_code="card_declined", decline_code="insufficient_funds")
EXPIRED = Signals(error_code="expired_card", decline_code="expired_card")
LOST = Signals(error_code="card_declined", decline_code="lost_card")


@cache
def rules() -> Rules:
    """The shipped rules."""
    return replace(rules_of(load_knowledge(CONFIG)), settle_seconds=90)


def charge(name: str = "ch_1", status: ChargeStatus = ChargeStatus.FAILED, **others: Any) -> Charge:
    """One charge over what is owed, failed and nobody's unless told otherwise."""
    made: dict[str, Any] = {"id": name, "status": status, "amount": OWED, "created_at": FAILED_AT, "card": CARD}
    if status is ChargeStatus.FAILED:
        made["signals"] = FUNDS
    return Charge(**made | others)


def owed(**others: Any) -> Obligation:
    """The invoice, open."""
    made: dict[str, Any] = {
        "id": "in_1",
        "customer": "cus_1",
        "status": ObligationStatus.OPEN,
        "remaining": OWED,
        "livemode": False,
        "charge_automatically": True,
        "billing_reason": "subscription_cycle",
        "created_at": FAILED_AT,
    }
    return Obligation(**made | others)


def paid(*charges: Charge, **others: Any) -> Obligation:
    """The invoice, paid by some charges."""
    nothing = Money(minor=0, currency="usd")
    return owed(status=ObligationStatus.PAID, remaining=nothing, charges=charges, paid_at=FAILED_AT, **others)


def opened(signals: Signals = FUNDS, **others: Any) -> Case:
    """A case whose first failure was just let in."""
    bare = Case(
        id="case_in_1",
        gateway="stripe",
        obligation="in_1",
        customer="cus_1",
        subscription="sub_1",
        amount=OWED,
        state=State.SILENT,
        policy="test",
        failed_at=FAILED_AT,
        horizon_at=FAILED_AT + timedelta(days=21),
    )
    first = facts.PaymentFailed(charge=charge(signals=signals, initiator=Initiator.GATEWAY), obligation=owed())
    return replace(told(bare, first, now=FAILED_AT).case, **others)


def told(case: Case, fact: facts.Fact, *, now: datetime = OPEN_HOUR, uses: tuple[Any, ...] = ()) -> Decision:
    """What a fact leads to, by the shipped rules."""
    card = getattr(fact, "card", None) or case.card
    key = card.budget_key if card else ""
    return decide(case, fact, now=now, rules=rules(), usage=CardUse(budget_key=key, uses=uses))


def attempt(number: int = 1, status: AttemptStatus = AttemptStatus.IN_FLIGHT, **others: Any) -> Attempt:
    """One attempt on the tried card."""
    made: dict[str, Any] = {
        "id": f"case_in_1-{number}",
        "number": number,
        "card": CARD,
        "amount": OWED,
        "started_at": OPEN_HOUR,
        "purpose": Purpose.SILENT,
        "status": status,
    }
    return Attempt(**made | others)


def asked(case: Case, *, emails: int = 1) -> Case:
    """The same case in dunning, with so many emails sent."""
    exhausted = Exhausted(rule=Rule.ATTEMPTS, at=OPEN_HOUR, detail="used up")
    at = OPEN_HOUR if emails else None
    return replace(
        case,
        state=State.DUNNING,
        exhausted=exhausted,
        emails_sent=emails,
        email_tries=max(emails, 1),
        emailed_at=at,
        letters_done=emails,
    )


def planned(decision: Decision) -> dict[StepKind, datetime]:
    """When each planned step is due."""
    return {plan.kind: plan.due_at for plan in decision.plan}


def waiting(kind: StepKind, *, in_flight: bool = False, due_at: datetime = OPEN_HOUR) -> WaitingStep:
    """An open step."""
    return WaitingStep(kind=kind, due_at=due_at, in_flight=in_flight)
