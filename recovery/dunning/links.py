"""Links that let one customer do one case's business, and nobody else anything. Without a signature case ids could be guessed.

A link holds the case, until when it is good (business time) and what it is for. Secrets are several while one replaces another: the
first signs, all are accepted.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from itsdangerous import BadData, URLSafeSerializer

TOKEN_MAX = 400
"""No token of ours is longer; longer ones are not looked at."""


class LinkRefused(ValueError):
    """The token is not ours, or its time is over."""


class For(StrEnum):
    """What a token is for. One is never accepted as another."""

    PAGE = "page"
    UNSUBSCRIBE = "unsubscribe"
    FORM = "form"


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Makes and reads the customer's links. ``base_url`` is where the web process is reached from outside, with no slash at its end."""

    base_url: str
    secrets: tuple[str, ...] = field(repr=False)

    def token(self, case_id: str, *, until: datetime, purpose: For = For.PAGE) -> str:
        """A token for one case, good until an instant."""
        return str(self._signer(purpose).dumps([case_id, int(until.timestamp())]))

    def page_url(self, case_id: str, *, until: datetime) -> str:
        """The customer's page."""
        return f"{self.base_url}/r/{self.token(case_id, until=until)}"

    def unsubscribe_url(self, case_id: str, *, until: datetime) -> str:
        """Where one click ends the emails."""
        return f"{self.base_url}/u/{self.token(case_id, until=until, purpose=For.UNSUBSCRIBE)}"

    def case_of(self, token: str, *, now: datetime, purpose: For = For.PAGE) -> tuple[str, datetime]:
        """The case of a token and until when it is good. Raises LinkRefused, which never says why."""
        try:
            if len(token) > TOKEN_MAX:
                raise LinkRefused("not a link of ours")
            case_id, until = self._signer(purpose).loads(token)
            ends_at = datetime.fromtimestamp(until, UTC)
        except (BadData, ValueError, TypeError, OverflowError, OSError) as error:
            raise LinkRefused("not a link of ours") from error
        if not isinstance(case_id, str) or now > ends_at:
            raise LinkRefused("not a link of ours")
        return case_id, ends_at

    def _signer(self, purpose: For) -> URLSafeSerializer:
        # itsdangerous signs with the last key and accepts all.
        return URLSafeSerializer(list(reversed(self.secrets)), salt=f"recovery.{purpose.value}")
