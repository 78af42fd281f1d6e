"""HTTP under the Stripe client, with deadlines. Without it a slow answer could outlast the lease of the attempt.

One session serves all threads: urllib3's pool is thread-safe, and with cookies refused and the adapters fixed nothing in the session
is written to after it was made. Make it after a fork, not before.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final, cast
from urllib.parse import urlsplit

import requests
import stripe
import urllib3
from requests.adapters import HTTPAdapter

# As many kept connections as one worker process makes charges at once; more would be opened and thrown away.
_CONNECTIONS_MAX = 100
# Bodies are read in pieces, so that the deadline is looked at between them.
_PIECE_BYTES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long and how often a call is made. ``bound_seconds`` covers all tries, the waits between them and what follows."""

    connect_seconds: float = 5.0
    """A handshake takes milliseconds; five seconds is a lost packet repeated twice."""
    read_seconds: float = 20.0
    """Stripe answers a payment in 1-3 s; issuers are given up to about 15 s by the networks."""
    tries_max: int = 3
    bound_seconds: float = 60.0
    """Three tries of 20 s: what the engine's leases have to outlast."""
    least_try_seconds: float = 3.0
    """A try that has less left is not begun: it would most likely end in doubt."""


Pace = Callable[[float], bool]
"""Waits for a turn to call, so many seconds at most; False when none came. Asked once for each request."""

DEFAULT_LIMITS: Final = Limits()


class NeverSent(stripe.APIConnectionError):
    """No connection was made, so the gateway cannot have seen the request."""


class Transport(stripe.HTTPClient):
    """A `requests` session for the Stripe client that never waits past the deadline of the calling thread."""

    name = "requests"

    def __init__(self, limits: Limits, *, monotonic: Callable[[], float], pace: Pace | None = None) -> None:
        super().__init__()
        self._pace = pace
        self._limits = limits
        self._monotonic = monotonic
        self._deadline = threading.local()
        self._session = _session()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Everything this thread asks inside ends within so many seconds, or sooner if an outer deadline says so."""
        outer: float | None = getattr(self._deadline, "at", None)
        ends_at = self._monotonic() + seconds
        self._deadline.at = ends_at if outer is None else min(outer, ends_at)
        try:
            yield
        finally:
            self._deadline.at = outer

    def remaining_seconds(self) -> float:
        """What is left of this thread's deadline; the whole bound when none is set."""
        at: float | None = getattr(self._deadline, "at", None)
        return self._limits.bound_seconds if at is None else at - self._monotonic()

    def request(  # type: ignore[override]  # the base class says str where its own subclasses return bytes
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: object = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """One try. Raises NeverSent if it cannot have arrived, APIConnectionError if nobody knows."""
        remaining = self.remaining_seconds()
        if remaining <= 0:
            raise _fault(NeverSent, "the time for this call is over")
        if self._pace is not None:
            # Waiting for a turn must leave time for a try that is worth beginning.
            if not self._pace(max(remaining - self._limits.least_try_seconds, 0.0)):
                raise _fault(NeverSent, "no turn within the rate that all workers share")
            remaining = self.remaining_seconds()
        ends_at = self._monotonic() + remaining
        # A quarter for the connection at most: whatever connects late must still have time to answer.
        connect = min(self._limits.connect_seconds, remaining / 4)
        timeout = urllib3.Timeout(total=remaining, connect=connect, read=min(self._limits.read_seconds, remaining))
        try:
            response = self._session.request(
                method,
                url,
                headers=headers,
                data=cast(Any, post_data),
                timeout=cast(Any, timeout),
                stream=True,
                allow_redirects=False,
            )
            with response:
                return self._body(response, ends_at), response.status_code, response.headers
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            kind = NeverSent if _never_connected(error) else stripe.APIConnectionError
            # Only the kind of fault: messages of these libraries repeat addresses and headers.
            raise _fault(kind, type(error).__name__) from None

    def close(self) -> None:
        """Close the kept connections."""
        self._session.close()

    def _body(self, response: requests.Response, ends_at: float) -> bytes:
        pieces = []
        # read1 returns what has arrived; reading a fixed amount would wait for a body that drips.
        while piece := response.raw.read1(_PIECE_BYTES, decode_content=True):
            pieces.append(piece)
            if self._monotonic() > ends_at:
                raise requests.ReadTimeout("the body did not end in time")
        return b"".join(pieces)


class _Session(requests.Session):
    """Looks once a host, not once a call, which proxy and which authorities the environment names: that took a fifth of each call."""

    def __init__(self) -> None:
        super().__init__()
        self._surroundings: dict[str, Any] = {}

    def merge_environment_settings(self, url: Any, *settings: Any) -> Any:  # noqa: ANN401 - as in requests
        host = urlsplit(url).netloc
        if host not in self._surroundings:
            self._surroundings[host] = super().merge_environment_settings(url, *settings)
        return dict(self._surroundings[host])


def _session() -> requests.Session:
    session = _Session()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    # An explicit authentication keeps requests from replacing our key by an entry of ~/.netrc.
    session.auth = lambda request: request
    # No repeats here: there is one loop with one bound, in calls.py.
    adapter = HTTPAdapter(pool_connections=4, pool_maxsize=_CONNECTIONS_MAX, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _fault(kind: type[stripe.APIConnectionError], what: str) -> stripe.APIConnectionError:
    return kind(what)


def _never_connected(error: Exception) -> bool:
    """Whether the connection itself failed: refused, unresolved, timed out, or the certificate was wrong."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(reason, urllib3.exceptions.SSLError):
        return "CERTIFICATE_VERIFY_FAILED" in str(reason)
    return isinstance(reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError)
