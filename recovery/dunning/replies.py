"""What a mail server's answer means for a letter and for its address. Without it one mistake in our own settings at the server would
end the letters of everybody whose turn it was, and keep their addresses on the list of those that get nothing.

Only what speaks of the recipient is the recipient's. Whatever is answered before a recipient is named (greeting, EHLO, STARTTLS, AUTH,
MAIL) is about us. After that, by RFC 5321 (October 2008), 4.2.1, and RFC 3463 (January 2003), 3.2 to 3.8:

==================================  =====================================================================================
4yz                                 for now; the same letter may be sent later
5yz 5.1.1, .2, .3, .6, .10          the address is wrong, gone, moved without a trace, or its domain takes no mail (.10: RFC
                                    7505, June 2015): listed
550, 551, 553 without such a code   "not found, no access, or command rejected for policy reasons" (4.2.3): may be the
                                    address, may be us. This case gets no letter more until a person lifts it; not listed
any other 5yz                       our sender (5.1.0, .7, .8), a full or resting mailbox (5.2), the server (5.3), the way
                                    (5.4), the protocol (5.5), the content (5.6), policy and relaying (5.7), login and
                                    encryption (530 to 538: RFC 4954, July 2007), 552 and 554: later, since somebody can
                                    mend it. Not repeated within the same minute
==================================  =====================================================================================

The same holds for the answer to the content, since a letter has one recipient; there a bare 550 is about the content.
"""

import re
import smtplib

_ENHANCED = re.compile(rb"([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
"""Where there is one, the answer's text begins with it (RFC 2034, October 1996, 4)."""

OF_THE_ADDRESS = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"})
MAY_BE_THE_ADDRESS = frozenset({550, 551, 553})
FULL = 552
"""Without a code of RFC 3463: the mailbox has no room (RFC 5321, 4.2.3), whoever mends it."""
CLOSING, OF_THE_SYSTEM = 421, ("4.3.", "5.3.")
"""What speaks of the server whoever is written to: it closes the channel (RFC 5321, 4.2.3), or its system cannot (RFC 3463, 3.4)."""


class MailError(Exception):
    """The email was not accepted."""


class MailRefused(MailError):
    """This email to this address is refused for good. ``address`` when it was surely the address that the server did not want."""

    def __init__(self, why: str, *, address: bool = False) -> None:
        super().__init__(why)
        self.address = address


class MailUnavailable(MailError):
    """The server is away, refuses for now, or refuses us whoever is written to; the same email may be sent later.

    ``soon`` when the same words may be said again within the minute; ``server`` when any other letter would fare no better; ``ours``
    when it says nothing of the address, so that somebody here has to mend it.
    """

    def __init__(self, why: str, *, soon: bool = True, server: bool = True, ours: bool = True) -> None:
        super().__init__(why)
        self.soon = soon
        self.server = server
        self.ours = ours


class MailAmbiguous(MailError):
    """The connection broke after the content was handed over: the email may have gone out."""


def about_us(code: int, answer: bytes, what: str) -> MailUnavailable:
    """What was answered before a recipient was named."""
    return MailUnavailable(f"the mail server refused {what}: {_told(code, answer)}", soon=code < 500)


def about_recipient(code: int, answer: bytes) -> MailError:
    """What was answered to the recipient, and was not a yes."""
    if _enhanced(answer) is None and code in MAY_BE_THE_ADDRESS:
        return MailRefused(f"the mail server refused the recipient: {code}")
    return _by_enhanced(code, answer, "the recipient")


def about_content(code: int, answer: bytes) -> MailError:
    """What was answered to the content, and was not a yes. Some servers look for the mailbox only then."""
    return _by_enhanced(code, answer, "the letter")


def about_connection(error: Exception) -> MailUnavailable:
    """What went wrong around the conversation. The server's words are left out: they tend to repeat the address."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return MailUnavailable("the mail server refused our login", soon=False)
    if isinstance(error, smtplib.SMTPResponseException):
        return MailUnavailable(f"the mail server refused us: {error.smtp_code}", soon=error.smtp_code < 500)
    if isinstance(error, smtplib.SMTPException | OSError):
        return MailUnavailable(f"the mail server is not to be had: {type(error).__name__}")
    return MailUnavailable(f"the hand-over could not begin: {type(error).__name__}", soon=False, server=False)


def _by_enhanced(code: int, answer: bytes, what: str) -> MailError:
    why = f"the mail server refused {what}: {_told(code, answer)}"
    if 500 <= code < 600 and _enhanced(answer) in OF_THE_ADDRESS:
        return MailRefused(why, address=True)
    enhanced = _enhanced(answer) or ""
    closing = code == CLOSING or enhanced.startswith(OF_THE_SYSTEM)
    of_the_mailbox = enhanced.startswith("5.2.") or (code == FULL and not enhanced)
    return MailUnavailable(why, soon=code < 500, server=closing, ours=closing or (code >= 500 and not of_the_mailbox))


def _enhanced(answer: bytes) -> str | None:
    found = _ENHANCED.match(answer)
    return None if found is None else found.group(1).decode()


def _told(code: int, answer: bytes) -> str:
    """The codes alone: the words tend to repeat the address."""
    return f"{code} {_enhanced(answer) or ''}".rstrip()
