"""Carries out what the simulated gateway is asked to do, and tells of it by events. Without it two ways of paying would book twice."""

import itertools
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sim_books import Booked, Books, Invoice, Returned
from sim_clocks import Clocks
from sim_faults import Faults
from sim_issuers import answer
from sim_post import Post

from recovery.cases.obligation import ChargeStatus, ObligationStatus
from recovery.declines.signals import Card, Initiator, Signals
from recovery.gateways.port import Notice
from recovery.money import Money

PAYABLE = (ObligationStatus.OPEN, ObligationStatus.UNCOLLECTIBLE)


class Refused(Exception):
    """The invoice cannot be paid: already settled, or a payment on it is processing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payer:
    """Who pays: us under a key, the gateway by itself, or the customer in person."""

    initiator: Initiator
    key: str | None = None
    beyond: bool = False

    @property
    def by_request(self) -> bool:
        """Whether an API call causes it."""
        return self.initiator is not Initiator.GATEWAY


@dataclass
class Till:
    """The only way to book anything."""

    books: Books
    clocks: Clocks
    post: Post
    faults: Faults
    hard: bool = False
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    @property
    def second(self) -> datetime:
        """Now, in whole seconds, as the gateway writes instants."""
        return self.clocks.at.replace(microsecond=0)

    def pay(self, invoice: Invoice, card: Card, payer: Payer, *, part: Money | None = None) -> Booked:
        """Authorise and book one payment. Raises Refused."""
        if invoice.status not in PAYABLE:
            raise Refused(f"the invoice is {invoice.status.value}")
        if self.books.pending(invoice.id) is not None:
            raise Refused("a payment is processing")
        on_session = payer.initiator is Initiator.CUSTOMER
        mood = self.books.moods.get(card.budget_key, "honor")
        status, signals = answer(
            mood, self.faults.dice.of(f"issuer/{invoice.id}"), on_session=on_session, hard=self.hard
        )
        if status is ChargeStatus.SUCCEEDED and part is None and self._processes():
            status = ChargeStatus.PENDING
        charge = Booked(
            id=f"ch_{next(self._numbers)}",
            obligation=invoice.id,
            key=payer.key,
            initiator=payer.initiator,
            amount=part or invoice.remaining,
            at=self.second,
            machine_at=self.clocks.machine_at,
            status=status,
            card=card,
            signals=signals,
            beyond=payer.beyond,
        )
        self.book(invoice, charge, payer)
        return charge

    def _processes(self) -> bool:
        return self.faults.allows("processing") and self.faults.dice.of("processing").random() < 0.08

    def book(self, invoice: Invoice, charge: Booked, payer: Payer) -> None:
        """Write a charge down and tell what followed from it."""
        self.books.charges[charge.id] = charge
        if charge.status is ChargeStatus.SUCCEEDED:
            self._took(invoice, charge, payer)
        elif charge.status is ChargeStatus.FAILED:
            self.tell_failed(invoice, charge, payer)

    def finish(self, charge: Booked, *, well: bool, signals: Signals) -> None:
        """A processing payment ends, by itself: no call causes its events."""
        invoice, payer = self.books.invoices[charge.obligation], Payer(initiator=Initiator.GATEWAY)
        if well:
            charge.status = ChargeStatus.SUCCEEDED
            self._took(invoice, charge, payer)
        else:
            charge.status, charge.signals = ChargeStatus.FAILED, signals
            self.tell_failed(invoice, charge, payer)

    def _took(self, invoice: Invoice, charge: Booked, payer: Payer) -> None:
        invoice.remaining -= charge.amount
        self.tell("invoice_payment.paid", f"inpay_{charge.id}", {"invoice": invoice.id}, payer)
        if invoice.remaining.minor <= 0:
            invoice.remaining = Money(minor=0, currency=invoice.remaining.currency)
            invoice.status, invoice.paid_at = ObligationStatus.PAID, self.second
            self.tell("invoice.paid", invoice.id, self._about(invoice), payer)

    def tell_failed(self, invoice: Invoice, charge: Booked, payer: Payer) -> None:
        """The two events of one failed charge."""
        self.tell("charge.failed", charge.id, {"charge": charge.id, "customer": invoice.customer}, payer)
        self.tell("invoice.payment_failed", invoice.id, self._about(invoice), payer)

    def _about(self, invoice: Invoice) -> dict[str, Any]:
        return {"invoice": invoice.id, "customer": invoice.customer, "status": invoice.status.value}

    def end(self, invoice: Invoice, status: ObligationStatus) -> None:
        """The merchant voids an invoice or writes it off."""
        invoice.status, invoice.ended_at = status, self.second
        kind = "invoice.voided" if status is ObligationStatus.VOID else "invoice.marked_uncollectible"
        self.tell(kind, invoice.id, self._about(invoice), _PERSON)

    def cancel(self, invoice: Invoice) -> None:
        """The customer ends the subscription; its invoices stay open."""
        for each in self.books.invoices.values():
            if each.subscription == invoice.subscription:
                each.subscription_ended_at = self.second
        content = {
            "subscription": invoice.subscription,
            "status": "canceled",
            "cancel_reason": "cancellation_requested",
        }
        self.tell("customer.subscription.deleted", invoice.subscription, content, _PERSON)

    def refund(self, charge: Booked, minor: int) -> None:
        """The merchant gives back a part of a charge or all of it."""
        self._return(charge, minor, "succeeded", dispute=False)
        self.tell("charge.refunded", charge.id, {"charge": charge.id}, _PERSON)

    def dispute(self, charge: Booked) -> None:
        """The cardholder disputes a charge."""
        made = self._return(charge, charge.amount.minor, "needs_response", dispute=True)
        self.tell("charge.dispute.created", made.id, {"charge": charge.id, "dispute": made.id}, _GATEWAY)

    def decide(self, dispute: Returned, *, won: bool) -> None:
        """The bank decides a dispute."""
        dispute.status = "won" if won else "lost"
        content = {"charge": dispute.charge, "dispute": dispute.id}
        self.tell("charge.dispute.closed", dispute.id, content, _GATEWAY)

    def _return(self, charge: Booked, minor: int, status: str, *, dispute: bool) -> Returned:
        number = next(self._numbers)
        made = Returned(
            id=f"{'dp' if dispute else 're'}_{number}",
            charge=charge.id,
            obligation=charge.obligation,
            amount=Money(minor=minor, currency=charge.amount.currency),
            at=self.second,
            status=status,
            dispute=dispute,
        )
        self.books.returned[made.id] = made
        return made

    def tell(self, kind: str, object_id: str, content: dict[str, Any], payer: "Payer") -> None:
        """Make an event and post it."""
        self.post.put(
            Notice(
                id=f"evt_{next(self._numbers)}",
                kind=kind,
                livemode=False,
                created_at=self.second,
                object_id=object_id,
                content=content,
                idempotency_key=payer.key,
                caused_by_request=payer.by_request,
            )
        )


_PERSON = Payer(initiator=Initiator.CUSTOMER)
_GATEWAY = Payer(initiator=Initiator.GATEWAY)
BUSY_FOR = timedelta(hours=30)
"""How long a processing payment takes at most."""
