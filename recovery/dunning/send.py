"""Performs SendEmail. Without it nobody would be asked; without its edges somebody would be asked twice.

Commit the intent (the database refuses it without the journalled exhaustion), hand over, advance with what came of it. An email
whose worker died in between may have gone out: it is recorded as ambiguous and not sent again.
"""

from dataclasses import dataclass
from datetime import timedelta

from recovery.cases.facts import EmailDue, EmailRefused, EmailSent
from recovery.dunning.letter import Ask, LetterError, Letters
from recovery.dunning.mailer import MailAmbiguous, Mailer, MailRefused, MailUnavailable
from recovery.engine.advance import advance
from recovery.engine.claims import Postponed
from recovery.engine.door import Door
from recovery.gateways.port import Contact, Gateway, GatewayError, NotFound
from recovery.storage.case_store import load_case
from recovery.storage.step_store import ClaimedStep

AWAY_SECONDS = 60.0
"""How long an email waits when the gateway, where its address is read, is away."""

BOOKKEEPING_SECONDS = 30.0
"""Room in the lease for the transactions around the calls."""


@dataclass(frozen=True, slots=True)
class SendEmail:
    """Addresses are read from the gateway when sending, never stored, never logged."""

    door: Door
    gateway: Gateway
    mailer: Mailer
    letters: Letters
    sender_domain: str

    @property
    def lease_seconds(self) -> float:
        """Two reads at the gateway and one hand-over to the mail server."""
        return 2 * self.gateway.call_bound_seconds + self.mailer.lease_seconds + BOOKKEEPING_SECONDS

    def __call__(self, step: ClaimedStep) -> None:
        """Check that the customer must still be asked, then send one email."""
        with self.door.database.begin() as tx:
            case = load_case(tx, step.case_id)
        try:
            obligation = self.gateway.read_obligation(case.obligation)
            contact = self.gateway.read_contact(case.obligation)
        except NotFound:
            raise  # the case goes to a person
        except GatewayError as error:
            raise Postponed(f"the gateway cannot be read: {error}", hold_seconds=AWAY_SECONDS) from error
        due = advance(self.door, case.id, EmailDue(obligation=obligation, step_id=step.id), step=step)
        if due.email_id is None:
            return
        if self.door.machine_clock() + timedelta(seconds=self.mailer.lease_seconds) >= step.lease_until:
            # A worker that slept must not write when others may believe that it did, or when much may have happened since.
            late = EmailRefused(email_id=due.email_id, detail="the worker was too slow for its lease", permanent=False)
            advance(self.door, case.id, late, step=step)
            return
        last4 = due.case.card.last4 if due.case.card else None
        outcome = self._send(
            due.email_id, contact, Ask(amount=due.case.amount, last4=last4, hosted_url=contact.hosted_url or "")
        )
        advance(self.door, case.id, outcome, step=step)

    def _send(self, email_id: str, contact: Contact, ask: Ask) -> EmailSent | EmailRefused:
        if contact.email is None or not ask.hosted_url:
            missing = "address" if contact.email is None else "payment page"
            return EmailRefused(email_id=email_id, detail=f"the gateway has no {missing} for it", permanent=True)
        try:
            letter = self.letters.write(ask, contact, message_id=f"<{email_id}@{self.sender_domain}>")
            self.mailer.send(letter, to=contact.email)
        except MailAmbiguous:
            return EmailSent(email_id=email_id, ambiguous=True)
        except MailRefused as error:
            return EmailRefused(email_id=email_id, detail=str(error), permanent=True)
        except (MailUnavailable, LetterError) as error:
            return EmailRefused(email_id=email_id, detail=str(error), permanent=False)
        return EmailSent(email_id=email_id)
