"""Tells the workers that there is work, without ever making the gateway wait. Without it a broker that is away would cost webhooks."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog

REST_SECONDS = 0.02
"""So long nobody is rung for after a ring; then once for all that asked meanwhile: a payment brings three or four events at once."""

FLOOD = 15
"""So many that one ring was for are no few payments any more; the workers have enough to do."""

FLOOD_REST_SECONDS = 0.1
"""The rest after such a ring. A ring costs as much as taking in three or four webhooks."""

log = structlog.get_logger(__name__)


class Doorbell:
    """Rings in one thread of its own: at once, then rests. Asking while a ring waits adds nothing: a message means "there is work"."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="doorbell")
        self._waiting = threading.Lock()
        self._asked = 0

    def ask(self) -> None:
        """Have the bell rung soon. Returns at once and never raises for the broker's sake."""
        self._asked += 1
        if self._waiting.acquire(blocking=False):
            self._thread.submit(self._ring_once)

    def close(self) -> None:
        """Let a ring that has begun end; whoever asks afterwards gets RuntimeError."""
        self._thread.shutdown(wait=True)

    def _ring_once(self) -> None:
        asked, self._asked = self._asked, 0
        self._waiting.release()  # before ringing: what is stored from here on is rung for again
        try:
            self._ring()
        except Exception as error:  # noqa: BLE001 - whatever the broker raises: beat rings every few seconds anyway
            log.warning("doorbell_failed", error=f"{type(error).__name__}: {error}")
        time.sleep(REST_SECONDS if asked < FLOOD else FLOOD_REST_SECONDS)
