"""Hours that no try could keep are refused before they are used."""

from dataclasses import replace
from datetime import time

from building import CONFIG

from recovery.runtime.knowledge import load_knowledge
from recovery.runtime.knowledge_checks import bank_mistakes
from recovery.timing.banks import Counter


def test_zones_that_share_no_hour_and_default_hours_out_of_order_are_told() -> None:
    banks = load_knowledge(CONFIG).banks
    assert bank_mistakes(banks) == []
    russia = banks.countries["RU"]
    everywhere = replace(russia, zones=(*russia.zones, "Asia/Kamchatka"))
    told = bank_mistakes(replace(banks, countries={**banks.countries, "RU": everywhere}))
    reason = "its zones are 10 hours apart: less than an hour is open in all"
    assert told == [(("countries", "RU", "zones"), f"{reason}; leave out those where the fewest people live")]
    (key, why), *more = bank_mistakes(replace(banks, default=Counter(opens=time(15), closes=time(10))))
    assert (key, more) == (("default",), [])
    assert why.startswith("opens (15:00:00) must be before closes (10:00:00)")
