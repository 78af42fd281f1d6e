"""Ports for servers that start later are none that a program is given by chance meanwhile."""

import socket
from contextlib import ExitStack

from recovery.runtime.demo.ports import free_ports


def test_they_differ_and_are_not_in_use_and_below_those_for_anybody() -> None:
    with ExitStack() as held:
        first = free_ports(5)
        for port in first:
            held.enter_context(socket.socket()).bind(("127.0.0.1", port))
        second = free_ports(200)
        assert len({*first, *second}) == 205
        anybody = held.enter_context(socket.socket())
        anybody.bind(("127.0.0.1", 0))
        assert max(*first, *second) < 32_000 <= anybody.getsockname()[1]
