"""Fills a test's database by living the lives of cases through the engine's one door.

Raw rows would test pages and reports against states that the engine can never bring about.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from recovery.cases import facts
from recovery.cases.answers import Answer, Declined, Succeeded
from recovery.cases.case import Attempt, Case
from recovery.cases.lifecycle import StepKind
from recovery.cases.obligation import Charge, ChargeStatus, Obligation, ObligationStatus
from recovery.cases.subscription import SeenSubscription
from recovery.declines.signals import Card, Initiator, Signals
from recovery.engine.advance import Advanced, advance, open_case
from recovery.engine.door import Door
from recovery.money import Money
from recovery.runtime.clock import machine_now
from recovery.runtime.settings import Settings, load_settings
from recovery.runtime.stack import opened
from recovery.runtime.wiring import Wiring
from recovery.storage.aside_store import set_aside
from recovery.storage.case_store import case_id_of, load_case
from recovery.storage.event_store import StoredEvent, finish_event, store_event
from recovery.storage.lease_store import release_step
from recovery.storage.moment import Moment
from recovery.storage.step_store import ClaimedStep, claim_steps

CONFIG = Path(__file__).resolve().parents[1] / "config"
MONDAY = datetime(2026, 9, 7, 14, 0, tzinfo=UTC)
"""An ordinary bank day."""


def renewing(name: str, minor: int, *, since: datetime, **others: Any) -> SeenSubscription:
    """A customer's monthly subscription, ``sub_<name>`` of ``cus_<name>``, as an import finds it."""
    ordinary: dict[str, Any] = {
        "currency": "usd",
        "interval": "month",
        "interval_count": 1,
        "ended_at": None,
        "ended_because": None,
    }
    given = {"id": f"sub_{name}", "customer": f"cus_{name}", "amount_minor": minor, "started_at": since}
    return SeenSubscription(**ordinary | given | others)


def settings_for(database_url: str, **others: Any) -> Settings:
    """Settings of one test, whatever the environment and the working directory say."""
    chosen = {"database_url": database_url, "config_dir": CONFIG, "stripe_secret_key": "sk_test_123"} | others
    return load_settings(_env_file=None, **chosen)


@contextmanager
def wired(database_url: str, **others: Any) -> Iterator[Wiring]:
    """The wiring of one test, closed afterwards."""
    with opened(settings_for(database_url, **others)) as stack:
        yield stack.wiring


@dataclass(slots=True)
class Life:
    """Opens cases and lets things happen to them. ``at`` is business time; tests set it as they like."""

    wiring: Wiring
    at: datetime = MONDAY
    _charges: int = 0
    _owed: dict[str, Obligation] = field(default_factory=dict)

    @property
    def door(self) -> Door:
        """The wiring's door with this clock."""
        self.wiring.rulebook.keep_current(self.wiring.database, machine_now=machine_now())
        return Door(
            database=self.wiring.database,
            rulebook=self.wiring.rulebook,
            clock=lambda: self.at,
            machine_clock=machine_now,
            tells_merchant=self.wiring.merchant is not None,
        )

    def fail(
        self,
        invoice: str,
        *,
        minor: int = 4900,
        currency: str = "usd",
        at: datetime | None = None,
        code: str = "insufficient_funds",
        customer: str | None = None,
        **others: Any,
    ) -> str:
        """A payment fails and a case opens; its id."""
        self.at = at or self.at
        amount = Money(minor=minor, currency=currency)
        charge = Charge(
            id=self._charge_id(),
            status=ChargeStatus.FAILED,
            amount=amount,
            created_at=self.at,
            card=_card(invoice),
            signals=Signals(error_code="card_declined", decline_code=code),
            initiator=Initiator.GATEWAY,
        )
        owed = Obligation(
            id=invoice,
            customer=customer or f"cus_{invoice}",
            subscription=f"sub_{invoice}",
            status=ObligationStatus.OPEN,
            remaining=amount,
            livemode=False,
            charge_automatically=True,
            billing_reason="subscription_cycle",
            created_at=self.at,
            charges=(charge,),
            **others,
        )
        self._owed[case_id_of(invoice)] = owed
        open_case(self.door, facts.PaymentFailed(charge=charge, obligation=owed), gateway="stripe")
        return case_id_of(invoice)

    def tell(self, case_id: str, fact: facts.Fact) -> Advanced:
        """Let a fact in."""
        return advance(self.door, case_id, fact)

    def case(self, case_id: str) -> Case:
        """The case as it stands."""
        with self.wiring.database.connect() as tx:
            return load_case(tx, case_id)

    def refresh(self, case_id: str) -> Advanced:
        """The planned reading of the card finds it unchanged."""
        step = self._claim(case_id, StepKind.REFRESH_CARD)
        owed = self._owed[case_id]
        read = facts.CardRefreshed(obligation=owed, card=_card(owed.id), step_id=step.id)
        return advance(self.door, case_id, read, step=step)

    def attempt(self, case_id: str, answer: Answer | None = None) -> Advanced:
        """The planned try is made when it is due; it succeeds unless another answer is given."""
        attempt, step = self.begin(case_id)
        told = answer or Succeeded(charge=self.paid_by(case_id, key=attempt.id, initiator=Initiator.ENGINE))
        return advance(self.door, case_id, facts.AttemptAnswered(attempt_id=attempt.id, answer=told), step=step)

    def begin(self, case_id: str) -> tuple[Attempt, ClaimedStep]:
        """The planned try is begun when it is due; nobody has answered yet."""
        if self.case(case_id).step(StepKind.CHARGE_CARD) is None:
            self.refresh(case_id)
        step = self._claim(case_id, StepKind.CHARGE_CARD)
        owed = self._owed[case_id]
        due = facts.ChargeDue(obligation=owed, card=_card(owed.id), step_id=step.id)
        attempt = advance(self.door, case_id, due, step=step).attempt
        assert attempt is not None, "the try was not made"
        return attempt, step

    def declined(self, code: str = "insufficient_funds") -> Declined:
        """An answer that refuses."""
        return Declined(signals=Signals(error_code="card_declined", decline_code=code), charge_id=self._charge_id())

    def paid_by(self, case_id: str, *, key: str | None = None, initiator: Initiator = Initiator.CUSTOMER) -> Charge:
        """A successful charge over what the case owes."""
        return Charge(
            id=self._charge_id(),
            status=ChargeStatus.SUCCEEDED,
            amount=self._owed[case_id].remaining,
            created_at=self.at,
            card=_card(self._owed[case_id].id),
            initiator=initiator,
            idempotency_key=key,
        )

    def pay(self, case_id: str, *, initiator: Initiator = Initiator.CUSTOMER) -> str:
        """Somebody else pays; the charge's id."""
        charge = self.paid_by(case_id, initiator=initiator)
        self.tell(case_id, facts.InvoicePaid(obligation_id=self._owed[case_id].id, charges=(charge,), at=self.at))
        return charge.id

    def pay_part(self, case_id: str, minor: int) -> None:
        """The customer pays a part of what is owed."""
        owed = self._owed[case_id]
        part = replace(self.paid_by(case_id), amount=Money(minor=minor, currency=owed.remaining.currency))
        self._owed[case_id] = replace(owed, charges=(*owed.charges, part))
        self.owe(case_id, owed.remaining.minor - minor)
        self.tell(case_id, facts.PartPaid(obligation=self._owed[case_id]))

    def pay_rest(self, case_id: str) -> None:
        """The customer pays all that is still owed."""
        owed = self._owed[case_id]
        rest = replace(self.paid_by(case_id), amount=owed.remaining)
        charges = (*owed.succeeded, rest)
        self.tell(case_id, facts.InvoicePaid(obligation_id=owed.id, charges=charges, at=self.at))

    def owed(self, case_id: str) -> Obligation:
        """The invoice as a reading shows it."""
        return self._owed[case_id]

    def owe(self, case_id: str, minor: int) -> None:
        """The merchant changes what is owed; the next reading will tell."""
        owed = self._owed[case_id]
        self._owed[case_id] = replace(owed, remaining=Money(minor=minor, currency=owed.remaining.currency))

    def _charge_id(self) -> str:
        self._charges += 1
        return f"ch_{self._charges}"

    def _claim(self, case_id: str, kind: StepKind) -> ClaimedStep:
        planned = self.case(case_id).step(kind)
        assert planned is not None, f"{case_id} has no {kind} planned"
        self.at = max(self.at, planned.due_at)
        moment = self.door.moment()
        with self.wiring.database.begin() as tx:
            claimed = claim_steps(tx, (kind,), moment=moment, limit=500, lease_seconds=600)
            for other in claimed:
                if other.case_id != case_id:
                    release_step(tx, other, hold_until=moment.machine_now - timedelta(seconds=1))
        return next(step for step in claimed if step.case_id == case_id)


def _card(invoice: str) -> Card:
    return Card(
        payment_method=f"pm_{invoice}",
        brand="visa",
        funding="credit",
        country="US",
        last4="4242",
        exp_month=12,
        exp_year=2030,
        fingerprint=f"fp_{invoice}",
    )


def stored_event(event_id: str = "evt_1", *, received_at: datetime | None = None) -> StoredEvent:
    """News of a paid invoice, as intake keeps it."""
    return StoredEvent(
        gateway="stripe",
        id=event_id,
        kind="invoice.paid",
        livemode=False,
        created_at=MONDAY,
        object_id="in_1",
        content={},
        idempotency_key=None,
        caused_by_request=False,
        received_at=received_at,
    )


def set_one_of_each_aside(wiring: Wiring, case_id: str) -> None:
    """A step of the case, and an event, that wait for a person with their errors."""
    poison = stored_event()
    moment = Moment(now=MONDAY + timedelta(days=30), machine_now=machine_now())
    with wiring.database.begin() as tx:
        store_event(tx, poison, machine_now=moment.machine_now)
        finish_event(tx, poison, state="set_aside", detail="event: poison")
        (step,) = claim_steps(tx, tuple(StepKind), moment=moment, limit=1, lease_seconds=60)
        assert step.case_id == case_id
        assert set_aside(tx, step, "step: poison", machine_now=moment.machine_now)
