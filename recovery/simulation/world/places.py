"""Where the customers live: countries, zones, currencies, prices and paydays.

Without real zones and currencies, night hours, weekends, paydays and zero- or three-decimal amounts would never
be met before production.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One country. `prices_minor` are monthly prices in the currency's own minor unit; shares are assumptions."""

    country: str
    share: float
    currency: str
    locale: str
    zones: Mapping[str | None, str]
    """Zone by state; the key None where the country has one zone."""
    prices_minor: tuple[int, ...]
    paydays: tuple[str, ...]
    """Rules: `day:1,15`, `last` (last business day), `friday` (every second one)."""
    dollars: float
    """What one major unit is worth, so that a world's money can be added up; rounded rates of 2026, an assumption."""
    debit_share: float = 0.5
    names: tuple[str, ...] = field(default=("Alex", "Sam", "Kim", "Robin"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where somebody lives; `state` is None in a country of one zone."""

    place: Place
    state: str | None

    @property
    def zone(self) -> str:
        """The name of the local time zone."""
        return self.place.zones[self.state]


_US: dict[str | None, str] = {
    "NY": "America/New_York",
    "FL": "America/New_York",
    "TX": "America/Chicago",
    "IL": "America/Chicago",
    "CO": "America/Denver",
    "CA": "America/Los_Angeles",
    "WA": "America/Los_Angeles",
}
_CA: dict[str | None, str] = {"ON": "America/Toronto", "BC": "America/Vancouver", "AB": "America/Edmonton"}
_AU: dict[str | None, str] = {"NSW": "Australia/Sydney", "WA": "Australia/Perth", "QLD": "Australia/Brisbane"}
_BR: dict[str | None, str] = {"SP": "America/Sao_Paulo", "AM": "America/Manaus"}
_EUR = (900, 1900, 2900, 4900, 9900)

PLACES: tuple[Place, ...] = (
    Place(
        country="US",
        share=0.38,
        currency="usd",
        dollars=1.0,
        locale="en-US",
        zones=_US,
        prices_minor=(900, 1500, 2900, 4900, 9900),
        paydays=("day:1,15", "friday", "last"),
        debit_share=0.55,
        names=("Jamie", "Taylor", "Morgan", "Casey"),
    ),
    Place(
        country="GB",
        share=0.12,
        currency="gbp",
        dollars=1.3,
        locale="en-GB",
        zones={None: "Europe/London"},
        prices_minor=(800, 1500, 2500, 4500),
        paydays=("last", "day:25", "day:28"),
        debit_share=0.7,
        names=("Oliver", "Isla", "Freya"),
    ),
    Place(
        country="DE",
        share=0.1,
        currency="eur",
        dollars=1.1,
        locale="de-DE",
        zones={None: "Europe/Berlin"},
        prices_minor=_EUR,
        paydays=("last", "day:1", "day:15"),
        debit_share=0.4,
        names=("Jonas", "Lena", "Jürgen"),
    ),
    Place(
        country="FR",
        share=0.07,
        currency="eur",
        dollars=1.1,
        locale="fr-FR",
        zones={None: "Europe/Paris"},
        prices_minor=_EUR,
        paydays=("last", "day:28"),
        debit_share=0.75,
        names=("Zoé", "Hugo", "Chloé"),
    ),
    Place(
        country="ES",
        share=0.05,
        currency="eur",
        dollars=1.1,
        locale="es-ES",
        zones={None: "Europe/Madrid"},
        prices_minor=_EUR,
        paydays=("last", "day:28"),
        names=("Lucía", "Íñigo"),
    ),
    Place(
        country="CA",
        share=0.06,
        currency="cad",
        dollars=0.72,
        locale="en-CA",
        zones=_CA,
        prices_minor=(1200, 1900, 3900, 6900),
        paydays=("day:15", "friday"),
        debit_share=0.3,
    ),
    Place(
        country="AU",
        share=0.06,
        currency="aud",
        dollars=0.65,
        locale="en-AU",
        zones=_AU,
        prices_minor=(1500, 2500, 4500, 8900),
        paydays=("friday", "day:15"),
        debit_share=0.6,
    ),
    Place(
        country="BR",
        share=0.05,
        currency="brl",
        dollars=0.18,
        locale="pt-BR",
        zones=_BR,
        prices_minor=(2990, 4990, 9990),
        paydays=("day:5", "day:20"),
        debit_share=0.35,
        names=("João", "Antônia"),
    ),
    Place(
        country="JP",
        share=0.04,
        currency="jpy",
        dollars=0.0067,
        locale="ja-JP",
        zones={None: "Asia/Tokyo"},
        prices_minor=(980, 1980, 4980),
        paydays=("day:25",),
        debit_share=0.15,
        names=("Haruto", "Yui"),
    ),
    Place(
        country="AE",
        share=0.03,
        currency="aed",
        dollars=0.27,
        locale="en-AE",
        zones={None: "Asia/Dubai"},
        prices_minor=(3500, 5500, 9900),
        paydays=("day:1", "last"),
        names=("Omar", "Mariam"),
    ),
    Place(
        country="KW",
        share=0.02,
        currency="kwd",
        dollars=3.25,
        locale="en-KW",
        zones={None: "Asia/Kuwait"},
        prices_minor=(3000, 5500, 9990),
        paydays=("day:25",),
        names=("Fahad", "Noura"),
    ),
    Place(
        country="IN",
        share=0.02,
        currency="inr",
        dollars=0.012,
        locale="en-IN",
        zones={None: "Asia/Kolkata"},
        prices_minor=(49900, 99900),
        paydays=("last", "day:1"),
        debit_share=0.6,
        names=("Aarav", "Diya"),
    ),
)
