"""The gateway's rate limit, shared by all workers. Without it ten workers would each keep to a limit that is for all of them.

A window over the last second in Redis. While Redis is away nobody is sure of a turn, so nobody takes one: waiting costs seconds, an
overrun costs refused charges.
"""

import time
from urllib.parse import urlsplit

import structlog
from limits import RateLimitItemPerSecond
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter
from redis import RedisError

log = structlog.get_logger(__name__)

NAME = "gateway"
WAIT_SECONDS = 0.02
AWAY_SECONDS = 0.25
"""Between two askings: a turn comes up every few milliseconds, a broker that is away comes back in seconds."""


class SharedPace:
    """Turns for calls. Safe to use from many threads; make it after a fork."""

    def __init__(self, broker_url: str, *, calls_per_second: int) -> None:
        assert urlsplit(broker_url).scheme in ("redis", "rediss")
        timeouts = {"socket_timeout": 2.0, "socket_connect_timeout": 2.0}
        storage = RedisStorage(broker_url, **timeouts)  # type: ignore[arg-type]  # handed on to redis
        self._limiter = MovingWindowRateLimiter(storage)
        self._rate = RateLimitItemPerSecond(calls_per_second, namespace="recovery")

    def __call__(self, seconds: float) -> bool:
        """Wait for a turn, so many seconds at most; False when none came."""
        ends_at = time.monotonic() + seconds
        while True:
            pause = WAIT_SECONDS
            try:
                if self._limiter.hit(self._rate, NAME):
                    return True
            except RedisError as error:
                log.warning("pace_unknown", error=type(error).__name__)
                pause = AWAY_SECONDS
            if time.monotonic() + pause > ends_at:
                return False
            time.sleep(pause)
