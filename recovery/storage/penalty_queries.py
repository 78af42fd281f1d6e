"""Tries that a network may charge a fee for. Without them the fees of the card networks would hide in the acquirer's bill."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from recovery.storage.report_sums import Span

LOOKED_BACK: Final = timedelta(days=31)
"""Longer than any window of a network, so that a try at the span's start meets what was before it."""


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
    """One try on a card that is looked at closely: ours or another's. ``declined`` is None while nobody knows."""

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


_ADVISED: Final = """
SELECT card ->> 'brand' AS brand, card ->> 'country' AS country, signals ->> 'network_advice_code' AS code,
    date_trunc('day', started_at) AS at, count(*) AS attempts
FROM attempts
WHERE started_at >= :start AND started_at < :end AND counts AND signals ->> 'network_advice_code' IS NOT NULL
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"""

_LOOKED_AT: Final = """
WITH least AS (
    SELECT * FROM unnest(CAST(:brands AS text[]), CAST(:countries AS text[]), CAST(:leasts AS int[])) AS l (brand, country, tries)
), most AS (
    SELECT budget_key, count(*) AS tries, min(id) AS one FROM attempts
    WHERE started_at >= :since AND started_at < :end AND counts AND budget_key <> 'forgotten'
    GROUP BY budget_key HAVING count(*) >= :least
), often AS (
    SELECT m.budget_key FROM most m CROSS JOIN LATERAL (SELECT card FROM attempts t WHERE t.id = m.one OFFSET 0) a
    LEFT JOIN least l ON l.brand = a.card ->> 'brand' AND l.country = a.card ->> 'country'
    LEFT JOIN least g ON g.brand = a.card ->> 'brand' AND g.country = '*'
    WHERE m.tries >= coalesce(l.tries, g.tries, :least)
), never AS (
    SELECT budget_key FROM attempts WHERE started_at >= :since AND started_at < :end AND counts
        AND (signals ->> 'network_decline_code' = ANY(:codes) OR signals ->> 'network_advice_code' = ANY(:codes))
    UNION
    SELECT budget_key FROM foreign_charges WHERE at >= :since AND at < :end AND counts
        AND (signals ->> 'network_decline_code' = ANY(:codes) OR signals ->> 'network_advice_code' = ANY(:codes))
), cards AS (SELECT budget_key FROM often UNION SELECT budget_key FROM never)
SELECT budget_key, started_at AS at, true AS ours, amount_minor, currency,
    CASE WHEN status IN ('in_flight', 'unknown', 'processing') THEN NULL ELSE status <> 'succeeded' END AS declined,
    card ->> 'brand' AS brand, card ->> 'country' AS country, signals ->> 'network_decline_code' AS decline_code,
    signals ->> 'network_advice_code' AS advice_code, false AS by_customer
FROM attempts WHERE budget_key IN (SELECT budget_key FROM cards) AND started_at >= :since AND started_at < :end AND counts
UNION ALL
SELECT budget_key, at, false, amount_minor, currency, true, NULL, NULL, signals ->> 'network_decline_code',
    signals ->> 'network_advice_code', coalesce(initiator = 'customer', false)
FROM foreign_charges WHERE budget_key IN (SELECT budget_key FROM cards) AND at >= :since AND at < :end AND counts
ORDER BY 1, 2"""
"""OFFSET 0 keeps the lookups by id: the planner would rather read all attempts there ever were."""


def advised(tx: Connection, span: Span) -> list[Advised]:
    """Advice on declines of our attempts of the span, counted."""
    rows = tx.execute(text(_ADVISED), {"start": span.start, "end": span.end}).mappings()
    return [Advised(**row) for row in rows]


def looked_at(
    tx: Connection, span: Span, *, least: int, caps: Mapping[tuple[str, str], int], never: Iterable[str]
) -> Sequence[Seen]:
    """All tries, from LOOKED_BACK before the span, on cards that we tried as often as a cap allows or that must not be tried again.

    ``caps`` are the smallest of a brand in an issuer's country, ``*`` for all others; ``least`` the smallest of all.
    """
    given = {
        "since": span.start - LOOKED_BACK,
        "end": span.end,
        "least": least,
        "brands": [brand for brand, _ in caps],
        "countries": [country for _, country in caps],
        "leasts": list(caps.values()),
        "codes": sorted(never),
    }
    return [Seen(**row) for row in tx.execute(text(_LOOKED_AT), given).mappings()]
