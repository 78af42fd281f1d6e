"""Every country in the world is tried while its own banks are open: in all of its zones, and not on its weekend."""

from datetime import UTC, datetime, time, timedelta
from importlib.resources import files
from zoneinfo import ZoneInfo

import pytest
from timing_examples import knowledge

from recovery.timing.windows import Stretch
from recovery.timing.zones import zones_of

BANKS = knowledge().banks
WORLD = [
    line.split("\t")[0]
    for line in files("tzdata").joinpath("zoneinfo", "iso3166.tab").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
NO_BANKS = {"AQ", "BV", "HM", "UM"}
"""Antarctica and islands where nobody lives or that share no hour of the day."""

LEFT_OUT = {
    "US": {"America/Adak", "America/Anchorage", "America/Juneau", "America/Metlakatla", "America/Nome", "America/Sitka"}
    | {"America/Yakutat", "Pacific/Honolulu"},
    "RU": {"Asia/Chita", "Asia/Yakutsk", "Asia/Khandyga", "Asia/Vladivostok", "Asia/Ust-Nera", "Asia/Magadan"}
    | {"Asia/Sakhalin", "Asia/Srednekolymsk", "Asia/Kamchatka", "Asia/Anadyr"},
    "GL": {"America/Danmarkshavn", "America/Scoresbysund", "America/Thule"},
    "UA": {"Europe/Simferopol"},
    "CN": {"Asia/Urumqi"},  # official time is Beijing's
}
"""As banks.toml says beside the hours of these countries."""

WEEKENDS = {
    **dict.fromkeys(("BD", "BH", "DZ", "EG", "IL", "IQ", "JO", "KW", "LY", "MV", "OM", "PS", "QA"), (4, 5)),
    **dict.fromkeys(("SA", "SD", "SY", "YE"), (4, 5)),
    **dict.fromkeys(("AE", "HU", "LK", "MA", "PE", "PK", "PY", "RO", "TN", "TR", "VE"), (5, 6)),
    "IR": (4,),
    "NP": (5,),
}


def _open(country: str, since: datetime, days: int) -> list[Stretch]:
    window, at, found = BANKS.window(country, "credit"), since, list[Stretch]()
    while at < since + timedelta(days=days):
        stretch = window.at(at)
        found += [stretch] if stretch.weight <= 0.15 else []
        at = stretch.ends
    return found


def test_every_country_is_tried_in_the_middle_of_its_own_days() -> None:
    for country in WORLD:
        hours = BANKS.of(country)
        assert (BANKS.known(country) is None) == (country in NO_BANKS), country
        if country in NO_BANKS:
            continue
        opened = _open(country, datetime(2026, 11, 2, tzinfo=UTC), 7)
        assert opened, country
        for zone in map(ZoneInfo, (z for z in zones_of(country) if z not in LEFT_OUT.get(country, ()))):
            for stretch in opened:
                first, last = stretch.starts.astimezone(zone), (stretch.ends - timedelta(seconds=1)).astimezone(zone)
                assert time(7, 30) <= first.time() <= last.time() < time(18), (country, zone, stretch)
                assert hours.opens <= first.time() <= last.time() < hours.closes, (country, zone, stretch)
                assert first.weekday() not in hours.weekend, (country, stretch)


@pytest.mark.parametrize("month", range(1, 13))
def test_countries_of_several_zones_are_open_in_all_of_them_all_year(month: int) -> None:
    several = [country for country in WORLD if len(zones_of(country)) > 1 and country not in NO_BANKS]
    assert {"MX", "BR", "CA", "PT", "NZ", "ES", "AU", "ID", "CL", "EC", "US", "RU", "KZ"} <= set(several)
    for country in several:
        hours = BANKS.of(country)
        zones = [ZoneInfo(zone) for zone in zones_of(country) if zone not in LEFT_OUT.get(country, ())]
        for stretch in _open(country, datetime(2026, month, 10, tzinfo=UTC), 2):
            for at in (stretch.starts, stretch.ends - timedelta(seconds=1)):
                assert all(hours.opens <= at.astimezone(zone).time() < hours.closes for zone in zones), (country, at)


@pytest.mark.parametrize(("country", "weekend"), WEEKENDS.items())
def test_weekends_are_the_country_s_own(country: str, weekend: tuple[int, ...]) -> None:
    assert tuple(sorted(BANKS.of(country).weekend)) == weekend


@pytest.mark.parametrize(
    ("country", "day", "holiday"),
    [
        ("RO", datetime(2026, 12, 1, tzinfo=UTC), "National Day"),
        ("HU", datetime(2026, 10, 23, tzinfo=UTC), "National Day"),
        ("PK", datetime(2026, 8, 14, tzinfo=UTC), "Independence Day"),
    ],
)
def test_national_days_of_unlisted_countries_are_bank_holidays(country: str, day: datetime, holiday: str) -> None:
    assert country not in BANKS.countries
    assert BANKS.window(country).at(day + timedelta(hours=9)).name == f"bank holiday ({holiday})"


def test_the_hours_left_where_zones_were_left_out_are_those_told() -> None:
    """The figures in banks.toml beside the United States and Russia."""
    for country, shared, hours in (("US", 5, "12:00-17:00 New_York"), ("RU", 3, "10:00-13:00 Moscow")):
        assert BANKS.of(country).shared == timedelta(hours=shared)
        stretch = _open(country, datetime(2026, 11, 16, tzinfo=UTC), 1)[0]
        zone = ZoneInfo(BANKS.of(country).zones[0])
        told = f"{stretch.starts.astimezone(zone):%H:%M}-{stretch.ends.astimezone(zone):%H:%M} {zone.key.split('/')[1]}"
        assert told == hours


def test_a_zone_of_an_unlisted_country_is_followed_and_no_country_keeps_the_default() -> None:
    assert BANKS.is_zone_of("KZ", "Asia/Almaty")
    assert not BANKS.is_zone_of("KZ", "Asia/Dhaka")
    assert BANKS.window(None).zone == BANKS.window("ZZ").zone == "Etc/UTC"
    assert BANKS.of("RO") is BANKS.of("RO")
