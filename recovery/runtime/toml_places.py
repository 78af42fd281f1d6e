"""Finds the line on which a key of a TOML file stands. Without it "countries.US.opens" would have to be searched by hand.

The standard reader keeps no positions, so headers and keys are found again in the text: enough for files that it has accepted.
"""

import re
from collections.abc import Sequence

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?")
_KEY = re.compile(r"""^\s*((?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+))*)\s*=""")
_PART = re.compile(r""""([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+)""")


def places(text: str) -> dict[tuple[str, ...], int]:
    """The line (from 1) of every table and key; entries of arrays of tables carry their number: ("risks", "0", "open")."""
    found: dict[tuple[str, ...], int] = {}
    counts: dict[tuple[str, ...], int] = {}
    here: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        header = _HEADER.match(line)
        if header is not None:
            path = _numbered(_parts(header[2]), counts)
            if header[1] == "[[":
                counts[path] = counts.get(path, -1) + 1
                path = (*path, str(counts[path]))
            here = path
            found.setdefault(here, number)
            continue
        key = _KEY.match(line)
        if key is not None:
            found.setdefault((*here, *_parts(key[1])), number)
    return found


def line_of(found: dict[tuple[str, ...], int], path: Sequence[object]) -> int | None:
    """The line of a key, or of the innermost table or key around it that is written out; None for the file as a whole."""
    wanted = tuple(str(part) for part in path)
    while wanted:
        if wanted in found:
            return found[wanted]
        wanted = wanted[:-1]
    return None


def _numbered(path: tuple[str, ...], counts: dict[tuple[str, ...], int]) -> tuple[str, ...]:
    """[risks.bands] after [[risks]] means the newest entry of the array."""
    whole: tuple[str, ...] = ()
    for place, part in enumerate(path):
        whole = (*whole, part)
        if whole in counts and place < len(path) - 1:
            whole = (*whole, str(counts[whole]))
    return whole


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(next(group for group in match.groups() if group is not None) for match in _PART.finditer(dotted))
