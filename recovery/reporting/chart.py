"""The report's chart: money at risk and recovered, day by day. Drawn here as SVG, so that no page loads anything from elsewhere.

The drawing carries no style attributes and no script, so that a page may forbid both, and takes its text colour from the page. It is a
few lines of its own rather than a plotting library's, whose import alone takes longer than the whole page may.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from itertools import accumulate
from typing import Final

from recovery.money import exponent
from recovery.reporting.period import first_and_last_day
from recovery.reporting.report import Report
from recovery.storage.report_sums import DaySum

CURRENCIES_MAX: Final = 3
"""Panels that still fit on one screen: the currencies with the most days that have news."""

TICKS_MAX: Final = 5
"""Dates with their year that fit side by side."""

TICK_HALF: Final = 40
"""Half of the room that such a date takes: nearer to the edge than this it would be cut."""

WIDTH, LEFT, PANEL, BELOW, HEAD = 620, 78, 130, 34, 30
"""Units of the drawing. Small on purpose: on a phone it is scaled down, and its text must stay readable."""

_CREDITED, _UNCREDITED, _AT_RISK = "#1a7f5a", "#8a94a6", "#c2571a"
"""Readable on white and on near-black; told apart by lightness as well as by hue."""

_NAMES: Final = ((_CREDITED, "Recovered by the engine"), (_UNCREDITED, "Recovered without it"), (_AT_RISK, "At risk"))
_SVG: Final = "http://www.w3.org/2000/svg"


def chart(report: Report) -> str:
    """The chart as an SVG element for a page or a file; the same report always draws the same."""
    panels = _panels(report.days)
    first, last = first_and_last_day(report.span)
    names = ", ".join(currency.upper() for currency in panels) or "no currency"
    height = HEAD + (PANEL + BELOW) * max(1, len(panels))
    root = ElementTree.Element(
        "svg",
        {
            "xmlns": _SVG,
            "viewBox": f"0 0 {WIDTH} {height}",
            "role": "img",
            "aria-labelledby": "chart-title chart-text",
            "font-family": "system-ui, sans-serif",
            "font-size": "12",
            "fill": "currentColor",
        },
    )
    _add(root, "title", id="chart-title").text = "Money at risk and recovered, added up day by day"
    words = f"Cases whose payment failed from {first} to {last}, in {names}. The tables hold every figure."
    _add(root, "desc", id="chart-text").text = words
    for place, (colour, name) in enumerate(_NAMES):
        _add(root, "rect", x=LEFT + place * 175, y=6, width=12, height=12, fill=colour)
        _text(root, name, x=LEFT + 17 + place * 175, y=16)
    calendar = _calendar([day.day for days in panels.values() for day in days])
    for place, (currency, days) in enumerate(panels.items()):
        _panel(root, currency, days, calendar=calendar, top=HEAD + place * (PANEL + BELOW))
    return ElementTree.tostring(root, encoding="unicode")


def uncharted(report: Report) -> list[str]:
    """The currencies that the chart has no room for."""
    return sorted({day.currency for day in report.days} - set(_panels(report.days)))


def _panels(days: Sequence[DaySum]) -> dict[str, list[DaySum]]:
    found: dict[str, list[DaySum]] = {}
    for day in days:
        found.setdefault(day.currency, []).append(day)
    busiest = sorted(found, key=lambda currency: (-len(found[currency]), currency))[:CURRENCIES_MAX]
    return {currency: found[currency] for currency in sorted(busiest)}


def _panel(
    root: ElementTree.Element, currency: str, days: Sequence[DaySum], *, calendar: Sequence[date], top: int
) -> None:
    by_day = {day.day: day for day in days}

    def adding_up(name: str) -> list[int]:
        return list(accumulate(getattr(by_day[day], name) if day in by_day else 0 for day in calendar))

    credited, at_risk = adding_up("credited_minor"), adding_up("at_risk_minor")
    recovered = [ours + others for ours, others in zip(credited, adding_up("uncredited_minor"), strict=True)]
    step, count = _step(max(*at_risk, *recovered, 1), currency)
    bottom, wide = top + PANEL, WIDTH - LEFT - 8

    def x(place: int) -> float:
        return round(LEFT + wide * place / max(1, len(calendar) - 1), 1)

    def y(minor: int) -> float:
        return round(bottom - PANEL * minor / (step * count), 1)

    for line in range(count + 1):
        level = y(step * line)
        _add(root, "line", x1=LEFT, x2=WIDTH - 8, y1=level, y2=level, stroke="currentColor", opacity="0.15")
        _text(root, f"{step * line // 10 ** exponent(currency):,}", x=LEFT - 6, y=level + 4, anchor="end")
    for values, below, colour in ((credited, [0] * len(credited), _CREDITED), (recovered, credited, _UNCREDITED)):
        path = f"M{_steps(values, x, y)} L{_steps(below, x, y, back=True)} Z"
        _add(root, "path", d=path, fill=colour)
    _add(root, "path", d=f"M{_steps(at_risk, x, y)}", fill="none", stroke=_AT_RISK, stroke_width=2)
    _text(root, currency.upper(), x=LEFT + 6, y=top + 14, weight="600")
    for place, day in _ticks(calendar):
        anchor = "start" if place == 0 else "end" if x(place) > WIDTH - TICK_HALF else "middle"
        _text(root, f"{day.day} {day:%b %Y}", x=x(place), y=bottom + 18, anchor=anchor)


def _steps(values: Sequence[int], x: Callable[[int], float], y: Callable[[int], float], *, back: bool = False) -> str:
    """The corners of a line that goes up in steps: a day's money is there from its day on."""
    corners = []
    for place, value in enumerate(values):
        if place:
            corners.append((x(place), y(values[place - 1])))
        corners.append((x(place), y(value)))
    return " ".join(f"{left},{high}" for left, high in (reversed(corners) if back else corners))


def _step(most: int, currency: str) -> tuple[int, int]:
    """The distance of the lines in minor units, a round number of main units, and how many of them are needed."""
    unit = 10 ** exponent(currency)
    size = unit
    while True:
        for factor in (1, 2, 5):
            if size * factor * 4 >= most:
                step = size * factor
                return step, max(1, -(-most // step))
        size *= 10


def _calendar(news: Sequence[date]) -> list[date]:
    """Every day from the first news to the last, and one more either side, so that a single day is drawn as well."""
    if not news:
        return []
    first, last = min(news) - timedelta(days=1), max(news) + timedelta(days=1)
    return [first + timedelta(days=count) for count in range((last - first).days + 1)]


def _ticks(calendar: Sequence[date]) -> Iterator[tuple[int, date]]:
    """Evenly spread days, whatever the length."""
    apart = max(1, -(-len(calendar) // TICKS_MAX))
    yield from ((place, calendar[place]) for place in range(0, len(calendar), apart))


def _add(parent: ElementTree.Element, tag: str, **attributes: object) -> ElementTree.Element:
    named = {name.replace("_", "-"): str(value) for name, value in attributes.items()}
    return ElementTree.SubElement(parent, tag, named)


def _text(parent: ElementTree.Element, words: str, *, anchor: str = "start", weight: str = "400", **at: float) -> None:
    _add(parent, "text", **at, text_anchor=anchor, font_weight=weight).text = words
