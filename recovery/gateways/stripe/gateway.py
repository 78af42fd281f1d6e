"""Stripe behind the port. Without it the engine would speak to Stripe in its own words."""

import logging
import time as machine_time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

import stripe

from recovery.cases.answers import Answer
from recovery.cases.obligation import Obligation, ObligationStatus
from recovery.cases.updating import Freshness, Unsupported, UpdaterWay
from recovery.cases.wallet import KeptCard, Wallet
from recovery.declines.signals import Card
from recovery.gateways.port import (
    ChargeOrder,
    ChargesPage,
    Contact,
    Fee,
    Gateway,
    InvoicesPage,
    ListedObligation,
    Notice,
    Renewal,
    RenewalPage,
    Reversal,
    SeenCharge,
    SeenReversal,
    Standing,
    SubscriptionsPage,
)
from recovery.gateways.stripe.attributing import attributed
from recovery.gateways.stripe.calls import Calls, Time
from recovery.gateways.stripe.fees import read_fee
from recovery.gateways.stripe.fields import flag, ident, text
from recovery.gateways.stripe.listing import notices_since, open_obligations
from recovery.gateways.stripe.notices import notice_of
from recovery.gateways.stripe.past import charges_page, invoices_page
from recovery.gateways.stripe.paying import Paying
from recovery.gateways.stripe.reading import Reading
from recovery.gateways.stripe.renewals import renewal_of, renewal_page
from recovery.gateways.stripe.reversals import read_reversals
from recovery.gateways.stripe.settling import Settling
from recovery.gateways.stripe.signature import check_signature, parsed
from recovery.gateways.stripe.statements import charges_between, reversals_between, seen_charge
from recovery.gateways.stripe.subscriptions import subscriptions_page
from recovery.gateways.stripe.transport import DEFAULT_LIMITS, Limits, Pace, Transport

API_BASE: Final = "https://api.stripe.com"
_LIVE_PREFIXES: Final = ("sk_live_", "rk_live_")


class StripeGateway(Gateway):
    """The port's promises kept by Stripe's own client. Safe to use from many threads; make it after a fork.

    ``webhook_secrets`` may be several while one replaces another. ``sleep`` and ``monotonic`` are machine time.
    """

    name = "stripe"
    updater = UpdaterWay.PASSIVE  # no call triggers it, and nothing tells which cards are covered

    def __init__(
        self,
        *,
        secret_key: str,
        webhook_secrets: tuple[str, ...] = (),
        api_base: str = API_BASE,
        limits: Limits = DEFAULT_LIMITS,
        pace: Pace | None = None,
        sleep: Callable[[float], None] = machine_time.sleep,
        monotonic: Callable[[], float] = machine_time.monotonic,
    ) -> None:
        # The client writes whole bodies to its debug log; they hold names and addresses.
        logging.getLogger("stripe").setLevel(logging.WARNING)
        self.livemode = secret_key.startswith(_LIVE_PREFIXES)
        self.call_bound_seconds = limits.bound_seconds
        self._webhook_secrets = tuple(secret for secret in webhook_secrets if secret.strip())
        self._transport = Transport(api_base, limits, monotonic=monotonic, pace=pace)
        client = stripe.StripeClient(
            secret_key,
            base_addresses={"api": api_base.rstrip("/")},
            http_client=self._transport,
            max_network_retries=0,  # the one loop with the one bound is in calls.py
        )
        self._calls = Calls(client, self._transport, limits=limits, time=Time(sleep=sleep, monotonic=monotonic))
        self._reading = Reading(self._calls)
        self._paying = Paying(self._calls, self._reading)
        self._settling = Settling(self._calls, self._reading)

    def __repr__(self) -> str:
        return f"StripeGateway(livemode={self.livemode})"

    def close(self) -> None:
        """Close the kept connections."""
        self._transport.close()

    def verify(self, body: bytes, signature: str, *, machine_now: datetime) -> Notice:
        check_signature(body, signature, secrets=self._webhook_secrets, machine_now=machine_now)
        return notice_of(parsed(body))

    def read_obligation(self, obligation: str) -> Obligation:
        with self._calls.within():
            read = self._reading.obligation(obligation)
            return attributed(self._calls, read) if read.status is ObligationStatus.PAID else read

    def obligation_of(self, *, payment_intent: str | None = None, charge: str | None = None) -> str | None:
        with self._calls.within():
            made = self._reading.charge(charge) if charge is not None and payment_intent is None else None
            return self._reading.obligation_of(payment_intent=payment_intent, charge=made)

    def obligations_of_customer(self, customer: str) -> tuple[str, ...]:
        with self._calls.within():
            return self._reading.open_obligations(customer)

    def open_obligations(self) -> Iterator[ListedObligation]:
        """Each page with a bound of its own: a big account has hundreds of them."""
        return open_obligations(self._calls)

    def read_wallet(self, obligation: Obligation) -> Wallet:
        with self._calls.within():
            return self._reading.wallet(obligation)

    def read_owed(self, obligation: str) -> tuple[Obligation, Wallet]:
        with self._calls.within():
            read, wallet = self._reading.owed(obligation)
            return (attributed(self._calls, read) if read.status is ObligationStatus.PAID else read), wallet

    def ask_updater(self, card: Card) -> Freshness:  # noqa: ARG002 - there is nobody to ask
        return Unsupported()

    def charge(self, order: ChargeOrder) -> Answer:
        with self._calls.within():
            return self._paying.attempt(order)

    def settle(self, order: ChargeOrder) -> Answer | None:
        with self._calls.within():
            return self._settling.settle(order)

    def make_default(self, subscription: str, payment_method: str) -> None:
        with self._calls.within():
            wish = {"default_payment_method": payment_method}
            self._calls.read(self._calls.client.v1.subscriptions.update, subscription, wish)

    def read_reversals(self, charge: str) -> tuple[tuple[Reversal, ...], tuple[Reversal, ...]]:
        with self._calls.within():
            return read_reversals(self._calls, self._reading, name=charge)

    def charge_of(self, reversal: str, *, dispute: bool) -> str | None:
        with self._calls.within():
            return ident(self._calls.read(self._calls.to("disputes" if dispute else "refunds", reversal)), "charge")

    def read_charge(self, charge: str) -> SeenCharge:
        with self._calls.within():
            return seen_charge(self._reading.charge(charge))

    def charges_between(self, start: datetime, end: datetime) -> Iterator[SeenCharge]:
        return charges_between(self._calls, start, end)

    def reversals_between(self, start: datetime, end: datetime) -> Iterator[SeenReversal]:
        return reversals_between(self._calls, start, end)

    def subscriptions_page(self, *, behind: str | None) -> SubscriptionsPage:
        return subscriptions_page(self._calls, behind=behind)

    def invoices_page(self, *, since: datetime, behind: str | None) -> InvoicesPage:
        return invoices_page(self._calls, since=since, behind=behind)

    def charges_page(self, *, since: datetime, behind: str | None) -> ChargesPage:
        return charges_page(self._calls, since=since, behind=behind)

    def cards_of(self, customer: str, subscription: str | None) -> tuple[KeptCard, ...]:
        with self._calls.within():
            return self._reading.wallet_of(customer, subscription).cards

    def read_fee(self, charge: str) -> Fee | None:
        with self._calls.within():
            return read_fee(self._calls, charge)

    def read_contact(self, obligation: str) -> Contact:
        with self._calls.within():
            return self._reading.contact(obligation)

    def open_card_page(self, customer: str, *, return_url: str) -> str:
        """A session of the billing portal that shows nothing but the card form."""
        flow = {"type": "payment_method_update"}
        params = {"customer": customer, "return_url": return_url, "flow_data": flow}
        with self._calls.within():
            made = self._calls.read(self._calls.client.v1.billing_portal.sessions.create, params)
        return text(made, "url") or ""

    def notices_since(self, at: datetime) -> Iterator[Notice]:
        """The events that intake stores, by days of Stripe's list, each page with a bound of its own."""
        return notices_since(self._calls, at)

    def renewals(self, behind: str | None) -> RenewalPage:
        with self._calls.within():
            return renewal_page(self._calls, behind)

    def renewal(self, subscription: str) -> Renewal | None:
        with self._calls.within():
            return renewal_of(self._calls, subscription)

    def holder_of(self, payment_method: str) -> str | None:
        with self._calls.within():
            return ident(self._calls.read(self._calls.to("payment_methods", payment_method)), "customer")

    def standing(self) -> Standing:
        """Whose key it is, and whether that account may charge at all."""
        with self._calls.within():
            account = self._calls.read(self._calls.client.v1.accounts.retrieve_current)
        able = "charges enabled" if flag(account, "charges_enabled") else "charges not enabled"
        country = text(account, "country") or "country unknown"
        return Standing(account=ident(account) or "", livemode=self.livemode, detail=f"{able}, {country}")
