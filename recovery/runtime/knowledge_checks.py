"""What shapes cannot express: zones that exist, hours that are in order, rules that reach every card. Without it a file of the right
shape could still leave a country without any hour to try in."""

import warnings
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import TypeAdapter, ValidationError

from recovery.cases.campaigns import campaign_for
from recovery.cases.policy import Policy
from recovery.declines.classify import DeclineClass
from recovery.declines.networks import OTHER_BRANDS, RulePack
from recovery.storage.codec import policy_json
from recovery.timing.banks import SHARED_MIN, BankHours, Banks
from recovery.timing.calendars import unknown_calendar
from recovery.timing.paydays import Paydays, rule_mistake
from recovery.timing.zones import apart

Mistakes = list[tuple[tuple[Any, ...], str]]
"""The key of each mistake, and what is wrong with it and what to do."""

FROM_THE_START = date(2020, 1, 1)
"""No payment that we could still recover failed before this day."""

_SOME_WEEK = datetime(2026, 6, 1, tzinfo=UTC)
"""An ordinary time of the year to look for an hour without risk in."""


def bank_mistakes(banks: Banks) -> Mistakes:
    """Hours, zones, calendars and weights that cannot be used."""
    every: list[tuple[tuple[str, ...], str | None, BankHours]] = [(("unknown",), None, banks.unknown)]
    every += [(("countries", country), country, hours) for country, hours in banks.countries.items()]
    found: Mistakes = []
    for key, country, hours in every:
        found += [((*key, "zones"), no) for zone in hours.zones if (no := _no_zone(zone))]
        if hours.opens >= hours.closes:
            found.append((key, f"opens ({hours.opens}) must be before closes ({hours.closes}); correct one of them"))
        if not set(hours.weekend) <= set(range(7)) or len(set(hours.weekend)) == 7:
            found.append(((*key, "weekend"), "weekdays are 0 (Monday) to 6, and one must be left open"))
        if not any(map(_no_zone, hours.zones)) and len(hours.zones) > 1 and hours.shared < SHARED_MIN:
            reason = f"its zones are {apart(hours.zones) / timedelta(hours=1):g} hours apart: less than an hour is open in all"
            found.append(((*key, "zones"), f"{reason}; leave out those where the fewest people live"))
        if calendar := unknown_calendar(hours.days, country):
            found.append((key, f"{calendar}; leave it out, or use one that it has"))
    opens, closes = banks.default.opens, banks.default.closes
    if opens >= closes:
        found.append((("default",), f"opens ({opens}) must be before closes ({closes}); correct one of them"))
    for country, regions in banks.regions.items():
        found += [(("regions", country, name), no) for name, zone in regions.items() if (no := _no_zone(zone))]
    if not any(not risk.countries and not risk.funding for risk in banks.risks):
        found.append((("risks",), "no weights hold for all cards; add an entry without countries and funding"))
    return found


def _no_zone(zone: str) -> str | None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        return f"{zone!r} is no IANA time zone; write it as Europe/Berlin"
    return None


def payday_mistakes(paydays: Paydays) -> Mistakes:
    """Pay rules that cannot be read."""
    every = [(("unknown",), paydays.unknown)]
    every += [(("countries", country), rules) for country, rules in paydays.countries.items()]  # type: ignore[misc]
    return [
        ((*key, "rules"), f"{no}; use one of these")
        for key, each in every
        for r in each.rules
        if (no := rule_mistake(r))
    ]


def segment_mistakes(policy: Policy) -> Mistakes:
    """Segments whose changes do not give a policy, and names that would be confused."""
    found: Mistakes = []
    names = [segment.name for segment in policy.segments]
    for number, segment in enumerate(policy.segments):
        key = ("segments", number)
        if names.count(segment.name) > 1 or "+" in segment.name or not segment.name:
            found.append(((*key, "name"), f"{segment.name!r} is empty, has a + or is there twice; choose another"))
        if {"name", "segments", "holdout"} & set(segment.change):
            found.append(((*key, "change"), "a segment changes neither name, segments nor holdout; leave them out"))
            continue
        try:
            with warnings.catch_warnings(
                action="ignore"
            ):  # of a value that does not fit, which the reader tells in full
                changed = policy_json(policy.of(segment.name))
            _policy_reader().validate_python(changed)
        except ValidationError as error:
            found += [
                ((*key, "change"), f"{'.'.join(str(p) for p in d['loc'])}: {d['msg']}; correct it")
                for d in error.errors()
            ]
        except (ValueError, TypeError) as error:
            found.append(((*key, "change"), f"{error}; correct the spelling"))
    return found


@cache
def _policy_reader() -> TypeAdapter[Policy]:
    """Made once: making it takes ten times as long as reading a policy with it."""
    return TypeAdapter(Policy)


def campaign_mistakes(policy: Policy) -> Mistakes:
    """Campaigns for segments that do not exist, names that are there twice, and letters after the case's time is over."""
    found: Mistakes = []
    segments = [segment.name for segment in policy.segments]
    names = [campaign.name for campaign in policy.campaigns]
    for number, campaign in enumerate(policy.campaigns):
        key = ("campaigns", number)
        if names.count(campaign.name) > 1:
            found.append(((*key, "name"), f"{campaign.name!r} is there twice; choose another"))
        found += [
            ((*key, "segments"), f"there is no segment {name!r}; use one of {', '.join(segments)}")
            for name in campaign.segments
            if name not in segments
        ]
    for segment in ("", *segments):
        try:
            wait_days = policy.of(segment).dunning.wait_days
        except (ValueError, TypeError):
            continue  # a change that cannot be made is told by segment_mistakes
        for decline_class in (None, *DeclineClass):
            campaign = campaign_for(policy.campaigns, segment, decline_class)
            if campaign.letters[-1].day >= wait_days and campaign in policy.campaigns:
                who = f"for segment {segment}, " if segment else ""
                why = f"{who}the last letter (day {campaign.letters[-1].day:g}) comes when the case is over (day {wait_days})"
                found.append(
                    (
                        ("campaigns", policy.campaigns.index(campaign), "letters"),
                        f"{why}; write earlier, or wait longer",
                    )
                )
    return list(dict.fromkeys(found))


def threshold_mistakes(policy: Policy, banks: Banks) -> Mistakes:
    """Thresholds below which some country has no hour at all, in any segment; fresh cards go by the policy's own."""
    found: Mistakes = []
    shut_at = cache(partial(_shut, banks))  # segments differ in a value or two
    for name in ("", *(segment.name for segment in policy.segments)):
        own = policy.of(name)
        asked: list[tuple[tuple[str, ...], float, DeclineClass | None]] = [(("risk_max",), own.risk_max, None)]
        for decline_class, ladder in own.ladders.items():
            risk_max = own.risk_max if ladder.risk_max is None else ladder.risk_max
            asked += [(("ladders", decline_class.value), risk_max, after) for after in (decline_class, None)]
        for key, risk_max, after in asked:
            shut = shut_at(risk_max, after)
            if shut:
                where = f"in segment {name}, " if name else ""
                reason = f"{where}no hour of {', '.join(shut)} has a risk of at most {risk_max:g}"
                found.append((key, f"{reason}; raise risk_max, or mend banks.toml"))
    return list(dict.fromkeys(found))


def _shut(banks: Banks, risk_max: float, after: DeclineClass | None) -> list[str]:
    """The issuers that have no hour within a threshold."""
    return [
        f"{country or 'unknown countries'} {funding}"
        for country in (None, *banks.countries)
        for funding in ("credit", "debit")
        if banks.window(country, funding, after=after).next_within(risk_max, _SOME_WEEK) is None
    ]


def pack_mistakes(folder: Path, read: Sequence[tuple[Path, RulePack]]) -> list[tuple[Path, Mistakes]]:
    """Packs without caps, brands with two editions from one day, and cards that no pack would govern."""
    found: list[tuple[Path, Mistakes]] = []
    if not any(OTHER_BRANDS in pack.brands and pack.in_force_from <= FROM_THE_START for _, pack in read):
        remedy = f'add "{OTHER_BRANDS}" to one that begins early enough'
        found.append(
            (folder, [((), f'no file has "{OTHER_BRANDS}" among its brands from {FROM_THE_START} on; {remedy}')])
        )
    seen: dict[tuple[str, date], str] = {}
    names: dict[str, Path] = {}
    for path, pack in read:
        mistakes: Mistakes = []
        first = names.setdefault(pack.name(), path)
        if first is not path:
            mistakes.append(
                (("edition",), f"{first.name} is {pack.name()} already; give each edition a name of its own")
            )
        if not pack.caps:
            mistakes.append((("caps",), "at least one cap is needed; add [[caps]]"))
        for brand in pack.brands:
            other = seen.setdefault((brand, pack.in_force_from), pack.name())
            if other != pack.name():
                mistakes.append((("brands",), f"{other} begins for {brand} on the same day; change in_force_from"))
        found.append((path, mistakes))
    return found
