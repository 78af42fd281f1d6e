"""Everything the sandbox remembers, under one lock.

Without one lock and one place for objects two requests on the same invoice could both find it open, which is
the very thing this server is there to detect in others.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator

from recovery.simulation.answers import Answer, PastTry
from recovery.simulation.sandbox.errors import Json, no_such

KINDS = {
    "acct": "account",
    "cus": "customer",
    "pm": "payment_method",
    "sub": "subscription",
    "in": "invoice",
    "inpay": "invoice_payment",
    "pi": "payment_intent",
    "ch": "charge",
    "re": "refund",
    "dp": "dispute",
    "txn": "balance_transaction",
    "evt": "event",
    "bps": "billing_portal.session",
}
# Only fields that never change after the object was made may be indexed.
_INDEXED = {
    "invoice": ("customer",),
    "subscription": ("customer",),
    "charge": ("payment_intent", "customer"),
    "invoice_payment": ("invoice",),
    "refund": ("charge",),
    "payment_intent": ("customer",),
}
# 18 characters of a hash in base 36 are 93 bits: no two ids collide, and the same run has the same ids.
_ID_LENGTH = 18
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
# The last digit first, two at a time: thousands of ids are made in a backtest.
_PAIRS = tuple(low + high for high in _DIGITS for low in _DIGITS)


DEFAULT_SEED = "sandbox"


def derived_id(seed: str, prefix: str, scope: str, number: int) -> str:
    """The id of a scope's object of that number: whoever knows the name knows the id, with or without a sandbox."""
    digest = hashlib.blake2b(f"{seed}/{prefix}/{scope}/{number}".encode(), digest_size=16).digest()
    value = int.from_bytes(digest, "big")
    letters = ""
    for _ in range(_ID_LENGTH // 6):
        value, six = divmod(value, 36**6)  # the rest fits into a small number, which is divided quickly
        four, low = divmod(six, 36**2)
        high, middle = divmod(four, 36**2)
        letters += _PAIRS[low] + _PAIRS[middle] + _PAIRS[high]
    return f"{prefix}_{letters}"


class Store:
    """Objects by kind and id, in the order they were made. Hold `lock` around every use."""

    def __init__(self, seed: str = DEFAULT_SEED) -> None:
        self.lock = threading.RLock()
        self.busy: set[str] = set()
        self.scripts: dict[str, list[Answer]] = {}
        self.history: dict[str, list[PastTry]] = {}
        self.refused_details: dict[str, tuple[int, int, str]] = {}
        self.link_of_intent: dict[str, Json] = {}
        self._seed = seed
        self._tables: dict[str, dict[str, Json]] = {kind: {} for kind in KINDS.values()}
        self._indexes: dict[tuple[str, str, str], list[Json]] = {}
        self._counts: dict[tuple[str, str], int] = {}

    def new_id(self, prefix: str, scope: str = "") -> str:
        """The next id; counted within a scope, so that one customer's ids do not depend on another's calls."""
        number = self._counts.get((prefix, scope), 0) + 1
        self._counts[prefix, scope] = number
        return derived_id(self._seed, prefix, scope, number)

    def add(self, thing: Json) -> Json:
        """Keep a new object and give it back."""
        kind = thing["object"]
        self._tables[kind][thing["id"]] = thing
        for field in _INDEXED.get(kind, ()):
            self._indexes.setdefault((kind, field, thing[field]), []).append(thing)
        if kind == "invoice_payment":
            self.link_of_intent[thing["payment"]["payment_intent"]] = thing
        return thing

    def find(self, kind: str, object_id: str) -> Json | None:
        """The stored object itself (not a copy), or None."""
        return self._tables[kind].get(object_id)

    def get(self, kind: str, object_id: str, *, param: str | None = None) -> Json:
        """The stored object; raises Refused: 404 when a path names it, 400 when the parameter `param` does."""
        found = self.find(kind, object_id)
        if found is None:
            raise no_such(kind, object_id, param=param or "id", status=404 if param is None else 400)
        return found

    def by_any_id(self, object_id: str) -> Json | None:
        """The object an id names, whatever its kind."""
        kind = KINDS.get(object_id.split("_", 1)[0])
        return self.find(kind, object_id) if kind else None

    def newest(self, kind: str, field: str | None = None, value: str | None = None) -> Iterator[Json]:
        """Objects of a kind, newest first; with an indexed field, those that hold the value."""
        if field is not None and value is not None:
            return reversed(self._indexes.get((kind, field, value), []))
        return reversed(self._tables[kind].values())

    def count(self, kind: str) -> int:
        """How many objects of a kind there are."""
        return len(self._tables[kind])
