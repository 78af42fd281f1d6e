"""Countries, currencies and kinds of funding in the files of the configuration. Without it one that there is not would match nothing:
a region's rules would not hold for its cards, a segment would have no cases.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from recovery.cases.policy import Policy
from recovery.declines.networks import RulePack
from recovery.runtime.iso import no_country, no_currency, no_funding
from recovery.runtime.knowledge_checks import Mistakes
from recovery.timing.banks import Banks
from recovery.timing.paydays import Paydays

INTERVALS = ("day", "week", "month", "year")
"""How often a subscription renews, as gateways tell it."""


def banks_codes(banks: Banks) -> Mistakes:
    """What the bank hours are filed under that matches no card."""
    found = _keys("countries", banks.countries) + _keys("regions", banks.regions)
    for number, risk in enumerate(banks.risks):
        found += _each(("risks", number, "countries"), risk.countries, no_country)
        found += _each(("risks", number, "funding"), risk.funding, no_funding)
    return found


def payday_codes(paydays: Paydays) -> Mistakes:
    """What the pay rules are filed under that matches no card."""
    return _keys("countries", paydays.countries)


def pack_codes(pack: RulePack) -> Mistakes:
    """Countries and currencies of a network's edition that there are not."""
    found: Mistakes = []
    for number, region in enumerate(pack.regional):
        found += _each(("regional", number, "countries"), region.countries, no_country)
    for number, fee in enumerate(pack.fees):
        found += _each(("fees", number, "currency"), (fee.currency,), no_currency)
    return found


def policy_codes(policy: Policy) -> Mistakes:
    """Countries, currencies and intervals of the policy that match no case."""
    found = _each(("cards", "customer_only_countries"), policy.cards.customer_only_countries, no_country)
    for number, segment in enumerate(policy.segments):
        who = segment.who
        for name, bounds in (
            ("amount_minor_min", who.amount_minor_min),
            ("amount_minor_below", who.amount_minor_below),
        ):
            found += _each(("segments", number, "who", name), bounds, no_currency)
        found += _each(("segments", number, "who", "interval"), (who.interval,) if who.interval else (), _no_interval)
        cards = segment.change.get("cards")
        own = cards.get("customer_only_countries", ()) if isinstance(cards, Mapping) else ()
        if isinstance(own, Sequence) and not isinstance(own, str):
            found += _each(("segments", number, "change"), (str(code) for code in own), no_country)
    return found


def _no_interval(word: str) -> str | None:
    return None if word in INTERVALS else f"{word!r} is no interval; write one of {', '.join(INTERVALS)}"


def _keys(name: str, filed: Mapping[str, object]) -> Mistakes:
    return [((name, code), wrong) for code in filed if (wrong := no_country(code))]


def _each(key: tuple[object, ...], codes: Iterable[str], mistake: Callable[[str], str | None]) -> Mistakes:
    return [(key, wrong) for code in codes if (wrong := mistake(code))]
