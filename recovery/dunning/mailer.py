"""Hands one email to the mail server over SMTP. Without the distinction of its failures a customer would get it twice or never.

A crash or a broken connection after the content was handed over cannot be told from success: that is MailAmbiguous, and such
an email is not sent again.
"""

import smtplib
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from functools import cache
from typing import Protocol

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, stop_before_delay, wait_random_exponential


class MailError(Exception):
    """The email was not accepted."""


class MailRefused(MailError):
    """This email to this address is refused for good (5xx). ``address`` when it was the address that the server did not want."""

    address = False


class MailUnavailable(MailError):
    """The server is away, refuses for now (4xx), or refuses us whoever is written to; the same email may be sent later."""


class MailAmbiguous(MailError):
    """The connection broke after the content was handed over: the email may have gone out."""


class Mailer(Protocol):
    """Sends one email. Raises MailRefused, MailUnavailable or MailAmbiguous."""

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
        """Connecting, greeting, TLS, login, envelope, content: at most six waits, begun again within one."""
        return 7 * self.timeout_seconds + 30

    def send(self, message: EmailMessage, *, to: str) -> None:
        """Hand over one email; see Mailer. What is refused for now is tried again at once, as long as one timeout lasts."""
        repeats = Retrying(
            retry=retry_if_exception_type(MailUnavailable),
            stop=stop_after_attempt(self.tries) | stop_before_delay(self.timeout_seconds),
            wait=wait_random_exponential(multiplier=self.wait_seconds, max=self.timeout_seconds / 3),
            sleep=self.sleep,
            reraise=True,
        )
        repeats(self._send_once, message, to)

    def _send_once(self, message: EmailMessage, to: str) -> None:
        try:
            connection = self._connected()
        except (smtplib.SMTPException, OSError) as error:
            raise _refusal(error) from error
        try:
            self._hand_over(connection, message, to)
        finally:
            _quit(connection)

    def check(self) -> None:
        """Connect, log in and name our sender, for the doctor. Raises MailError."""
        try:
            connection = self._connected()
        except (smtplib.SMTPException, OSError) as error:
            raise _refusal(error) from error
        try:
            self._introduce(connection, ())
        finally:
            _quit(connection)

    def _connected(self) -> smtplib.SMTP:
        connection: smtplib.SMTP
        if self.security == "tls":
            connection = smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout_seconds, context=_trusting())
        else:
            connection = smtplib.SMTP(self.host, self.port, timeout=self.timeout_seconds)
        try:
            if self.security == "starttls":
                connection.starttls(context=_trusting())
            if self.username is not None:
                connection.login(self.username, self.password or "")
        except (smtplib.SMTPException, OSError):
            connection.close()
            raise
        return connection

    def _hand_over(self, connection: smtplib.SMTP, message: EmailMessage, to: str) -> None:
        address, options = mailbox(to)
        self._introduce(connection, options)
        try:
            _accepted(connection.rcpt(address))
        except (smtplib.SMTPException, OSError) as error:
            raise _refusal(error) from error
        try:
            code, _ = connection.data(message.as_bytes(policy=policy.SMTPUTF8 if options else policy.SMTP))
        except smtplib.SMTPDataError as error:
            raise _refusal(error) from error
        except (smtplib.SMTPException, OSError) as error:
            raise MailAmbiguous(f"the connection broke after the content: {type(error).__name__}") from error
        if code != 250:
            raise _refused(code)

    def _introduce(self, connection: smtplib.SMTP, options: tuple[str, ...]) -> None:
        """Name our sender. Whatever the server says against it is about us: no customer's letter is given up for that."""
        try:
            connection.ehlo_or_helo_if_needed()
            code, _ = connection.mail(self.sender, options)
        except smtplib.SMTPNotSupportedError as error:
            raise _address_refused("the mail server takes no address of this alphabet") from error
        except (smtplib.SMTPException, OSError) as error:
            raise _refusal(error) from error
        if code != 250:
            raise MailUnavailable(f"the mail server refused our sender: {code}")


def mailbox(address: str) -> tuple[str, tuple[str, ...]]:
    """An address as the envelope wants it, and what the server must be able to do for it. Raises MailRefused for what is none."""
    name, at, domain = address.strip().rpartition("@")
    strange = not address.strip().isprintable() or set(" <>,;") & set(address.strip())
    if not at or not name or not domain or strange:
        raise _address_refused("what the gateway has is no address")
    try:
        domain = domain.encode("idna").decode()
    except UnicodeError as error:
        raise _address_refused("what the gateway has is no address") from error
    return f"{name}@{domain}", () if name.isascii() else ("SMTPUTF8",)


def _address_refused(why: str) -> MailRefused:
    refused = MailRefused(why)
    refused.address = True
    return refused


ABOUT_US = frozenset({503, 530, 534, 535, 538})
"""What a server answers to a recipient when it misses encryption or a login (RFC 4954, July 2007)."""


def _accepted(reply: tuple[int, bytes]) -> None:
    """Whether the address is taken. A refusal for good is the address's own, unless it speaks of policy (5.7: RFC 3463, 2003)."""
    code, answer = reply
    if code in (250, 251):
        return
    if code in ABOUT_US:
        raise MailUnavailable(f"the mail server refused us: {code}")
    error = _refused(code)
    if isinstance(error, MailRefused):
        error.address = not answer.startswith(b"5.7.")
    raise error


def _refused(code: int) -> MailError:
    return _refusal(smtplib.SMTPResponseException(code, ""))


@cache
def _trusting() -> ssl.SSLContext:
    """Made once: reading the system's certificates takes longer than handing over an email."""
    return ssl.create_default_context()


def _refusal(error: Exception) -> MailError:
    """A refusal by its code. The server's words are left out: they tend to repeat the address."""
    if isinstance(error, MailError):
        return error
    code = getattr(error, "smtp_code", None)
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return MailUnavailable("the mail server refused our login")
    if isinstance(code, int) and 500 <= code < 600:
        return MailRefused(f"the mail server answered {code}")
    return MailUnavailable(f"the mail server is not to be had: {code or type(error).__name__}")


def _quit(connection: smtplib.SMTP) -> None:
    """Say goodbye. What the server answers no longer matters: the email was accepted or refused before."""
    try:
        connection.quit()
    except (smtplib.SMTPException, OSError):
        connection.close()
