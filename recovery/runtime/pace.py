"""The gateway's rate limit, shared by all workers. Without it ten workers would each keep to a limit that is for all of them.

A window over the last second in Redis. While Redis is away nobody is sure of a turn, so nobody takes one: waiting costs seconds, an
overrun costs refused charges.
"""

import time
from urllib.parse import urlsplit

import structlog
from limits import RateLimitItem, RateLimitItemPerSecond
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter
from redis import RedisError

log = structlog.get_logger(__name__)

NAME = "gateway"
LETTERS_NAME, LETTERS_SHARE = "gateway for letters", 0.5
"""Each letter reads invoice and customer again. Ten thousand at once leave at least half of the turns to charges."""

WAIT_SECONDS = 0.02
AWAY_SECONDS = 0.25
"""Between two askings: a turn comes up every few milliseconds, a broker that is away comes back in seconds."""


class SharedPace:
    """Turns for calls, those of letters also within their share. Safe to use from many threads; make it after a fork."""

    def __init__(self, broker_url: str, *, calls_per_second: int, letters: bool = False) -> None:
        assert urlsplit(broker_url).scheme in ("redis", "rediss")
        timeouts = {"socket_timeout": 2.0, "socket_connect_timeout": 2.0}
        storage = RedisStorage(broker_url, **timeouts)  # type: ignore[arg-type]  # handed on to redis
        self._limiter = MovingWindowRateLimiter(storage)
        windows = {LETTERS_NAME: max(int(calls_per_second * LETTERS_SHARE), 1)} if letters else {}
        windows[NAME] = calls_per_second
        self._rates = {name: RateLimitItemPerSecond(rate, namespace="recovery") for name, rate in windows.items()}

    def __call__(self, seconds: float) -> bool:
        """Wait for a turn, so many seconds at most; False when none came."""
        ends_at = time.monotonic() + seconds
        return all(self._turn(name, rate, ends_at) for name, rate in self._rates.items())

    def _turn(self, name: str, rate: RateLimitItem, ends_at: float) -> bool:
        while True:
            pause = WAIT_SECONDS
            try:
                if self._limiter.hit(rate, name):
                    return True
            except RedisError as error:
                log.warning("pace_unknown", error=type(error).__name__)
                pause = AWAY_SECONDS
            if time.monotonic() + pause > ends_at:
                return False
            time.sleep(pause)
