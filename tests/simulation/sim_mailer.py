"""A mail server at the port: what really left, and every way in which handing over can fail."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import EmailMessage

from sim_books import Mailed
from sim_clocks import Clocks
from sim_faults import Crashed, Faults

from recovery.dunning.mailer import MailAmbiguous, MailRefused, MailUnavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Left(Mailed):
    """One email that reached the customer, with its two links."""

    page: str
    unsubscribe: str


@dataclass
class SimMailer:
    """The Mailer port. ``left`` is what the customers found in their inboxes."""

    clocks: Clocks
    faults: Faults
    say: Callable[[str], None]
    meanwhile: Callable[[str, float], None]
    lease_seconds: float = 60.0
    left: list[Left] = field(default_factory=list)
    arrived: Callable[[Left], None] = lambda _left: None
    """Called with each email that reached its customer."""

    def send(self, message: EmailMessage, *, to: str) -> None:
        """Hand over one email."""
        if self.faults.strikes("crash"):
            self.say(f"  CRASH before mailing {to}")
            raise Crashed
        fault = self.faults.chosen("mail_refused", "mail_away", "mail_ambiguous")
        if fault == "mail_refused":
            raise MailRefused("550")
        if fault == "mail_away":
            raise MailUnavailable("451")
        began, machine_began = self.clocks.at, self.clocks.machine_at
        if self.faults.strikes("meanwhile"):
            self.meanwhile(f"mailing {to}", self.lease_seconds / 2)
        # It leaves at its own instant while others act; how long they keep this one thread is nothing to the mail server.
        took = min(self.clocks.machine_at - machine_began, timedelta(seconds=self.lease_seconds / 2))
        arrives = fault is None or self.faults.dice.of("ambiguous").random() < 0.5
        if arrives:
            self.say(f"  email to {to}")
            left = Left(
                message_id=message["Message-ID"],
                at=min(self.clocks.at, began + took),
                machine_at=machine_began + took,
                page=_page(message),
                unsubscribe=message["List-Unsubscribe"].strip("<>"),
            )
            self.left.append(left)
            self.arrived(left)
        if fault == "mail_ambiguous":
            raise MailAmbiguous("the connection broke")
        if self.faults.strikes("crash"):
            self.say(f"  CRASH after mailing {to}")
            raise Crashed


def _page(message: EmailMessage) -> str:
    """Where the letter's link leads, as its reader finds it."""
    words = message.get_body(("plain",))
    assert isinstance(words, EmailMessage)
    found = re.search(r"https://\S+/r/\S+", words.get_content())
    assert found is not None, "a letter without a link"
    return found[0]
