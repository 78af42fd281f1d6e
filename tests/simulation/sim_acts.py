"""What customers, merchants, banks and the gateway do behind the engine's back. Without it only the engine would ever act."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from sim_books import Booked, Books, Customer, Invoice
from sim_clocks import Clocks
from sim_faults import Faults
from sim_issuers import RARE, brand_of, opening
from sim_till import PAYABLE, Payer, Refused, Till
from sim_worlds import World, drawn

from recovery.cases.obligation import ChargeStatus, ObligationStatus
from recovery.declines.signals import Card, Initiator
from recovery.money import Money

_BRANDS = ("visa", "visa", "mastercard", "amex")


@dataclass
class People:
    """The customers of one run and everything that may happen to their invoices."""

    books: Books
    till: Till
    clocks: Clocks
    faults: Faults
    say: Callable[[str], None]
    world: World = field(init=False)
    _cards: int = 0
    _agenda: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)

    def settle_in(self, customers: int) -> None:
        """Make the customers and plan their failures."""
        dice, self.world = self.faults.dice.of("people"), drawn(self.faults)
        shared = self._card(dice.choice(self.world.moods)) if self.world.shares else None
        for number in range(customers):
            mood = dice.choice(RARE) if dice.random() < 0.06 else dice.choice(self.world.moods)
            shares = shared is not None and dice.random() < self.world.shares
            card = self._entered_again(shared) if shared is not None and shares else self._card(mood)
            customer = Customer(id=f"cus_{number}", default=card, own_cards=[card])
            self.books.customers[customer.id] = customer
            self._other_cards(customer)
            for invoice in range(dice.choice(self.world.bills)):
                self._bill(customer, f"in_{number}_{invoice}")

    def _other_cards(self, customer: Customer) -> None:
        """Some have further cards on file, and some of those said what may be done with them."""
        dice = self.faults.dice.of("backups")
        if not self.faults.allows("backups") or dice.random() < 0.5:
            return
        for _ in range(dice.choice((1, 1, 2, 3))):
            twin = self.faults.allows("twin_card") and dice.random() < 0.25 and customer.default
            mood = dice.choice(("good", "good", "expired", *self.world.moods))
            customer.own_cards.append(self._entered_again(twin) if twin else self._card(mood))
        consent = dice.choice((True, True, False, None))
        if consent is not None:
            self.books.consents[customer.id] = consent

    def _entered_again(self, card: Card) -> Card:
        """The same number as another stored card, of another customer or twice of one."""
        self._cards += 1
        again = replace(card, payment_method=f"pm_{self._cards}")
        self.books.saved_at[again.payment_method] = self.till.second
        return again

    def _card(self, mood: str) -> Card:
        self._cards += 1
        if mood == "cvc" and self.faults.allows("address_corrected") and self.faults.dice.of("slips").random() < 0.7:
            mood = "zip"
        dice = self.faults.dice.of("cards")
        card = Card(
            payment_method=f"pm_{self._cards}",
            brand=brand_of(mood) or dice.choice(_BRANDS),
            funding="credit",
            country=dice.choice(self.world.countries),
            last4=f"{self._cards:04d}",
            exp_month=12,
            exp_year=2027,
            fingerprint=f"fp_{self._cards}",
        )
        self.books.moods[card.budget_key] = mood
        self.books.saved_at[card.payment_method] = self.till.second
        return card

    def _bill(self, customer: Customer, name: str) -> None:
        dice = self.faults.dice.of("bills")
        currency = dice.choice(self.world.currencies)
        older = [each for each in self.books.invoices.values() if each.customer == customer.id and each.card is None]
        month = older if self.faults.dice.of("subscriptions").random() < 0.5 else []
        standing = self.faults.dice.of("standing")
        invoice = Invoice(
            id=name,
            customer=customer.id,
            subscription=month[0].subscription if month else name.replace("in", "sub"),
            status=ObligationStatus.OPEN,
            remaining=Money(minor=dice.choice(self.world.amounts), currency=currency),
            created_at=self.clocks.at,
            since=month[0].since if month else self.world.since(standing, self.clocks.at),
            pays_by_card=not (self.faults.allows("not_by_card") and dice.random() < 0.03),
        )
        self.books.invoices[name] = invoice
        own = self.faults.dice.of("own cards")
        if self.faults.allows("own_cards") and own.random() < 0.4 and not month:
            invoice.card = self._card(own.choice(self.world.moods))
            customer.own_cards.append(invoice.card)
        self.plan(dice.uniform(0, self.world.fails_within_seconds), lambda: self._first_failure(invoice))

    def _first_failure(self, invoice: Invoice) -> None:
        card = self.books.card_of(invoice)
        if card is None or invoice.subscription_ended_at is not None:
            return
        payer = Payer(initiator=Initiator.GATEWAY)
        first = Booked(
            id=f"ch_first_{invoice.id}",
            obligation=invoice.id,
            key=None,
            initiator=Initiator.GATEWAY,
            amount=invoice.remaining,
            at=self.till.second,
            machine_at=self.clocks.machine_at,
            status=ChargeStatus.FAILED,
            card=card,
            signals=opening(self.books.moods[card.budget_key]),
        )
        self.say(f"invoice {invoice.id} fails: {first.signals.brief() if first.signals else ''}")
        self.till.book(invoice, first, payer)
        slips = self.faults.dice.of("slips")
        if self.books.moods[card.budget_key] == "zip" and slips.random() < 0.8:
            for _ in range(slips.choice((1, 1, 2))):
                self.plan(slips.uniform(0, 1_200_000), lambda: self.corrects_address(invoice, card))

    def plan(self, seconds: float, act: Callable[[], None]) -> None:
        """Let something happen after some business time."""
        at = (self.clocks.at + timedelta(seconds=seconds)).timestamp()
        self._agenda.append((at, len(self._agenda), act))
        self._agenda.sort(key=lambda item: item[:2])

    @property
    def next_due(self) -> float | None:
        """When the next planned act is due, as a timestamp of business time."""
        return self._agenda[0][0] if self._agenda else None

    def act_due(self) -> int:
        """Perform what is due; returns how much that was."""
        done = 0
        while self._agenda and self._agenda[0][0] <= self.clocks.at.timestamp():
            self._agenda.pop(0)[2]()
            done += 1
        return done

    def finish_processing(self) -> None:
        """Every processing payment gets its ending."""
        dice = self.faults.dice.of("processing")
        for charge in self.books.charges.values():
            if charge.status is ChargeStatus.PENDING and not charge.signals:
                charge.signals = opening("funds")  # what it will be refused with, if it is
                well = dice.random() < 0.6
                self.plan(dice.uniform(60, 100_000), lambda c=charge, w=well: self._finish(c, w))  # type: ignore[misc]

    def _finish(self, charge: Booked, well: bool) -> None:
        self.say(f"processing {charge.id} ends {'well' if well else 'badly'}")
        self.till.finish(charge, well=well, signals=opening("funds"))

    def something(self) -> None:
        """One act of somebody, chosen by the seed; often nothing comes of it."""
        dice = self.faults.dice.of("acts")
        kind = dice.choices(tuple(_ACTS), weights=[_RARER.get(kind, 3) for kind in _ACTS])[0]
        invoice = dice.choice(list(self.books.invoices.values()))
        if self.faults.allows(kind) and self.books.of(invoice.id):
            _ACTS[kind](self, invoice)

    def pays(self, invoice: Invoice, *, part: bool = False, initiator: Initiator = Initiator.CUSTOMER) -> None:
        """Somebody who is not us pays."""
        dice = self.faults.dice.of("payers")
        customer = self.books.customers[invoice.customer]
        card = self.books.card_of(invoice)
        if initiator is Initiator.CUSTOMER and (card is None or dice.random() < 0.5):
            card = self._card(dice.choice(("good", "good", "funds")))
            customer.own_cards.append(card)
        if card is None or invoice.status not in PAYABLE:
            return
        half = Money(minor=invoice.remaining.minor // 2, currency=invoice.remaining.currency)
        wanted = half if part and half.minor else None
        try:
            made = self.till.pay(invoice, card, Payer(initiator=initiator), part=wanted)
        except Refused:
            return
        self.say(f"{initiator.value} pays {made.amount} of {invoice.id}: {made.status.value}")

    def changes_card(self, invoice: Invoice) -> None:
        """The customer saves another card: on the customer, or on the subscription too."""
        dice = self.faults.dice.of("changers")
        customer = self.books.customers[invoice.customer]
        known = [card for card in customer.own_cards if card is not customer.default]
        card = (
            dice.choice(known)
            if known and dice.random() < 0.3
            else self._card(dice.choice(("good", *self.world.moods)))
        )
        if card not in customer.own_cards:
            customer.own_cards.append(card)
        customer.default = card
        if dice.random() < 0.5:
            invoice.card = card
        self.books.arrived.append((self.clocks.at, customer.id, card, True))
        self.say(f"{customer.id} saves {card.brief()} ({self.books.moods[card.budget_key]})")
        content = {"customer": customer.id, "changed": "invoice_settings"}
        self.till.tell("customer.updated", customer.id, content, Payer(initiator=Initiator.CUSTOMER))

    def corrects_address(self, invoice: Invoice, card: Card) -> None:
        """The customer corrects the billing address of a stored card, rightly or not."""
        if card not in self.books.customers[invoice.customer].own_cards or "address_corrected" in self.faults.off:
            return
        mood = self.faults.dice.of("slips").choice(("good", "good", "funds", "zip"))
        self.books.moods[card.budget_key] = mood
        self.books.corrected.append((self.till.second, invoice.customer, card))
        self.say(f"{invoice.customer} corrects the address of {card.brief()} ({mood})")
        content = {"customer": invoice.customer, "payment_method": card.payment_method, "changed": "billing_address"}
        payer = Payer(initiator=Initiator.CUSTOMER)
        self.till.tell("payment_method.updated", card.payment_method, content, payer)

    def card_updated(self, invoice: Invoice) -> None:
        """The networks tell the gateway of a new card."""
        old = self.books.card_of(invoice)
        if old is None:
            return
        new = self._renewed(self.books.customers[invoice.customer], old)
        content = {"customer": invoice.customer, "payment_method": new.payment_method}
        kind = "payment_method.automatically_updated"
        self.till.tell(kind, new.payment_method, content, Payer(initiator=Initiator.GATEWAY))

    def renewed(self, card: Card) -> Card | None:
        """The networks are asked about a card: its new details, told to nobody else."""
        owner = next((c for c in self.books.customers.values() if card in c.own_cards), None)
        return self._renewed(owner, card) if owner else None

    def _renewed(self, customer: Customer, old: Card) -> Card:
        self._cards += 1
        new = replace(old, fingerprint=f"fp_{self._cards}", exp_year=2030, last4=f"{self._cards:04d}")
        if self.faults.allows("same_number") and self.faults.dice.of("renewals").random() < 0.4:
            # Only the expiry is new: the network's advice about the number holds on.
            new = replace(old, exp_year=old.exp_year + 3 if old.exp_year else 2030)
        elif self.faults.allows("brand_changed") and self.faults.dice.of("updater").random() < 0.4:
            new = replace(new, brand="mastercard" if old.brand == "visa" else "visa")
        self.books.moods[new.budget_key] = self.faults.dice.of("updater").choice(("good", "funds"))
        customer.own_cards = [new if card.payment_method == old.payment_method else card for card in customer.own_cards]
        if customer.default and customer.default.payment_method == old.payment_method:
            customer.default = new
        for mine in self.books.invoices.values():
            if mine.card and mine.card.payment_method == old.payment_method:
                mine.card = new
        self.say(f"the updater brings {new.brief()} to {customer.id}")
        self.books.arrived.append((self.clocks.at, customer.id, new, False))
        return new

    def card_detached(self, invoice: Invoice) -> None:
        """The customer takes the card away."""
        card, customer = self.books.card_of(invoice), self.books.customers[invoice.customer]
        if card is None:
            return
        customer.own_cards = [own for own in customer.own_cards if own.payment_method != card.payment_method]
        customer.default = None if customer.default == card else customer.default
        invoice.card = None if invoice.card == card else invoice.card
        self.say(f"{customer.id} takes {card.brief()} away")
        content = {"customer": customer.id, "payment_method": card.payment_method}
        self.till.tell("payment_method.detached", card.payment_method, content, Payer(initiator=Initiator.CUSTOMER))

    def cancels(self, invoice: Invoice) -> None:
        """The customer leaves."""
        if invoice.subscription_ended_at is None:
            self.say(f"{invoice.subscription} is cancelled")
            self.till.cancel(invoice)

    def ends(self, invoice: Invoice, status: ObligationStatus) -> None:
        """The merchant ends the invoice."""
        if invoice.status is ObligationStatus.OPEN and self.books.pending(invoice.id) is None:
            self.say(f"{invoice.id} becomes {status.value}")
            self.till.end(invoice, status)

    def credit_note(self, invoice: Invoice) -> None:
        """Less is owed than before."""
        if invoice.status is ObligationStatus.OPEN and invoice.remaining.minor > 300:
            less = Money(minor=invoice.remaining.minor // 3, currency=invoice.remaining.currency)
            invoice.remaining -= less
            self.say(f"{invoice.id}: now {invoice.remaining} are owed")
            content = {"invoice": invoice.id, "status": "open"}
            self.till.tell("invoice.updated", invoice.id, content, Payer(initiator=Initiator.CUSTOMER))

    def gives_back(self, invoice: Invoice, *, dispute: bool) -> None:
        """A refund or a dispute of what was paid, or the next step of a dispute."""
        dice = self.faults.dice.of("returns")
        taken = [c for c in self.books.of(invoice.id) if c.status is ChargeStatus.SUCCEEDED]
        running = [r for r in self.books.returned.values() if r.obligation == invoice.id]
        disputed = next((r for r in running if r.dispute and r.status == "needs_response"), None)
        if disputed is not None:
            self.till.decide(disputed, won=dice.random() < 0.5)
        elif taken and dispute and not any(r.dispute for r in running):
            self.say(f"{taken[-1].id} is disputed")
            self.till.dispute(taken[-1])
        elif taken and not dispute and len(running) < 2:
            self.say(f"{taken[-1].id} is refunded")
            self.till.refund(taken[-1], taken[-1].amount.minor // 2)

    def vanishes(self, invoice: Invoice) -> None:
        """The gateway knows the invoice no more, for ever."""
        if invoice.status is ObligationStatus.OPEN and self.faults.dice.of("gone").random() < 0.05:
            self.say(f"{invoice.id} is gone at the gateway")
            invoice.gone = True


_ACTS: dict[str, Callable[[People, Invoice], None]] = {
    "customer_pays": People.pays,
    "customer_changes_card": People.changes_card,
    "customer_cancels": People.cancels,
    "merchant_voids": lambda people, invoice: people.ends(invoice, ObligationStatus.VOID),
    "merchant_writes_off": lambda people, invoice: people.ends(invoice, ObligationStatus.UNCOLLECTIBLE),
    "amount_changes": People.credit_note,
    "part_payment": lambda people, invoice: people.pays(invoice, part=True),
    "gateway_retries": lambda people, invoice: people.pays(invoice, initiator=Initiator.GATEWAY),
    "card_updated": People.card_updated,
    "card_detached": People.card_detached,
    "refund": lambda people, invoice: people.gives_back(invoice, dispute=False),
    "dispute": lambda people, invoice: people.gives_back(invoice, dispute=True),
    "gone": People.vanishes,
}
_RARER = {"customer_cancels": 1, "merchant_voids": 1, "merchant_writes_off": 1, "gone": 1, "card_detached": 1}
_RARER |= {"card_updated": 6}
"""What ends most stories at once happens less often than the rest, which has weight 3; new details more often."""
