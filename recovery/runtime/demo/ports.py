"""Ports for servers that are told theirs before they start. Without it another program could be given one in between."""

import random
import socket
from contextlib import suppress
from typing import Final

_BELOW_EPHEMERAL: Final = range(20_000, 32_000)
"""No system takes these for outgoing connections, nor for who binds to any port: those come from 32768 or above."""


def free_ports(count: int) -> list[int]:
    """So many different ports that are free now. Raises OSError where there are none."""
    found: list[int] = []
    for port in random.sample(_BELOW_EPHEMERAL, k=len(_BELOW_EPHEMERAL)):
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise OSError("no port is free on 127.0.0.1")
