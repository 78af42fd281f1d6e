"""Performs SendEmail. Without it nobody would be asked; without its edges somebody would be asked twice.

Commit the intent (the database refuses it without the journalled exhaustion), hand over, advance with what came of it. An email
whose worker died in between may have gone out: it is recorded as ambiguous and not sent again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage

from sqlalchemy import Connection

from recovery.cases.between import home_zone
from recovery.cases.case import Case
from recovery.cases.customer_facts import MailStopped, listed
from recovery.cases.facts import EmailDue, EmailRefused, EmailSent
from recovery.cases.lifecycle import StepKind
from recovery.dunning.addresses import Addresses
from recovery.dunning.letter import Ask, LetterError, Letters
from recovery.dunning.links import Links
from recovery.dunning.mailer import MailAmbiguous, Mailer, MailRefused, MailUnavailable
from recovery.dunning.recess import note_ill
from recovery.engine.advance import Advanced, advance
from recovery.engine.door import Door
from recovery.engine.patience import patiently
from recovery.gateways.port import Contact, Gateway
from recovery.storage.connect import reading
from recovery.storage.moment import Moment
from recovery.storage.pace_store import EMAILS, take_places
from recovery.storage.step_store import ClaimedStep
from recovery.storage.suppression_store import suppress, suppressed

BOOKKEEPING_SECONDS = 30.0
"""Room in the lease for the transactions around the calls."""

LINK_DAYS_AFTER = 30
"""How long a link works after the case's time is over: late payments are welcome."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox:
    """What sending has beside mailer and letters: our domain, the customer's links, suppressed addresses, the pace.

    Without ``links`` emails lead to the gateway's own page. ``per_second`` 0 sets no pace; ``burst_seconds`` is how much of it may be
    used at once.
    """

    sender_domain: str
    links: Links | None = None
    addresses: Addresses | None = None
    per_second: float = 0.0
    burst_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class SendEmail:
    """Addresses are read from the gateway when sending, never stored, never logged."""

    door: Door
    gateway: Gateway
    mailer: Mailer
    letters: Letters
    outbox: Outbox

    @property
    def lease_seconds(self) -> float:
        """Two reads at the gateway and one hand-over to the mail server."""
        return 2 * self.gateway.call_bound_seconds + self.mailer.lease_seconds + BOOKKEEPING_SECONDS

    def places(self, tx: Connection, *, wanted: int, moment: Moment) -> int:
        """How many emails may be taken up now, over all workers."""
        if not self.outbox.per_second:
            return wanted
        pace = (self.outbox.per_second, max(self.outbox.per_second * self.outbox.burst_seconds, 1.0))
        return take_places(tx, EMAILS, pace, wanted=wanted, moment=moment)

    def __call__(self, step: ClaimedStep) -> None:
        """Check that the customer must still be asked, then send one email."""
        with patiently():
            obligation = self.gateway.read_obligation(step.obligation)
            contact = self.gateway.read_contact(step.obligation)
        unwanted = self._unwanted(contact)
        if unwanted is not None:
            advance(self.door, step.case_id, unwanted, step=step)
            return
        asks_why, page = step.kind is StepKind.ASK_REASON, self.outbox.links is not None
        fact = EmailDue(obligation=obligation, step_id=step.id, asks_why=asks_why, page=page)
        due = advance(self.door, step.case_id, fact, step=step)
        if due.email_id is None:
            return
        if self.door.machine_clock() + timedelta(seconds=self.mailer.lease_seconds) >= step.lease_until:
            # A worker that slept must not write when others may believe that it did, or when much may have happened since.
            why = "the worker was too slow for its lease"
            late = EmailRefused(email_id=due.email_id, detail=why, permanent=False, ours=True)
            advance(self.door, step.case_id, late, step=step)
            return
        outcome, ill = self._send(due, contact)
        advance(self.door, step.case_id, outcome, step=step)
        if ill is not None:
            note_ill(self.door, ill)

    def _unwanted(self, contact: Contact) -> MailStopped | None:
        """Why this address gets nothing, or None."""
        if self.outbox.addresses is None or contact.email is None:
            return None
        with reading(self.door.database) as tx:
            reason = suppressed(tx, self.outbox.addresses.hashed(contact.email))
        return None if reason is None else listed(reason)

    def _send(self, due: Advanced, contact: Contact) -> tuple[EmailSent | EmailRefused, str | None]:
        """Hand it over; what came of it, and what ails the server."""
        email_id, address = due.email_id, contact.email
        assert email_id is not None
        if address is None:
            return EmailRefused(email_id=email_id, detail="the gateway has no address for it", permanent=True), None
        try:
            self.mailer.send(self._written(due, contact), to=address)
        except MailAmbiguous as error:
            return EmailSent(email_id=email_id, ambiguous=True), str(error)
        except MailRefused as error:
            if error.address:
                self._suppress(address)
            return EmailRefused(email_id=email_id, detail=str(error), permanent=True), None
        except LetterError as error:
            return EmailRefused(email_id=email_id, detail=str(error), permanent=False, ours=True), None
        except MailUnavailable as error:
            refused = EmailRefused(email_id=email_id, detail=str(error), permanent=False, ours=error.ours)
            return refused, str(error) if error.server else None
        return EmailSent(email_id=email_id), None

    def _written(self, due: Advanced, contact: Contact) -> EmailMessage:
        """The letter. Raises MailRefused or LetterError, whatever goes wrong: what was not even written must not count as sent."""
        try:
            ask = self._ask(due, contact)
            if not ask.url:
                raise MailRefused("the gateway has no payment page for it")
            return self.letters.write(ask, contact, message_id=f"<{due.email_id}@{self.outbox.sender_domain}>")
        except (LetterError, MailRefused):
            raise
        except Exception as error:
            # By its kind alone: its words may be the customer's.
            raise LetterError(f"the letter cannot be written: {type(error).__name__}") from error

    def _suppress(self, address: str) -> None:
        if self.outbox.addresses is None:
            return
        with self.door.database.begin() as tx:
            suppress(tx, self.outbox.addresses.hashed(address), "refused", at=self.door.clock())

    def _ask(self, due: Advanced, contact: Contact) -> Ask:
        case, links = due.case, self.outbox.links
        until = self._until(case)
        good_until = until + timedelta(days=LINK_DAYS_AFTER)
        return Ask(
            template=due.template or "",
            amount=case.amount,
            last4=case.card.last4 if case.card else None,
            url=links.page_url(case.id, until=good_until) if links else contact.hosted_url or "",
            unsubscribe_url=links.unsubscribe_url(case.id, until=good_until) if links else None,
            failed_at=case.failed_at,
            until=until,
            zone=self._zone(case),
        )

    def _until(self, case: Case) -> datetime:
        """Until when the customer can save the subscription."""
        closing = case.step(StepKind.CLOSE_CASE)
        return closing.due_at if closing else self.door.clock()

    def _zone(self, case: Case) -> str:
        """Whose days are written."""
        with reading(self.door.database) as tx:
            rules = self.door.rulebook.rules_for(tx, case.policy)
        return home_zone(case, rules)
