"""Every shipped campaign plays through on the calendar, over a real mail server, as its customers would get it."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from story_support import Begin

from recovery.cases.campaigns import campaign_for
from recovery.cases.lifecycle import State
from recovery.declines.classify import DeclineClass

pytest_plugins = ["story_fixtures"]

KIM = {"email": "kim@example.org", "name": "Kim", "locales": ["de-DE"]}
WHOM: dict[str, tuple[str, dict[str, Any], DeclineClass]] = {
    "standard": ("do_not_honor", {"tenure_days": 60}, DeclineClass.CAREFUL),
    "trial": ("do_not_honor", {"trial": True}, DeclineClass.CAREFUL),
    "long": ("do_not_honor", {"tenure_days": 800}, DeclineClass.CAREFUL),
    "confirm": ("authentication_required", {}, DeclineClass.AUTHENTICATE),
    "new_card": ("expired_card", {}, DeclineClass.STALE_CARD),
}
"""For whom each campaign is: the decline, the subscription."""
