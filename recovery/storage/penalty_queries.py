"""Tries that a network may charge a fee for. Without them the fees of the card networks would hide in the acquirer's bill."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from recovery.cases.lifecycle import OPEN_ATTEMPTS
from recovery.declines.networks import LOOK_BACK
from recovery.money import Money
from recovery.storage.report_sums import Span

LOOKED_BACK: Final = LOOK_BACK
"""How far back from a try: longer than any window of a network. What forbids a card for ever is looked for as far back, so that the
months of a year add up to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advised:
    """Declines of our attempts that carried one advice code, on cards of one brand and country and one day."""

    brand: str | None
    country: str | None
    code: str
    at: datetime
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One try on a card that is looked at closely: ours (``id`` is the attempt's) or another's (the charge's).

    ``declined`` is None while nobody knows.
    """

    id: str
    budget_key: str
    at: datetime
    ours: bool
    amount_minor: int
    currency: str
    declined: bool | None
    brand: str | None
    country: str | None
    decline_code: str | None
    advice_code: str | None
    by_customer: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedLine:
    """One of our attempts behind an estimated penalty."""

    id: str
    case_id: str
    number: int
    at: datetime
    amount: Money
    brand: str | None
    country: str | None
    decline_code: str | None
    advice_code: str | None


_ADVISED: Final = """
SELECT brand, country, n.code, date_trunc('day', started_at) AS at, count(*) AS attempts
FROM unnest(CAST(:codes AS text[])) AS n (code) CROSS JOIN LATERAL (
    SELECT card ->> 'brand' AS brand, card ->> 'country' AS country, started_at FROM attempts
    WHERE signals ->> 'network_advice_code' = n.code AND started_at >= :start AND started_at < :end AND counts OFFSET 0
) d
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"""
"""OFFSET 0 keeps the lookups by code, here and below: the planner would rather read all attempts of the month, or of all months."""

_SUSPECTS: Final = """
WITH often AS MATERIALIZED (
    SELECT budget_key, count(*) AS tries
    FROM (
        SELECT budget_key, started_at AS ours_at FROM attempts WHERE started_at >= :since AND started_at < :end AND counts
        UNION ALL
        SELECT budget_key, NULL FROM foreign_charges WHERE at >= :since AND at < :end AND counts
        UNION ALL
        SELECT budget_key, NULL FROM past_charges WHERE at >= :since AND at < :end AND counts
    ) t
    GROUP BY budget_key HAVING count(*) > :least AND max(ours_at) >= :start ORDER BY min(ours_at)
), forbidden AS (
    SELECT DISTINCT d.budget_key FROM unnest(CAST(:codes AS text[])) AS n (code) CROSS JOIN LATERAL ({told_with_code}) d
)
SELECT s.budget_key, s.tries, c.brand, c.country
FROM (SELECT budget_key, tries FROM often UNION ALL SELECT budget_key, NULL FROM forbidden) s
CROSS JOIN LATERAL (
    SELECT card ->> 'brand' AS brand, card ->> 'country' AS country FROM attempts a
    WHERE a.budget_key = s.budget_key AND a.started_at >= :start AND a.started_at < :end AND counts LIMIT 1
) c
WHERE s.budget_key <> 'forgotten'"""
"""Cards that we tried in the span: those tried often, and those that a code forbids, which have no number of tries. Tries are counted
from indexes alone; imported charges count double where they are known otherwise too, which suspects a card too many, never one too few.
Cards are looked up in the order in which their attempts lie on the disk.
"""

_TOLD_WITH_CODE: Final = " UNION ALL ".join(
    f"""(SELECT budget_key FROM {table}
    WHERE signals ->> 'network_{field}_code' = n.code AND {at} >= :since AND {at} < :end AND counts OFFSET 0)"""  # noqa: S608 - names of our own
    for table, at in (("attempts", "started_at"), ("foreign_charges", "at"))
    for field in ("decline", "advice")
)

_ON_CARDS: Final = """
WITH cards AS MATERIALIZED (SELECT unnest(CAST(:cards AS text[])) AS budget_key)
SELECT id, budget_key, started_at AS at, true AS ours, amount_minor, currency,
    CASE WHEN status = ANY(:unsettled) THEN NULL ELSE status <> 'succeeded' END AS declined,
    card ->> 'brand' AS brand, card ->> 'country' AS country, signals ->> 'network_decline_code' AS decline_code,
    signals ->> 'network_advice_code' AS advice_code, false AS by_customer
FROM attempts WHERE budget_key IN (SELECT budget_key FROM cards) AND started_at >= :since AND started_at < :end AND counts
UNION ALL
SELECT charge_id, budget_key, at, false, amount_minor, currency, true, NULL, NULL, signals ->> 'network_decline_code',
    signals ->> 'network_advice_code', coalesce(initiator = 'customer', false)
FROM foreign_charges WHERE budget_key IN (SELECT budget_key FROM cards) AND at >= :since AND at < :end AND counts
UNION ALL
SELECT charge_id, budget_key, at, false, amount_minor, currency, NOT succeeded, NULL, NULL, NULL, NULL, false
FROM past_charges p WHERE budget_key IN (SELECT budget_key FROM cards) AND at >= :since AND at < :end AND counts
    AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.charge_id = p.charge_id)
    AND NOT EXISTS (SELECT 1 FROM foreign_charges f WHERE f.charge_id = p.charge_id)
ORDER BY 2, 3"""

_TRIED: Final = """
SELECT id, case_id, number, started_at AS at, amount_minor, currency, card ->> 'brand' AS brand, card ->> 'country' AS country,
    signals ->> 'network_decline_code' AS decline_code, signals ->> 'network_advice_code' AS advice_code
FROM attempts
WHERE started_at >= :start AND started_at < :end AND counts AND (
    id IN (SELECT unnest(CAST(:ids AS text[])))
    OR (coalesce(card ->> 'brand', ''), coalesce(card ->> 'country', ''), signals ->> 'network_advice_code',
        date_trunc('day', started_at)) IN (SELECT * FROM unnest(
            CAST(:brands AS text[]), CAST(:countries AS text[]), CAST(:codes AS text[]), CAST(:days AS timestamptz[]))
        )
)
ORDER BY started_at DESC, id DESC LIMIT :limit OFFSET :offset"""


def advised(tx: Connection, span: Span, codes: Iterable[str]) -> list[Advised]:
    """Advice of some codes on declines of our attempts of the span, counted."""
    rows = tx.execute(text(_ADVISED), {"start": span.start, "end": span.end, "codes": sorted(codes)}).mappings()
    return [Advised(**row) for row in rows]


UNREACHED: Final = 1_000_000
"""More tries than any card has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Costly:
    """What may cost a fee in any edition: more tries than the smallest cap of a brand in an issuer's country, ``*`` for all others, and
    codes that forbid another try. ``unlisted`` is the smallest cap of brands that no network names.
    """

    caps: Mapping[tuple[str, str], int]
    unlisted: int
    never: Collection[str]

    def free(self, brand: str | None, country: str | None) -> int:
        """How many tries on such a card cost nothing, whatever the edition."""
        caps = (self.caps.get((brand or "", place), UNREACHED) for place in (country or "", "*"))
        return min(self.unlisted, *caps)


def looked_at(tx: Connection, span: Span, costly: Costly) -> Sequence[Seen]:
    """All tries, from LOOKED_BACK before the span, on cards that we tried in it, if one may cost a fee; by card, oldest first."""
    since = {"since": span.start - LOOKED_BACK, "end": span.end}
    given = since | {
        "start": span.start,
        "least": min([costly.unlisted, *costly.caps.values()]),
        "codes": sorted(costly.never),
    }
    # There are nearly as many cards as tries: what several processes count apart costs more to put together than to count at once.
    tx.execute(text("SET LOCAL max_parallel_workers_per_gather = 0"))
    suspects = tx.execute(text(_SUSPECTS.format(told_with_code=_TOLD_WITH_CODE)), given).all()
    cards = {one.budget_key for one in suspects if one.tries is None or one.tries > costly.free(one.brand, one.country)}
    rows = tx.execute(text(_ON_CARDS), since | {"cards": sorted(cards), "unsettled": sorted(OPEN_ATTEMPTS)})
    names = [field.name for field in fields(Seen)]
    return [Seen(**dict(zip(names, row, strict=True))) for row in rows]


def tried_lines(
    tx: Connection, span: Span, ids: Iterable[str], advices: Iterable[Advised], *, limit: int, offset: int
) -> list[TriedLine]:
    """Our attempts of the span with these ids, or with such an advice, newest first."""
    told = list(advices)
    given = {
        "start": span.start,
        "end": span.end,
        "ids": list(ids),
        "brands": [one.brand or "" for one in told],
        "countries": [one.country or "" for one in told],
        "codes": [one.code for one in told],
        "days": [one.at for one in told],
        "limit": limit,
        "offset": offset,
    }
    return [
        TriedLine(
            id=row.id,
            case_id=row.case_id,
            number=row.number,
            at=row.at,
            amount=Money(minor=row.amount_minor, currency=row.currency),
            brand=row.brand,
            country=row.country,
            decline_code=row.decline_code,
            advice_code=row.advice_code,
        )
        for row in tx.execute(text(_TRIED), given)
    ]
