"""What a command run inside the test's process left behind. Without it each test would unpack that in its own way."""

from collections.abc import Callable
from typing import NamedTuple


class Ran(NamedTuple):
    """The exit code and what was printed."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]
