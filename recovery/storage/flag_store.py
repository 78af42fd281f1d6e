"""Things to know about the whole installation: charging halted, foreign retries seen, an operator's confirmations."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects.postgresql import insert as pg_insert

from recovery.storage.flag_table import flags

CHARGING_HALTED = "charging_halted"
GATEWAY_RETRIES_SEEN = "gateway_retries_seen"
UNKNOWN_CODE = "unknown_code:"
UNKNOWN_CODES_MAX = 100
"""A gateway that invents a code for each decline must not fill the table of flags."""
CONFIRMED = "confirmed:"
GATEWAY_ACCOUNT = "gateway_account"
BACKFILLED = "backfilled"
BACKFILL_REACHED = "backfill_reached"
BACKFILL_TOLD = "backfill_told"
BACKFILL_LEFT = "backfill_left"
BACKFILL_LISTED = "backfill_listed"
LETTERS_REFUSED = "letters_refused"
MAIL_ILL = "mail_ill"
"""How many letters in a row did not go out, and how many of them for the server's own sake; the first that does takes both down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """One flag: what it says, since when and until when it was seen, how often."""

    name: str
    detail: str
    since: datetime
    seen_at: datetime
    times: int


def raise_flag(tx: Connection, name: str, detail: str, *, at: datetime) -> int:
    """Set a flag, or count it once more; how often it was seen."""
    row = {"name": name, "detail": detail, "since": at, "seen_at": at, "times": 1}
    statement = pg_insert(flags).values(row)
    again = {"detail": detail, "seen_at": at, "times": flags.c.times + 1}
    counted = statement.on_conflict_do_update(index_elements=["name"], set_=again).returning(flags.c.times)
    return int(tx.execute(counted).scalar_one())


def count_unknown_code(tx: Connection, name: str, *, at: datetime) -> None:
    """Count a code that no file knows, under its name; further names than can be read at a glance are counted together."""
    flag = f"{UNKNOWN_CODE}{name}"
    if not is_raised(tx, flag):
        listed = select(func.count()).select_from(flags).where(flags.c.name.startswith(UNKNOWN_CODE))
        if tx.execute(listed).scalar_one() >= UNKNOWN_CODES_MAX:
            flag, name = f"{UNKNOWN_CODE}others", "others"
    raise_flag(tx, flag, name, at=at)


def lower_flag(tx: Connection, *names: str) -> bool:
    """Take flags down; False when none was set."""
    return tx.execute(delete(flags).where(flags.c.name.in_(names))).rowcount > 0


def read_flags(tx: Connection, prefix: str = "") -> list[Flag]:
    """The flags whose name begins with a prefix."""
    rows = tx.execute(select(flags).where(flags.c.name.startswith(prefix)).order_by(flags.c.name)).mappings()
    return [Flag(**row) for row in rows]


def is_raised(tx: Connection, name: str) -> bool:
    """Whether a flag is set."""
    return tx.execute(select(flags.c.name).where(flags.c.name == name)).first() is not None
