"""Servers of our own, from wheels: without them a first run needs PostgreSQL and Redis installed by hand.

Both functions attach to the server of a directory when it runs already, so that commands work beside a
running stack and alone; see `server` for who stops it.
"""

from recovery.runtime.embedded.errors import EmbeddedServerFailed
from recovery.runtime.embedded.postgres import embedded_postgres
from recovery.runtime.embedded.server import EmbeddedServer
from recovery.runtime.embedded.valkey import embedded_valkey

__all__ = ["EmbeddedServer", "EmbeddedServerFailed", "embedded_postgres", "embedded_valkey"]
