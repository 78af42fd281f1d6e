"""Structured logs for every process. Without it libraries and our own code would log in different shapes, and secrets could slip in.

Nothing personal is logged on purpose; what looks like an address, a card number or a secret is blacked out all the same, because
libraries quote what they were given.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final, TextIO

import structlog

from recovery.runtime.settings import Settings

_BLACKED_OUT: Final = (
    (re.compile(r"(?<=://)[^\s/@]*:[^\s/@]+(?=@)"), "[secret]"),  # first: its end looks like an address
    (re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+\.[A-Za-z0-9.-]+"), "[address]"),
    (re.compile(r"\b(?:sk|rk|pk)_(?:live|test)_\w+|\bwhsec_\w+"), "[secret]"),
    (re.compile(r"(?<![\w.-])(?:\d[ -]?){12,18}\d(?![\w.-])"), "[number]"),
)
"""Email addresses, Stripe's keys and webhook secrets, passwords in addresses of servers, and what is as long as a card number."""

_TALKATIVE: Final = (
    *("stripe", "urllib3", "matplotlib", "kombu", "amqp", "fontTools"),
    # Lines for every ring, whether or not there was work.
    *("celery.worker.strategy", "celery.app.trace", "celery.beat"),
)
"""Libraries whose debug and info lines tell nothing about payments, or quote whole requests."""


def set_up_logging(settings: Settings, *, stream: TextIO | None = None, level: str | None = None) -> None:
    """Route our own and every library's logging to one stream (standard error), in the settings' format and level."""
    renderer: structlog.typing.Processor = structlog.dev.ConsoleRenderer(colors=False)
    if settings.log_format == "json":
        renderer = structlog.processors.JSONRenderer(sort_keys=True, ensure_ascii=False)
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.PositionalArgumentsFormatter()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            black_out,
            renderer,
        ],
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel((level or settings.log_level).upper())
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


def black_out(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace in every text of a line what must not be logged."""
    for key, value in line.items():
        if isinstance(value, str):
            line[key] = blacked_out(value)
        elif not isinstance(value, int | float | bool | None):
            line[key] = blacked_out(str(value))
    return line


def blacked_out(text: str) -> str:
    """A text without addresses, secrets and long numbers."""
    for pattern, instead in _BLACKED_OUT:
        text = pattern.sub(instead, text)
    return text
