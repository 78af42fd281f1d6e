"""Chooses the concrete parts and joins them. The one place that knows which gateway, mailer and clock are in use."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from pydantic import SecretStr
from sqlalchemy import Engine

from recovery.cases.lifecycle import LETTERS, StepKind
from recovery.charging.breaker import Breaker
from recovery.charging.charge import ChargeCard
from recovery.charging.ending import CloseCase, Escalate
from recovery.charging.keep import KeepCard
from recovery.charging.lookahead import LookAhead
from recovery.charging.refresh import RefreshCard
from recovery.charging.settle import SettleAttempt
from recovery.charging.siblings import WakeSiblings
from recovery.dunning.letter import Letters
from recovery.dunning.mailer import SmtpMailer
from recovery.dunning.merchant import Merchant
from recovery.dunning.objecting import list_addresses
from recovery.dunning.recess import Standing, standing
from recovery.dunning.send import Outbox, SendEmail
from recovery.engine.claims import Performer, perform_due
from recovery.engine.door import Door
from recovery.engine.leases import LeaseKeeper
from recovery.engine.sweep import sweep
from recovery.gateways.port import Gateway
from recovery.gateways.stripe import KINDS, Limits, Pace, StripeGateway
from recovery.intake.backfill import Backfill
from recovery.intake.events import Intake
from recovery.intake.fees import book_fees
from recovery.reporting.rates import Rates, read_rates
from recovery.runtime.asking import addresses_of, letters_of, links_of
from recovery.runtime.clock import clock_from, machine_now
from recovery.runtime.knowledge import Knowledge, load_knowledge
from recovery.runtime.pace import SharedPace
from recovery.runtime.rulebook import StoredRuleBook
from recovery.runtime.settings import Settings, SettingsInvalid
from recovery.storage.connect import connect, reading
from recovery.storage.event_store import DROPPED_MAX, drop_done
from recovery.storage.report_rollup import roll_up
from recovery.storage.step_store import due_kinds

EVENT_KINDS = KINDS
"""The explicit set of events that intake keeps; all others are acknowledged and forgotten."""

ROUNDS = 10
"""So many steps of a kind for each thread before the next kind has its turn: enough that threads seldom wait for each other's last.
A slow gateway ends a turn earlier, after claims.REFILL_SECONDS."""

ROLLED_UP_MAX = 2000
"""Cases whose figures are made in one transaction: some tenths of a second."""


@dataclass(frozen=True)
class Wiring:
    """Everything one process needs, made on first use. ``database_url`` is where the database really is (embedded or not)."""

    settings: Settings
    database_url: str = field(repr=False)
    pool_size: int = 5
    broker_url: str | None = field(default=None, repr=False)
    """Where the rate of calls is shared; None: nobody else calls."""
    known: Knowledge | None = field(default=None, repr=False)
    """The configuration folder where it was read already, such as before a fork; None: it is read on first use."""

    @cached_property
    def database(self) -> Engine:
        """The pooled database engine."""
        return connect(self.database_url, pool_size=self.pool_size)

    @cached_property
    def gateway(self) -> Gateway:
        """The payment gateway. Raises SettingsInvalid when no key is set."""
        return self._gateway(self._pace())

    @cached_property
    def letters_gateway(self) -> Gateway:
        """The same, whose calls leave a share of the rate to charges."""
        pace = self._pace(letters=True)
        return self.gateway if pace is None else self._gateway(pace)

    def _gateway(self, pace: Pace | None) -> Gateway:
        settings = self.settings
        if settings.stripe_secret_key is None:
            raise SettingsInvalid(
                "RECOVERY_STRIPE_SECRET_KEY: not set; take it from the Stripe dashboard, Developers, API keys"
            )
        return StripeGateway(
            secret_key=settings.stripe_secret_key.get_secret_value(),
            webhook_secrets=tuple(secret.get_secret_value() for secret in settings.stripe_webhook_secrets),
            api_base=settings.stripe_api_base,
            limits=Limits(bound_seconds=settings.stripe_call_seconds),
            pace=pace,
        )

    def _pace(self, *, letters: bool = False) -> Pace | None:
        rate = self.settings.calls_per_second
        return (
            None
            if rate == 0 or self.broker_url is None
            else SharedPace(self.broker_url, calls_per_second=rate, letters=letters)
        )

    @cached_property
    def knowledge(self) -> Knowledge:
        """The configuration folder, checked. Raises ConfigInvalid."""
        return self.known or load_knowledge(self.settings.config_dir)

    @cached_property
    def rulebook(self) -> StoredRuleBook:
        """Policy and knowledge from the configuration folder. Raises ConfigInvalid."""
        settle_seconds = self.settings.stripe_call_seconds + self.settings.settle_margin_seconds
        return StoredRuleBook(self.knowledge, settle_seconds=settle_seconds)

    @cached_property
    def door(self) -> Door:
        """The engine's surroundings; the current policy is kept in the database before any case can be pinned on it."""
        self.rulebook.keep_current(self.database, machine_now=machine_now())
        clock = clock_from(self.settings.clock_file)
        return Door(
            database=self.database,
            rulebook=self.rulebook,
            clock=clock.now,
            machine_clock=machine_now,
            tells_merchant=self.merchant is not None,
        )

    @cached_property
    def mailer(self) -> SmtpMailer:
        """The way to the mail server."""
        settings = self.settings
        return SmtpMailer(
            host=settings.smtp_host,
            port=settings.smtp_port,
            security=settings.smtp_security,
            username=settings.smtp_username,
            password=_open(settings.smtp_password),
            sender=settings.mail_from,
            tries=settings.smtp_tries,
        )

    @cached_property
    def letters(self) -> Letters:
        """The emails' texts and form."""
        return letters_of(self.settings)

    @cached_property
    def outbox(self) -> Outbox:
        """What sending has beside mailer and letters."""
        settings = self.settings
        return Outbox(
            sender_domain=settings.sender_domain,
            links=links_of(settings),
            addresses=addresses_of(settings),
            per_second=settings.mail_per_second,
        )

    @cached_property
    def merchant(self) -> Merchant | None:
        """The merchant's app, where it listens. Raises SettingsInvalid when there is nothing to sign with."""
        settings = self.settings
        if settings.merchant_url is None:
            return None
        if not settings.merchant_secrets:
            raise SettingsInvalid("RECOVERY_MERCHANT_SECRETS: not set, and RECOVERY_MERCHANT_URL needs it")
        secrets = tuple(secret.get_secret_value() for secret in settings.merchant_secrets)
        return Merchant(database=self.database, url=settings.merchant_url, secrets=secrets, machine_clock=machine_now)

    @cached_property
    def intake(self) -> Intake:
        """Works through stored events."""
        return Intake(self.door, self.gateway, self.keeper)

    @cached_property
    def breaker(self) -> Breaker:
        """Lets this process's charging rest while the gateway is ill."""
        return Breaker(machine_now)

    @cached_property
    def keeper(self) -> LeaseKeeper:
        """Renews what this process has claimed."""
        return LeaseKeeper(lease_seconds=self.settings.lease_seconds)

    @cached_property
    def performers(self) -> Mapping[StepKind, Performer]:
        """Who performs which step. Cheap and urgent kinds come first."""
        door, gateway = self.door, self.gateway
        send = SendEmail(door, self.letters_gateway, self.mailer, self.letters, self.outbox)
        return {
            StepKind.SETTLE_ATTEMPT: SettleAttempt(door, gateway),
            StepKind.WAKE_SIBLINGS: WakeSiblings(door),
            StepKind.KEEP_CARD: KeepCard(door, gateway),
            StepKind.REFRESH_CARD: RefreshCard(door, gateway),
            StepKind.CHARGE_CARD: ChargeCard(door, gateway, self.breaker),
            StepKind.SEND_EMAIL: send,
            StepKind.CLOSE_CASE: CloseCase(door, gateway),
            StepKind.ESCALATE: Escalate(door),
            StepKind.ASK_REASON: send,
        }

    def perform_steps(self) -> int:
        """One bounded batch of due steps of each kind but letters; returns how many were claimed."""
        return self._perform({kind: one for kind, one in self.performers.items() if kind not in LETTERS})

    def write_letters(self) -> int:
        """One bounded batch of due letters, none while the mail server is ill; returns how many were claimed."""
        letters = {kind: one for kind, one in self.performers.items() if kind in LETTERS}
        if not self.due_kinds() & LETTERS:
            return 0
        match standing(self.door, self.mailer):
            case Standing.RESTS:
                return 0
            case Standing.TRIAL:
                return self._perform(letters, most=1)
            case Standing.WELL:
                return self._perform(letters)

    def _perform(self, performers: Mapping[StepKind, Performer], *, most: int | None = None) -> int:
        threads = self.settings.threads
        batch = self.settings.batch if threads == 1 else ROUNDS * threads
        return perform_due(self.door, performers, batch=most or batch, threads=threads, keeper=self.keeper)

    def due_kinds(self) -> frozenset[StepKind]:
        """The kinds of steps that could be claimed now."""
        with reading(self.database) as tx:
            due, suspected = due_kinds(tx, moment=self.door.moment())
        return due | suspected

    def tell_merchant(self) -> int:
        """One bounded batch of messages to the merchant's app; returns how many were taken up."""
        return self.merchant.tell() if self.merchant is not None else 0

    def process_events(self) -> int:
        """One bounded batch of waiting events; returns how many were taken."""
        return self.intake.process(batch=self.settings.batch)

    def look_ahead(self) -> int:
        """The next pages of the day's round over renewals. Returns 0: what is left waits for the next ring, for the rate's sake."""
        LookAhead(self.door, self.gateway, self.settings.lookahead_days)()
        return 0

    @property
    def rates(self) -> Rates | None:
        """The booked rates, read afresh; None where none are kept. Raises RatesInvalid."""
        settings = self.settings
        if settings.report_rates is None:
            return None
        return read_rates(settings.report_rates, currency=settings.report_currency)

    def keep_books(self) -> bool:
        """Roll up changed cases, delete old events, book fees that the ledger lacks: a bounded batch each; whether one was full and
        more may wait. Cases change all the time: what changed meanwhile waits for the next ring, or this would never end.
        """
        now, limit = machine_now(), self.settings.batch
        changed = roll_up(self.database, machine_now=now, limit=ROLLED_UP_MAX, zone=self.settings.report_zone)
        with self.database.begin() as tx:
            dropped = drop_done(tx, machine_now=now)
        return book_fees(self.door, self.gateway, limit=limit) == limit or changed or dropped == DROPPED_MAX

    def backfill(self) -> int:
        """Read what never arrived or could not be read before; returns how many events and cases were new."""
        list_addresses(self.door, self.gateway, self.outbox.addresses)
        found = Backfill(self.door, self.gateway, EVENT_KINDS).run()
        return found.events_new + found.cases_opened + found.cases_told

    def sweep(self) -> int:
        """Take back lapsed leases; returns how many."""
        return sweep(self.door)


def _open(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
