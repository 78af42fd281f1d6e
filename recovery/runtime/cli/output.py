"""How commands print. Without it each would choose its own width, and logs would end up inside JSON."""

import json
import sys
from datetime import datetime
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDTH_OF_A_PIPE: Final = 200
"""Where no terminal tells its width, lines are not folded at eighty: ids must stay whole."""


def console() -> Console:
    """The console of standard output, made anew so that it writes to what standard output is now."""
    terminal = sys.stdout.isatty()
    return Console(highlight=False, width=None if terminal else WIDTH_OF_A_PIPE, soft_wrap=False)


def told(line: str) -> None:
    """A line for the person at the terminal, on standard error."""
    sys.stderr.write(f"{line}\n")


def said(line: str) -> None:
    """A line of the answer, on standard output."""
    sys.stdout.write(f"{line}\n")


def said_json(value: Any) -> None:  # noqa: ANN401 - JSON
    """The answer as JSON, on standard output."""
    said(json.dumps(value, indent=2, ensure_ascii=False))


def instant(at: datetime | None) -> str:
    """An instant as people read it, in UTC."""
    return "–" if at is None else f"{at:%a %d %b %Y %H:%M:%S}Z"


def grid(title: str, *headings: str) -> Table:
    """An empty table; ``headings`` that begin with > are of numbers and end at the right."""
    table = Table(
        title=Text(title, style="bold"), title_justify="left", header_style="bold", pad_edge=False, box=SIMPLE_HEAD
    )
    for heading in headings:
        right = heading.startswith(">")
        table.add_column(Text(heading.removeprefix(">")), justify="right" if right else "left", overflow="fold")
    return table


def cells(*values: object) -> list[Text]:
    """The cells of one row; what looks like markup is text."""
    return [Text("–" if value is None else str(value)) for value in values]
