"""Hands one email to the mail server over SMTP. Without the distinction of its failures a customer would get it twice or never.

A crash or a broken connection after the content was handed over cannot be told from success: that is MailAmbiguous, and such
an email is not sent again. Whatever goes wrong before, in the library or in our own words too, is a MailError: nobody got anything.
"""

import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from functools import cache
from typing import Protocol

from tenacity import Retrying, retry_if_exception, stop_after_attempt, stop_before_delay, wait_random_exponential

from recovery.dunning.replies import MailAmbiguous as MailAmbiguous
from recovery.dunning.replies import MailError as MailError
from recovery.dunning.replies import MailRefused as MailRefused
from recovery.dunning.replies import MailUnavailable as MailUnavailable
from recovery.dunning.replies import about_connection, about_content, about_recipient, about_us

TALK_TIMEOUTS = 6
"""How many timeouts a conversation may last. It has eleven answers to wait for; a server that takes half of each is ill already."""


class Mailer(Protocol):
    """Sends one email. Raises MailRefused, MailUnavailable or MailAmbiguous; anything else counts as a letter that may have left."""

    @property
    def lease_seconds(self) -> float:
        """How long a hand-over may take at the very most."""
        ...

    def send(self, message: EmailMessage, *, to: str) -> None:
        """Hand over one email for one address."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpMailer:
    """SMTP with optional TLS and authentication. ``security`` is "none", "starttls" or "tls"."""

    host: str
    port: int
    security: str = "starttls"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout_seconds: float = 15.0
    sender: str = ""
    tries: int = 3
    wait_seconds: float = 1.0
    sleep: Callable[[float], None] = time.sleep

    @property
    def lease_seconds(self) -> float:
        """The longest conversation, begun again within one timeout, and room for connecting to a name with several addresses."""
        return (1 + TALK_TIMEOUTS) * self.timeout_seconds + 30

    def send(self, message: EmailMessage, *, to: str) -> None:
        """Hand over one email; see Mailer. What is refused for now is tried again at once, as long as one timeout lasts."""
        repeats = Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, MailUnavailable) and error.soon),
            stop=stop_after_attempt(self.tries) | stop_before_delay(self.timeout_seconds),
            wait=wait_random_exponential(multiplier=self.wait_seconds, max=self.timeout_seconds / 3),
            sleep=self.sleep,
            reraise=True,
        )
        repeats(self._send_once, message, to)

    def _send_once(self, message: EmailMessage, to: str) -> None:
        address, options = mailbox(to)
        with self._conversation() as connection:
            self._introduce(connection, options)
            self._hand_over(connection, message, address, utf8=bool(options))

    def check(self) -> None:
        """Connect, log in and name our sender, for the doctor. Raises MailError."""
        with self._conversation() as connection:
            self._introduce(connection, ())

    @contextmanager
    def _conversation(self) -> Iterator[smtplib.SMTP]:
        """A connection that is cut when the whole of it lasts too long: a timeout alone holds for one line of an answer only."""
        with ExitStack() as held:
            try:
                connection = self._opened(held)
            except Exception as error:
                raise about_connection(error) from error
            yield connection

    def _opened(self, held: ExitStack) -> smtplib.SMTP:
        ends_at = time.monotonic() + TALK_TIMEOUTS * self.timeout_seconds
        connection: smtplib.SMTP
        if self.security == "tls":
            connection = smtplib.SMTP_SSL(
                self.host, self.port, _our_name(), timeout=self.timeout_seconds, context=_trusting()
            )
        else:
            connection = smtplib.SMTP(self.host, self.port, _our_name(), timeout=self.timeout_seconds)
        cut = threading.Timer(ends_at - time.monotonic(), _cut, (connection,))
        cut.daemon = True
        cut.start()
        held.callback(cut.cancel)
        held.callback(_quit, connection)
        try:
            if self.security == "starttls":
                connection.starttls(context=_trusting())
            if self.username is not None:
                connection.login(self.username, self.password or "")
        except Exception:
            connection.close()
            raise
        return connection

    def _introduce(self, connection: smtplib.SMTP, options: tuple[str, ...]) -> None:
        """Name our sender. Whatever the server says against it is about us: no customer's letter is given up for that."""
        try:
            connection.ehlo_or_helo_if_needed()
            code, answer = connection.mail(self.sender, options)
        except smtplib.SMTPNotSupportedError as error:
            raise MailRefused("the mail server takes no address of this alphabet") from error
        except Exception as error:
            raise about_connection(error) from error
        if code != 250:
            raise about_us(code, answer, "our sender")

    def _hand_over(self, connection: smtplib.SMTP, message: EmailMessage, address: str, *, utf8: bool) -> None:
        try:
            content = message.as_bytes(policy=policy.SMTPUTF8 if utf8 else policy.SMTP)
            code, answer = connection.rcpt(address)
        except Exception as error:
            raise about_connection(error) from error
        if code not in (250, 251):
            raise about_recipient(code, answer)
        try:
            code, answer = connection.data(content)
        except smtplib.SMTPDataError as error:
            raise about_content(error.smtp_code, _bytes(error.smtp_error)) from error
        except Exception as error:
            raise MailAmbiguous(f"the connection broke after the content: {type(error).__name__}") from error
        if code != 250:
            raise about_content(code, answer)


def mailbox(address: str) -> tuple[str, tuple[str, ...]]:
    """An address as the envelope wants it, and what the server must be able to do for it. Raises MailRefused for what is none."""
    name, at, domain = address.strip().rpartition("@")
    strange = not address.strip().isprintable() or set(" <>,;") & set(address.strip())
    if not at or not name or not domain or strange:
        raise MailRefused("what the gateway has is no address", address=True)
    try:
        domain = domain.encode("idna").decode()
    except UnicodeError as error:
        raise MailRefused("what the gateway has is no address", address=True) from error
    return f"{name}@{domain}", () if name.isascii() else ("SMTPUTF8",)


def _bytes(words: bytes | str) -> bytes:
    return words.encode() if isinstance(words, str) else words


@cache
def _trusting() -> ssl.SSLContext:
    """Made once: reading the system's certificates takes longer than handing over an email."""
    return ssl.create_default_context()


@cache
def _our_name() -> str:
    """What we greet a mail server with. Asked once: for each letter anew, a resolver that is ill would hold them all up."""
    return smtplib.SMTP().local_hostname


def _cut(connection: smtplib.SMTP) -> None:
    """Whoever waits for the server learns that nothing comes any more."""
    with suppress(OSError):
        if connection.sock is not None:
            connection.sock.shutdown(socket.SHUT_RDWR)


def _quit(connection: smtplib.SMTP) -> None:
    """Say goodbye. What the server answers no longer matters: the email was accepted or refused before."""
    try:
        connection.quit()
    except (smtplib.SMTPException, OSError):
        connection.close()
