"""Addresses that get nothing any more, kept as keyed hashes. Without the key the list would tell everybody's address by trying."""

import hashlib
import hmac
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Hashes addresses with a key that is not in the database. A lost key loses the list: it is a setting to keep."""

    key: str = field(repr=False)

    def hashed(self, address: str) -> str:
        """The hash of an address; upper and lower case are the same mailbox everywhere that matters."""
        return hmac.new(self.key.encode(), address.strip().casefold().encode(), hashlib.sha256).hexdigest()
