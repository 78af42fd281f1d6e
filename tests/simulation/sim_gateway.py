"""A gateway at the port, with the sandbox's semantics and everything that can go wrong on the way to it.

In process and deterministic: thousands of runs over HTTP would take days.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sim_books import Booked, Called, Invoice
from sim_clocks import Clocks
from sim_faults import Crashed, Faults
from sim_till import Payer, Refused, Till

from recovery.cases.answers import (
    AlreadySettled,
    Answer,
    Declined,
    Misconfigured,
    NeedsCustomer,
    NotSent,
    Processing,
    Succeeded,
    Unknown,
)
from recovery.cases.obligation import ChargeStatus, Obligation, ObligationStatus
from recovery.cases.updating import (
    Closed,
    ContactCardholder,
    Freshness,
    NotYetKnown,
    Unchanged,
    Unsupported,
    Updated,
    UpdaterWay,
)
from recovery.cases.wallet import KeptCard, Wallet
from recovery.declines.signals import Card, Initiator, Signals
from recovery.gateways.port import (
    ChargeOrder,
    ChargesPage,
    Contact,
    Fee,
    Gateway,
    GatewayMisconfigured,
    GatewayUnavailable,
    InvoicesPage,
    ListedObligation,
    NotFound,
    Notice,
    Renewal,
    RenewalPage,
    Reversal,
    SeenCharge,
    SeenReversal,
    Standing,
    SubscriptionsPage,
)
from recovery.money import Money

BOUND_SECONDS: Final = 80.0
MARGIN_SECONDS: Final = 30.0
KEY_LIFE: Final = timedelta(hours=24)
LISTED: Final = timedelta(days=30)
"""How long the gateway tells of an event."""


@dataclass
class SimGateway(Gateway):
    """The port's promises, kept by ``till``; ``meanwhile`` lets others act while a call is under way."""

    till: Till
    clocks: Clocks
    faults: Faults
    say: Callable[[str], None]
    meanwhile: Callable[[str, float], None]
    name: str = "stripe"
    livemode: bool = False
    call_bound_seconds: float = BOUND_SECONDS
    landings: list[tuple[datetime, ChargeOrder, bool, Called]] = field(default_factory=list)
    landed: dict[str, Answer] = field(default_factory=dict)
    """How the requests were answered that landed while their workers waited or had given up."""
    updater: UpdaterWay = UpdaterWay.PASSIVE
    renew: Callable[[Card], Card | None] = field(default=lambda _: None)
    """What the networks know of a card: its new details, which are stored; None where they know nothing."""
    listed: set[str] = field(default_factory=set)
    """The events that a reading of the list showed."""
    key_refused: bool = False
    """Whether our key was taken away: every call answers 401 until a person acts."""

    def verify(self, body: bytes, signature: str, *, machine_now: datetime) -> Notice:
        return self.till.post.notices[body.decode()]

    def _read(self, what: str) -> None:
        """The edges around one read."""
        if self.faults.strikes("crash"):
            self.say(f"  CRASH reading {what}")
            raise Crashed
        if self.key_refused:
            raise GatewayMisconfigured("401")
        if self.faults.strikes("unreadable"):
            raise GatewayUnavailable("timeout")
        if self.faults.strikes("frozen"):
            self.say(f"  FROZEN reading {what}")
            self.meanwhile("frozen", 1500)
        elif self.faults.strikes("meanwhile"):
            self.meanwhile(f"reading {what}", BOUND_SECONDS)

    def _invoice(self, name: str) -> Invoice:
        found = self.till.books.invoices[name]
        if found.gone:
            raise NotFound(f"404 {name}")
        return found

    def read_obligation(self, obligation: str) -> Obligation:
        self._invoice(obligation)
        seen = self._shown(obligation)
        self._read(f"invoice {obligation}")
        return seen

    def _shown(self, obligation: str) -> Obligation:
        invoice = self._invoice(obligation)
        self.till.books.owed.setdefault(obligation, []).append((self.clocks.machine_at, invoice.remaining))
        return Obligation(
            id=invoice.id,
            customer=invoice.customer,
            status=invoice.status,
            remaining=invoice.remaining,
            livemode=False,
            charge_automatically=True,
            billing_reason="subscription_cycle",
            created_at=invoice.created_at,
            subscription=invoice.subscription,
            subscription_live=invoice.subscription_ended_at is None,
            pays_by_card=invoice.pays_by_card,
            subscribed_at=invoice.since.subscribed_at,
            trial_ended_at=invoice.since.trial_ended_at,
            interval=invoice.since.interval,
            paid_at=invoice.paid_at,
            card=self.till.books.card_of(invoice),
            charges=tuple(charge.as_charge() for charge in self.till.books.of(obligation)),
        )

    def obligation_of(self, *, payment_intent: str | None = None, charge: str | None = None) -> str | None:
        self._read(f"charge {charge}")
        made = self.till.books.charges.get(charge or "")
        return made.obligation if made else None

    def obligations_of_customer(self, customer: str) -> tuple[str, ...]:
        mine = [i for i in self.till.books.invoices.values() if i.customer == customer]
        return tuple(i.id for i in mine if i.status is ObligationStatus.OPEN)

    def open_obligations(self) -> Iterator[ListedObligation]:
        self._read("the open invoices")
        listed = [i for i in self.till.books.invoices.values() if i.status is ObligationStatus.OPEN]
        return iter([ListedObligation(id=i.id, created_at=i.created_at) for i in listed])

    def read_wallet(self, obligation: Obligation) -> Wallet:
        wallet = self.till.books.wallet_of(self.till.books.invoices[obligation.id])
        self.till.books.shown.setdefault(obligation.id, []).append((self.clocks.machine_at, wallet))
        self._read(f"cards of {obligation.id}")
        return wallet

    def ask_updater(self, card: Card) -> Freshness:
        self._read(f"the updater about {card.payment_method}")
        dice = self.faults.dice.of("asked")
        throw = dice.random()
        if throw < 0.3:
            new = self.renew(card)
            return Updated(card=new, changed=new.differences(card)) if new else Unsupported()
        if throw < 0.4:
            self.till.books.closed.append((self.clocks.at, card))
            return Closed()
        if throw < 0.5:
            return ContactCardholder()
        return NotYetKnown(detail="asked") if throw < 0.6 else Unchanged()

    def charge(self, order: ChargeOrder) -> Answer:
        call = Called(key=order.key, obligation=order.obligation, at=self.clocks.at, machine_at=self.clocks.machine_at)
        self.till.books.calls.append(call)
        if self.faults.strikes("crash"):
            call.fault = "crash before"
            self.say(f"  CRASH before charging {order.key}")
            raise Crashed
        others_act = self.faults.strikes("meanwhile")
        answer = self._charge(order, call, others_act=others_act)
        self.say(f"  charge {order.key}: {type(answer).__name__} {call.fault or ''}")
        if self.faults.strikes("webhook_first"):
            self.meanwhile("webhook first", 15)
        if self.faults.strikes("crash"):
            self.say(f"  CRASH after charging {order.key}")
            raise Crashed
        return answer

    def _charge(self, order: ChargeOrder, call: Called, *, others_act: bool) -> Answer:
        if self.key_refused:
            return Misconfigured(detail="401")
        kinds = ("unauthorized", "rate_limited", "conflict", "missing", "unanswered_landed", "unanswered_never")
        call.fault = self.faults.chosen(*kinds, "unanswered_late", "unanswered_beyond", "replayed_500")
        dice = self.faults.dice.of("unanswered")
        match call.fault:
            case "unauthorized":
                self.key_refused = True
                return Misconfigured(detail="401")
            case "rate_limited" | "conflict" | "missing":
                return NotSent(detail=call.fault)
            case "unanswered_landed":
                self.land(order, call)
                self.pass_time(dice.uniform(1, BOUND_SECONDS))
            case "replayed_500":
                # The request was executed or not; its key answers 500 for a day either way.
                if dice.random() < 0.5:
                    self.land(order, call)
            case "unanswered_never":
                self.pass_time(dice.uniform(1, BOUND_SECONDS))
            case "unanswered_late":
                self._later(order, call, dice.uniform(0, BOUND_SECONDS + MARGIN_SECONDS - 1), beyond=False)
            case "unanswered_beyond":
                self._later(order, call, dice.uniform(300, 300_000), beyond=True)
            case _ if others_act:
                return self._while_others_act(order, call, dice.uniform(0.1, BOUND_SECONDS / 2))
            case _:
                self.pass_time(dice.uniform(0.1, 3))
                answer = self.land(order, call)
                self._twice(order, call)
                return answer
        return Unknown(detail=call.fault)

    def _while_others_act(self, order: ChargeOrder, call: Called, seconds: float) -> Answer:
        """The request lands at its own instant while others act; how long they keep its worker is nothing to it."""
        self._later(order, call, seconds, beyond=False)
        self.meanwhile(f"charging {order.key}", BOUND_SECONDS / 2)
        assert call.lands_at is not None
        self.pass_time(max((call.lands_at - self.clocks.machine_at).total_seconds(), 0))
        if self.clocks.machine_at > call.machine_at + timedelta(seconds=BOUND_SECONDS):
            call.fault = "given up"
            return Unknown(detail="timeout")
        return self.landed[order.key]

    def _later(self, order: ChargeOrder, call: Called, seconds: float, *, beyond: bool) -> None:
        """``seconds`` after the call began, however much of that has passed: its bound counts from there."""
        call.lands_at = call.machine_at + timedelta(seconds=seconds)
        self.landings.append((call.lands_at, order, beyond, call))

    def _twice(self, order: ChargeOrder, call: Called) -> None:
        """The request hung twice on its way; the second arrives when the gateway has forgotten its key."""
        if self.faults.strikes("key_expired"):
            call.fault = "key_expired"
            seconds = KEY_LIFE.total_seconds() * self.faults.dice.of("unanswered").uniform(1.0, 2.5)
            self._later(order, call, seconds, beyond=True)

    def pass_time(self, seconds: float) -> None:
        """Let time pass; what is on its way meanwhile lands at its own instant."""
        ends = self.clocks.machine_at + timedelta(seconds=seconds)
        for at in sorted(item[0] for item in self.landings if self.clocks.machine_at < item[0] <= ends):
            self.clocks.tick(max((at - self.clocks.machine_at).total_seconds(), 0))
            self.land_due()
        self.clocks.tick(max((ends - self.clocks.machine_at).total_seconds(), 0))
        self.land_due()

    def land_due(self) -> int:
        """Let the requests that nobody waits for any more reach the gateway; returns how many did."""
        due = [item for item in self.landings if item[0] <= self.clocks.machine_at]
        for item in due:
            self.landings.remove(item)
            _, order, beyond, call = item
            answer = self.land(order, call, beyond=beyond)
            self.landed[order.key] = answer
            self.say(f"  late landing of {order.key}: {type(answer).__name__}")
        return len(due)

    def land(self, order: ChargeOrder, call: Called, *, beyond: bool = False) -> Answer:
        """Execute one request as the gateway does: a key once, an invoice once."""
        books = self.till.books
        known = books.keys.get(order.key)
        if known is not None and self.clocks.at - known[0] < KEY_LIFE:
            return _answer(books.charges[known[1]])
        invoice = books.invoices[order.obligation]
        card = self._method(invoice, order.payment_method)
        if card is None:
            return Declined(signals=Signals(error_code="payment_method_unexpected_state", reached_network=False))
        payer = Payer(initiator=Initiator.ENGINE, key=order.key, beyond=beyond)
        try:
            charge = self.till.pay(invoice, card, payer)
        except Refused as refused:
            call.refused = str(refused)
            pending = books.pending(invoice.id)
            call.behind = pending.machine_at if pending else None
            if invoice.status is ObligationStatus.OPEN:
                return Unknown(detail=str(refused))
            return AlreadySettled(detail=str(refused))
        books.keys[order.key] = (self.clocks.at, charge.id)
        call.landed_at = self.clocks.machine_at
        return _answer(charge)

    def _method(self, invoice: Invoice, payment_method: str) -> Card | None:
        customer = self.till.books.customers[invoice.customer]
        return next((card for card in customer.own_cards if card.payment_method == payment_method), None)

    def settle(self, order: ChargeOrder) -> Answer | None:
        self._invoice(order.obligation)
        made = self.till.books.by_key(order.key)
        status = self.till.books.invoices[order.obligation].status
        answer = _answer(made) if made is not None else None
        sent = [call.machine_at for call in self.till.books.calls if call.key == order.key]
        waited = self.clocks.machine_at - max(sent, default=self.clocks.machine_at - timedelta(days=1))
        if made is None and waited < timedelta(seconds=BOUND_SECONDS):
            self.till.books.hasty.append(
                f"{order.key} was settled {waited} after its call, which may land until its bound"
            )
        self._read(f"what became of {order.key}")
        if answer is not None:
            return answer
        if status is ObligationStatus.OPEN:
            return None
        return AlreadySettled(detail=f"the invoice is {status.value}, and not by this attempt")

    def charge_of(self, reversal: str, *, dispute: bool) -> str | None:
        self._read(f"the charge of {reversal}")
        return self.till.books.returned[reversal].charge

    def read_reversals(self, charge: str) -> tuple[tuple[Reversal, ...], tuple[Reversal, ...]]:
        self._read(f"reversals of {charge}")
        found = [r for r in self.till.books.returned.values() if r.charge == charge]
        shown = {
            dispute: tuple(
                Reversal(
                    id=r.id,
                    obligation=r.obligation,
                    charge_id=charge,
                    amount=r.amount,
                    status=r.status,
                    occurred_at=r.at,
                )
                for r in found
                if r.dispute is dispute
            )
            for dispute in (False, True)
        }
        return shown[False], shown[True]

    def read_charge(self, charge: str) -> SeenCharge:
        made = self.till.books.charges[charge]
        shown = made.as_charge()
        succeeded = shown.status is ChargeStatus.SUCCEEDED
        return SeenCharge(
            id=charge, customer=None, amount=shown.amount, succeeded=succeeded, created_at=shown.created_at
        )

    def charges_between(self, start: datetime, end: datetime) -> Iterator[SeenCharge]:
        return iter(())

    def reversals_between(self, start: datetime, end: datetime) -> Iterator[SeenReversal]:
        return iter(())

    def subscriptions_page(self, *, behind: str | None) -> SubscriptionsPage:
        return SubscriptionsPage(subscriptions=(), last=None)

    def invoices_page(self, *, since: datetime, behind: str | None) -> InvoicesPage:
        return InvoicesPage(invoices=(), last=None)

    def charges_page(self, *, since: datetime, behind: str | None) -> ChargesPage:
        return ChargesPage(charges=(), last=None)

    def cards_of(self, customer: str, subscription: str | None) -> tuple[KeptCard, ...]:
        return ()

    def read_fee(self, charge: str) -> Fee | None:
        self._read(f"fee of {charge}")
        made = self.till.books.charges[charge]
        fee = Money(minor=made.amount.minor * 29 // 1000 + 30, currency=made.amount.currency)
        return Fee(id=f"txn_{charge}", charge_id=charge, amount=fee, occurred_at=made.at)

    def read_contact(self, obligation: str) -> Contact:
        self._read(f"contact of {obligation}")
        customer = self.till.books.invoices[obligation].customer
        address = f"{customer}+{obligation}@example.com"
        return Contact(email=address, name=None, locale="en", hosted_url="https://example.com/pay")

    def open_card_page(self, customer: str, *, return_url: str) -> str:
        self._read(f"card page of {customer}")
        return return_url

    def notices_since(self, at: datetime) -> Iterator[Notice]:
        self._read("the list of events")
        since = max(at.replace(microsecond=0), self.clocks.at - LISTED)
        found = [n for n in self.till.post.notices.values() if n.created_at >= since]
        self.listed |= {n.id for n in found}
        return iter(found)

    def make_default(self, subscription: str, payment_method: str) -> None:
        invoice = next(i for i in self.till.books.invoices.values() if i.subscription == subscription)
        card = self._method(invoice, payment_method)
        self._read(f"the update of {subscription}")
        if card is None:
            raise NotFound(f"404 {payment_method}")
        invoice.card = card
        self._read(f"the answer about {subscription}")

    def renewals(self, behind: str | None) -> RenewalPage:
        return RenewalPage(renewals=(), behind=None)

    def renewal(self, subscription: str) -> Renewal | None:
        return None

    def holder_of(self, payment_method: str) -> str | None:
        self._read(f"the holder of {payment_method}")
        holders = self.till.books.customers.values()
        return next((c.id for c in holders if any(k.payment_method == payment_method for k in c.own_cards)), None)

    def standing(self) -> Standing:
        return Standing(account="acct_sim", livemode=False, detail="charges enabled")


def _answer(charge: Booked) -> Answer:
    if charge.status is ChargeStatus.SUCCEEDED:
        return Succeeded(charge=charge.as_charge())
    if charge.status is ChargeStatus.PENDING:
        return Processing(charge_id=charge.id)
    signals = charge.signals or Signals()
    if signals.decline_code == "authentication_required":
        return NeedsCustomer(signals=signals, charge_id=charge.id)
    return Declined(signals=signals, charge_id=charge.id)
