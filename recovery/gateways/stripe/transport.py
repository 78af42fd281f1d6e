"""HTTP under the Stripe client, with deadlines. Without it a slow answer could outlast the lease of the attempt.

Straight through urllib3, whose pools serve all threads: what requests thinks of beside (cookies, redirects, ~/.netrc) must not happen
here, and took a third of each call. Make it after a fork, not before.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import requests
import stripe
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH, select_proxy
from urllib3 import exceptions as faults

# As many kept connections as one worker process makes charges at once; more would be opened and thrown away.
_CONNECTIONS_MAX = 100
# Bodies are read in pieces, so that the deadline is looked at between them.
_PIECE_BYTES = 65_536
# Without asking for it urllib3 gets every answer at full length.
_COMPRESSED: Final = {"Accept-Encoding": "gzip, deflate"}


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
    """The Stripe client's way to ``api_base`` that never waits past the deadline of the calling thread."""

    name = "urllib3"

    def __init__(
        self, api_base: str, limits: Limits, *, monotonic: Callable[[], float], pace: Pace | None = None
    ) -> None:
        super().__init__()
        self._pace = pace
        self._limits = limits
        self._monotonic = monotonic
        self._deadline = threading.local()
        self._pools = _pools(api_base)

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
            if remaining <= 0:
                raise _fault(NeverSent, "its turn came when the time for this call was over")
        ends_at = self._monotonic() + remaining
        # A quarter for the connection at most: whatever connects late must still have time to answer.
        connect = min(self._limits.connect_seconds, remaining / 4)
        timeout = urllib3.Timeout(total=remaining, connect=connect, read=min(self._limits.read_seconds, remaining))
        try:
            response = self._pools.urlopen(
                method.upper(),
                url,
                headers=_COMPRESSED | dict(headers or {}),
                body=post_data,
                timeout=timeout,
                preload_content=False,
                redirect=False,
                retries=False,  # there is one loop with one bound, in calls.py
            )
            try:
                return self._body(response, ends_at), response.status, response.headers
            finally:
                response.close()  # one that was read to its end has given its connection back already
        except (faults.HTTPError, OSError) as error:
            kind = NeverSent if _never_connected(error) else stripe.APIConnectionError
            # Only the kind of fault: messages of these libraries repeat addresses and headers.
            raise _fault(kind, type(error).__name__) from None

    def close(self) -> None:
        """Close the kept connections."""
        self._pools.clear()

    def _body(self, response: urllib3.BaseHTTPResponse, ends_at: float) -> bytes:
        pieces = []
        # read1 returns what has arrived; reading a fixed amount would wait for a body that drips.
        while piece := response.read1(_PIECE_BYTES, decode_content=True):
            pieces.append(piece)
            if self._monotonic() > ends_at:
                raise TimeoutError("the body did not end in time")
        return b"".join(pieces)


def _pools(base: str) -> urllib3.PoolManager:
    """Connections to a host by what the environment names for it, read once as requests reads it: a proxy, authorities of one's own."""
    found = requests.Session().merge_environment_settings(base, {}, None, None, None)
    authorities = str(found["verify"] or DEFAULT_CA_BUNDLE_PATH)
    kind = "ca_cert_dir" if Path(authorities).is_dir() else "ca_certs"
    trust: dict[str, Any] = {"cert_reqs": "CERT_REQUIRED", kind: authorities}
    proxy = select_proxy(base, found["proxies"])
    if proxy is None:
        return urllib3.PoolManager(maxsize=_CONNECTIONS_MAX, **trust)
    adapter: Any = HTTPAdapter(pool_maxsize=_CONNECTIONS_MAX)  # knows how to log in to a proxy
    return cast(urllib3.PoolManager, adapter.proxy_manager_for(proxy if "://" in proxy else f"http://{proxy}", **trust))


def _fault(kind: type[stripe.APIConnectionError], what: str) -> stripe.APIConnectionError:
    return kind(what)


def _never_connected(error: Exception) -> bool:
    """Whether the connection itself failed: refused, unresolved, timed out, or the certificate was wrong."""
    if isinstance(error, faults.SSLError):
        return "CERTIFICATE_VERIFY_FAILED" in str(error)
    return isinstance(error, faults.NewConnectionError | faults.ConnectTimeoutError)
