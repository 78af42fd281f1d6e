"""The report's chart: money at risk and recovered, day by day. Drawn here as SVG, so that no page loads anything from elsewhere.

The drawing carries no style attributes and no script, so that a page may forbid both, and takes its text colour from the page.
"""

import io
import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

from recovery.money import exponent
from recovery.reporting.period import first_and_last_day
from recovery.reporting.report import Report
from recovery.storage.report_sums import DaySum

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CURRENCIES_MAX: Final = 3
"""Panels that still fit on one screen: the currencies with the most days that have news."""

TICKS_MAX: Final = 5
"""Dates with their year that fit side by side."""

WIDTH_INCHES, HEIGHT_INCHES = 6.2, 1.9
"""Small on purpose: on a phone the drawing is scaled down, and its text must stay readable."""

_INK: Final = "#010203"
"""Stands for the page's text colour while drawing."""

_CREDITED, _UNCREDITED, _AT_RISK = "#1a7f5a", "#8a94a6", "#c2571a"
"""Readable on white and on near-black; told apart by lightness as well as by hue."""

_PARAMETERS: Final[Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "recovery",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": _INK,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
}

_drawing = threading.Lock()
"""matplotlib's parameters are one set for the process."""


def chart(report: Report) -> str:
    """The chart as an SVG element for a page or a file; the same report always draws the same."""
    panels = _panels(report.days)
    first, last = first_and_last_day(report.span)
    title = "Money at risk and recovered, added up day by day"
    names = ", ".join(currency.upper() for currency in panels) or "no currency"
    text = f"Cases whose payment failed from {first} to {last}, in {names}. The tables hold every figure."
    with _drawing:
        return _plain(_draw(panels), title=title, text=text)


def _panels(days: Sequence[DaySum]) -> dict[str, list[DaySum]]:
    found: dict[str, list[DaySum]] = {}
    for day in days:
        found.setdefault(day.currency, []).append(day)
    busiest = sorted(found, key=lambda currency: (-len(found[currency]), currency))[:CURRENCIES_MAX]
    return {currency: found[currency] for currency in sorted(busiest)}


def _draw(panels: dict[str, list[DaySum]]) -> str:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_PARAMETERS):
        figure = Figure(figsize=(WIDTH_INCHES, 0.4 + HEIGHT_INCHES * max(1, len(panels))), layout="constrained")
        axes = figure.subplots(max(1, len(panels)), 1, squeeze=False)
        calendar = _calendar([day.day for days in panels.values() for day in days])
        for (currency, days), axis in zip(panels.items(), axes[:, 0], strict=False):
            _panel(axis, currency, days, calendar=calendar)
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper left", ncols=3, frameon=False)
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return out.getvalue()


def _panel(axis: "Axes", currency: str, days: Sequence[DaySum], *, calendar: Sequence[date]) -> None:
    by_day = {day.day: day for day in days}
    at = [day.toordinal() for day in calendar]
    scale = 10 ** exponent(currency)

    def adding_up(name: str) -> list[float]:
        gained = [getattr(by_day[day], name) if day in by_day else 0 for day in calendar]
        return [total / scale for total in accumulate(gained)]

    axis.stackplot(
        at,
        adding_up("credited_minor"),
        adding_up("uncredited_minor"),
        labels=["Recovered by the engine", "Recovered without it"],
        colors=[_CREDITED, _UNCREDITED],
        linewidth=0,
        step="post",
    )
    at_risk = adding_up("at_risk_minor")
    axis.plot(at, at_risk, label="At risk", color=_AT_RISK, linewidth=1.8, drawstyle="steps-post")
    ticks = _ticks(calendar)
    axis.set_xticks([day.toordinal() for day in ticks], [f"{day.day} {day:%b %Y}" for day in ticks])
    top = axis.get_ylim()[1]
    axis.set_yticks(axis.get_yticks(), [f"{value:,.10g}" for value in axis.get_yticks()])
    axis.set_ylim(0, top)
    axis.set_ylabel(currency.upper())
    axis.margins(x=0.01)
    axis.spines[["top", "right"]].set_visible(False)


def _calendar(news: Sequence[date]) -> list[date]:
    """Every day from the first news to the last, and one more either side, so that a single day is drawn as well."""
    if not news:
        return []
    first, last = min(news) - timedelta(days=1), max(news) + timedelta(days=1)
    return [first + timedelta(days=count) for count in range((last - first).days + 1)]


def _ticks(calendar: Sequence[date]) -> list[date]:
    """Evenly spread days: whole days, whatever the length, where a general-purpose locator gives up on odd ranges."""
    apart = max(1, -(-len(calendar) // TICKS_MAX))
    return list(calendar[::apart])


_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"


def _plain(drawn: str, *, title: str, text: str) -> str:
    """The drawing without style attributes, style sheet and metadata, with a title that is read aloud."""
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    root = ElementTree.fromstring(drawn)  # noqa: S314 - drawn a line above, not from outside
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)
    for element in root.iter():
        _unstyle(element)
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.set("role", "img")
    root.set("aria-labelledby", "chart-title chart-text")
    root.set("stroke-linejoin", "round")
    for tag, words in (("desc", text), ("title", title)):
        node = ElementTree.Element(f"{{{_SVG}}}{tag}", {"id": f"chart-{'text' if tag == 'desc' else 'title'}"})
        node.text = words
        root.insert(0, node)
    return ElementTree.tostring(root, encoding="unicode").replace(_INK, "currentColor")


def _unstyle(element: ElementTree.Element) -> None:
    """Turns a style attribute into the attributes of the same names; ``font`` is a shorthand and is taken apart."""
    style = element.attrib.pop("style", "")
    for declaration in filter(None, (part.strip() for part in style.split(";"))):
        name, _, value = (word.strip() for word in declaration.partition(":"))
        if name == "font":
            size = next((word for word in value.split() if word.endswith("px")), "10px")
            element.set("font-size", size)
            element.set("font-family", "system-ui, sans-serif")
        else:
            element.set(name, value)
    if element.tag == f"{{{_SVG}}}text" and "font-size" not in element.attrib:
        element.set("font-family", "system-ui, sans-serif")
