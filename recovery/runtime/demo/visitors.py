"""Lets the demo's customers use their page. Without it nobody would see it played, and its stop conditions would never be met.

Who does what follows from the email's own id, so that a seed gives the same visits: most only look, some choose a day, a few leave.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import Message

import requests

from recovery.dunning.wording import REASONS
from recovery.runtime.demo.catcher import Caught

TIMEOUT_SECONDS = 30.0

LOOK_SHARE, DAY_SHARE, LEAVE_SHARE = 50, 12, 3
"""Of a hundred emails: so many are opened, so many lead to a wish, so many to a goodbye. Assumptions, to show the page at work."""

WISH_DAYS = 6
"""How far ahead the wish lies: within what every segment allows."""


@dataclass(slots=True, kw_only=True)
class Visitors:
    """The customers behind the emails caught. ``visits`` counts what they did."""

    caught: Caught
    clock: Callable[[], datetime]
    visits: Counter[str] = field(default_factory=Counter)
    _seen: int = 0

    def visit(self) -> int:
        """Act on the emails that came since the last time; how many visits changed something."""
        fresh = self.caught.emails[self._seen :]
        self._seen += len(fresh)
        with requests.Session() as session:
            session.trust_env = False
            return sum(self._one(session, message) for _, message in fresh)

    def _one(self, session: requests.Session, message: Message) -> int:
        throw = hashlib.blake2b(str(message["Message-ID"]).encode(), digest_size=4).digest()
        lot = int.from_bytes(throw) % 100
        url = _link(message)
        if url is None or lot >= LOOK_SHARE:
            return 0
        page = session.get(url, timeout=TIMEOUT_SECONDS)
        self.visits["looked"] += 1
        proof = re.search(r'name="proof" value="([^"]+)"', page.text)
        if proof is None or lot >= DAY_SHARE + LEAVE_SHARE:
            return 0
        if lot < LEAVE_SHARE:
            return self._act(session, url, "leave", {"proof": proof[1], "because": REASONS[lot % len(REASONS)]})
        if 'name="day"' not in page.text:
            return 0
        day = (self.clock() + timedelta(days=WISH_DAYS)).date().isoformat()
        return self._act(session, url, "day", {"proof": proof[1], "day": day})

    def _act(self, session: requests.Session, url: str, what: str, form: dict[str, str]) -> int:
        answer = session.post(f"{url}/{what}", data=form, timeout=TIMEOUT_SECONDS)
        if not answer.ok:
            return 0
        self.visits[what] += 1
        return 1


def _link(message: Message) -> str | None:
    """The page's address out of the plain text."""
    for part in message.walk():
        if part.get_content_type() == "text/plain":
            text = part.get_payload(decode=True)
            found = re.search(rb"https?://\S+/r/\S+", text if isinstance(text, bytes) else b"")
            return found[0].decode() if found else None
    return None
