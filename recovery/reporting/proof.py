"""What the engine adds, measured by the holdout. Without an interval beside it a lucky month would be sold as a proof.

Rates are ratios of sums over customers, their variance that of a ratio estimator with customers as the units drawn (Cochran, Sampling
Techniques, 3rd edition, chapter 6); the interval is the normal one of 95 %.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from math import sqrt
from statistics import NormalDist
from typing import Final

from recovery.cases.holdout import Arm
from recovery.reporting.table import Column, Figure, Kind, Points, Rate, Row, Table, column
from recovery.reporting.views import View, table_of
from recovery.storage.proof_queries import ALL, ArmSum, Level, Lot

Z: Final = NormalDist().inv_cdf(0.975)
CUSTOMERS_MIN: Final = 100
"""Customers in each arm below which nothing is said: the normal interval is too narrow for a handful."""
EVENTS_MIN: Final = 10
"""Recovered and not recovered cases in each arm below which nothing is said, for the same reason."""
NARROW: Final = 0.02
"""Half an interval: once it is within two points, no difference is an answer and not a lack of one."""

MEASURING: Final = "still measuring"
MORE: Final = "more with the engine"
LESS: Final = "less with the engine"
SAME: Final = "no difference within 2 points"

_WHO: Final = "Customers"
_COUNT: Final = "Recovered, by count"
_VALUE: Final = "Recovered, by value"


@dataclass(frozen=True, slots=True, kw_only=True)
class Uplift:
    """The engine's rate less the holdout's with its interval of 95 %; None where an arm has nobody."""

    engine: Rate
    holdout: Rate
    points: float | None
    low: float | None
    high: float | None
    said: str


def _measured(prefix: str, group: str, kind: Kind, what: str, of: str) -> tuple[Column, ...]:
    return (
        column(f"engine_{prefix}", "With the engine", kind, group, f"{what} within 30 days of the failure, of {of}."),
        column(f"holdout_{prefix}", "Plain ladder", kind, group, "The same of the customers in the holdout."),
        column(f"uplift_{prefix}", "Uplift", Kind.POINTS, group, "The first rate less the second, in points."),
        column(f"low_{prefix}", "at least", Kind.POINTS, group, "The lower end of the interval of 95 %."),
        column(f"high_{prefix}", "at most", Kind.POINTS, group, "The upper end of the interval of 95 %."),
        column(
            f"said_{prefix}",
            "Result",
            Kind.WORD,
            group,
            f"Still measuring until each arm has {CUSTOMERS_MIN} customers, {EVENTS_MIN} recovered and {EVENTS_MIN} other cases, and "
            "the interval either leaves out nought or is at most two points to each side.",
        ),
    )


COLUMNS: Final = (
    column("engine_customers", "With the engine", Kind.COUNT, _WHO, "Customers by lot not in the holdout."),
    column("holdout_customers", "Plain ladder", Kind.COUNT, _WHO, "Customers by lot in the holdout."),
    column(
        "lot",
        "The lot",
        Kind.WORD,
        _WHO,
        "Whether as many customers are in the holdout as the policy's share lets expect; a false lot (less than 1 in 1000 by chance) "
        "makes the figures worthless.",
    ),
    column(
        "balance",
        "The arms",
        Kind.WORD,
        _WHO,
        "Whether the arms are alike in what was there before the lot (currency, reason of the failure, tenure, contract, amount), each "
        "at the customer's first case; else where they differ most, engine against holdout. By chance 1 in 20 reports names something.",
    ),
    *_measured("count", _COUNT, Kind.RATE_OF_COUNT, "Cases recovered, whoever brought it about,", "all measured cases"),
    *_measured(
        "value", _VALUE, Kind.RATE_OF_MONEY, "Gross recovered money of these cases", "the money at risk on them"
    ),
)


def proof_table(arms: Sequence[ArmSum], lot: Lot, levels: Sequence[Level]) -> Table:
    """Currency by currency, and by count over all of them where there are several."""
    currencies = sorted({one.currency for one in arms})
    wanted = [one for one in currencies if one != ALL or len(currencies) > 2]
    return table_of(View.PROOF, COLUMNS, [_row(currency, arms, lot, levels) for currency in wanted])


def uplift_by_count(arms: Sequence[ArmSum], currency: str = ALL) -> Uplift:
    """How many more cases in a hundred the engine wins."""
    engine, holdout = (_of(arms, arm, currency) for arm in (Arm.ENGINE, Arm.HOLDOUT))
    said = [(one.customers, one.won, one.cases - one.won) for one in (engine, holdout)]
    enough = all(customers >= CUSTOMERS_MIN and min(others) >= EVENTS_MIN for customers, *others in said)
    rates = [Rate(part=one.won, whole=one.cases) for one in (engine, holdout)]
    variances = [
        _variance(one.won, one.cases, (one.won_squared, one.cases_won, one.cases_squared), one.customers)
        for one in (engine, holdout)
    ]
    return _uplift(rates, variances, enough=enough)


def uplift_by_value(arms: Sequence[ArmSum], currency: str) -> Uplift:
    """The same by money, which waits for as many cases."""
    engine, holdout = (_of(arms, arm, currency) for arm in (Arm.ENGINE, Arm.HOLDOUT))
    enough = all(
        one.customers >= CUSTOMERS_MIN and min(one.won, one.cases - one.won) >= EVENTS_MIN for one in (engine, holdout)
    )
    rates = [Rate(part=one.money, whole=one.at_risk) for one in (engine, holdout)]
    variances = [
        _variance(one.money, one.at_risk, (one.money_squared, one.at_risk_money, one.at_risk_squared), one.customers)
        for one in (engine, holdout)
    ]
    return _uplift(rates, variances, enough=enough)


def lot_words(lot: Lot) -> str:
    """Whether the lot fell as the policy says."""
    if not lot.variance:
        return "nobody drawn yet"
    away = abs(lot.drawn - lot.expected) / sqrt(lot.variance)
    chance = 2 * (1 - NormalDist().cdf(away))
    told = f"{lot.drawn:,} of {lot.customers:,} in the holdout, {lot.expected:,.0f} expected"
    return f"false: {told}" if chance < 0.001 else f"as drawn: {told}"


def balance_words(levels: Sequence[Level]) -> str:
    """Whether the arms are alike; else the property in which they differ most."""
    sums = {kind: [0, 0] for kind in {one.kind for one in levels}}
    for one in levels:
        sums[one.kind][0] += one.engine
        sums[one.kind][1] += one.holdout
    found = []
    for one in levels:
        engine, holdout = sums[one.kind]
        both = one.engine + one.holdout
        share = both / (engine + holdout)
        if not engine or not holdout or min(share, 1 - share) * min(engine, holdout) < 5:
            continue
        shares = one.engine / engine, one.holdout / holdout
        away = abs(shares[0] - shares[1]) / sqrt(share * (1 - share) * (1 / engine + 1 / holdout))
        found.append((away, f"{one.kind} {one.level}: {shares[0]:.0%} against {shares[1]:.0%}"))
    if not found:
        return "too few to tell"
    worst, told = max(found)
    # As many properties are looked at, one of them differs by chance sooner (Bonferroni).
    return "alike" if worst <= NormalDist().inv_cdf(1 - 0.025 / len(found)) else told


def _row(currency: str, arms: Sequence[ArmSum], lot: Lot, levels: Sequence[Level]) -> Row:
    count = uplift_by_count(arms, currency)
    value = uplift_by_value(arms, currency) if currency != ALL else None
    figures: dict[str, Figure] = {
        "engine_customers": _of(arms, Arm.ENGINE, currency).customers,
        "holdout_customers": _of(arms, Arm.HOLDOUT, currency).customers,
        "lot": lot_words(lot),
        "balance": balance_words(levels),
        **_figures("count", count),
        **_figures("value", value),
    }
    return Row(key="all currencies" if currency == ALL else "this currency", currency=currency, figures=figures)


def _figures(name: str, found: Uplift | None) -> dict[str, Figure]:
    if found is None:
        nothing = {f"{arm}_{name}": Rate(part=0, whole=0) for arm in Arm}
        return {
            **nothing,
            **{f"{end}_{name}": Points(value=None) for end in ("uplift", "low", "high")},
            f"said_{name}": "–",
        }
    return {
        f"engine_{name}": found.engine,
        f"holdout_{name}": found.holdout,
        f"uplift_{name}": _points(found.points),
        f"low_{name}": _points(found.low),
        f"high_{name}": _points(found.high),
        f"said_{name}": found.said,
    }


def _points(share: float | None) -> Points:
    if share is None:
        return Points(value=None)
    return Points(value=Decimal(share * 100).quantize(Decimal("0.01"), ROUND_HALF_UP))


def _uplift(rates: Sequence[Rate], variances: Sequence[float | None], *, enough: bool) -> Uplift:
    engine, holdout = rates
    first, second = variances
    if first is None or second is None:
        return Uplift(engine=engine, holdout=holdout, points=None, low=None, high=None, said=MEASURING)
    points = engine.part / engine.whole - holdout.part / holdout.whole
    half = Z * sqrt(first + second)
    said = MEASURING
    if enough and points - half > 0:
        said = MORE
    elif enough and points + half < 0:
        said = LESS
    elif enough and half <= NARROW:
        said = SAME
    return Uplift(engine=engine, holdout=holdout, points=points, low=points - half, high=points + half, said=said)


def _variance(part: int, whole: int, products: tuple[int, int, int], customers: int) -> float | None:
    """The variance of part / whole over customers; ``products`` are the sums of part², part x whole and whole²."""
    if customers < 2 or not whole:
        return None
    parts, both, wholes = products
    # Exact up to here: the three terms nearly cancel, which floats would not survive.
    spread = parts * whole * whole - 2 * part * whole * both + part * part * wholes
    return spread / whole**4 * customers / (customers - 1)


def _of(arms: Sequence[ArmSum], arm: Arm, currency: str) -> ArmSum:
    found = next((one for one in arms if (one.arm, one.currency) == (arm, currency)), None)
    names = (name for name in ArmSum.__dataclass_fields__ if name not in ("arm", "currency"))
    return found or ArmSum(arm=arm, currency=currency, **dict.fromkeys(names, 0))
