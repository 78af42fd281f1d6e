"""How the simulated issuers answer. Without moods every card would fail for the same reason."""

import random
from datetime import UTC, datetime
from typing import Final

from sim_books import Booked

from recovery.cases.obligation import ChargeStatus
from recovery.declines.signals import Signals

_CODES: Final = {
    "funds": (0.35, Signals(error_code="card_declined", decline_code="insufficient_funds", network_decline_code="51")),
    "advice": (0.4, Signals(error_code="card_declined", decline_code="insufficient_funds", network_advice_code="26")),
    "ill": (0.5, Signals(error_code="processing_error", decline_code="processing_error")),
    "honor": (0.25, Signals(error_code="card_declined", decline_code="do_not_honor", network_decline_code="05")),
    "never": (0.0, Signals(error_code="card_declined", decline_code="do_not_honor", network_decline_code="05")),
    "odd": (0.3, Signals(error_code="card_declined", decline_code="a_code_of_tomorrow")),
    "expired": (0.0, Signals(error_code="expired_card", decline_code="expired_card", network_decline_code="54")),
    "lost": (0.0, Signals(error_code="card_declined", decline_code="lost_card", network_decline_code="41")),
    "cvc": (0.0, Signals(error_code="incorrect_cvc", decline_code="incorrect_cvc")),
    "zip": (0.0, Signals(error_code="incorrect_zip", decline_code="incorrect_zip")),
    "auth": (0.0, Signals(error_code="authentication_required", decline_code="authentication_required")),
    "duplicate": (0.0, Signals(error_code="card_declined", decline_code="duplicate_transaction")),
    "blocked": (
        0.0,
        Signals(
            error_code="card_declined",
            decline_code="generic_decline",
            outcome_type="blocked",
            outcome_reason="highest_risk_level",
            reached_network=False,
        ),
    ),
    "good": (1.0, Signals()),
}
WAIT_HOURS: Final = {"02": 72, "24": 1, "25": 24, "26": 48, "27": 96, "28": 144, "29": 192, "30": 240}
"""Mastercard's advice not to try before so long, as its processors publish it."""

_NEVER: Final = {
    "visa": frozenset({"04", "41", "43", "46", "R0", "R1", "R3"}),
    "mastercard": frozenset({"03", "21", "42"}),
}
"""Visa's decline codes of category 1 and Mastercard's advice codes after which a card must never be tried again."""

_NEVER_SINCE: Final = {"57": datetime(2026, 10, 25, tzinfo=UTC)}
"""Visa's decline codes that came into category 1 while runs last."""

_OTHER_DETAILS: Final = {"mastercard": frozenset({"01", "40", "41", "43"})}
"""Mastercard's advice codes after which these details must not be tried again."""

_WAITING_CODES: Final = ("24", "25", "26", "27", "28", "29", "30", "02")
_REFUSING_CODES: Final = {
    "visa": ("R0", "R1", "R3", "46", "57"),
    "mastercard": ("03", "21", "42", "40", "41", "43", "01"),
}

WAITING: Final = tuple(f"mastercard {code}" for code in _WAITING_CODES)
REFUSED: Final = tuple(f"{brand} {code}" for brand, codes in _REFUSING_CODES.items() for code in codes)
ADVISED: Final = ("visa moody", "mastercard moody")
"""Their banks say something else each time."""

TURNING: Final = ("mastercard then 27", "mastercard then 30", "visa then R1", "visa then 57", "mastercard then 03")
"""Plain words at first; what the network says of the card is heard by whoever tries it next, for whichever invoice."""

NETWORK_MOODS: Final = (*WAITING, *REFUSED, *ADVISED, *TURNING)


def brand_of(mood: str) -> str | None:
    """The network whose words a mood uses; None where any card may have it."""
    return mood.partition(" ")[0] if mood in NETWORK_MOODS else None


def _said(brand: str, code: str) -> Signals:
    """What a bank says through its network."""
    if brand == "visa":
        return Signals(error_code="card_declined", decline_code="do_not_honor", network_decline_code=code)
    why = "insufficient_funds" if code in WAIT_HOURS else "do_not_honor"
    return Signals(error_code="card_declined", decline_code=why, network_advice_code=code)


def never_again(charge: Booked, at: datetime) -> bool:
    """Whether the network forbids, by what is in force at an instant, to try the card ever again that a charge failed on."""
    if charge.signals is None or charge.status is not ChargeStatus.FAILED:
        return False
    if charge.signals.decline_code in NEVER_AGAIN_CODES:
        return True
    visa = charge.signals.network_decline_code or ""
    if charge.card.brand == "visa" and visa in _NEVER_SINCE:
        return at >= _NEVER_SINCE[visa]
    code = visa if charge.card.brand == "visa" else charge.signals.network_advice_code
    return code in _NEVER.get(charge.card.brand or "", ())


def dead_details(charge: Booked, at: datetime) -> bool:
    """Whether a charge failed so that its details must not be presented again, under the rules at an instant."""
    if charge.signals is None or charge.status is not ChargeStatus.FAILED:
        return False
    other = charge.signals.network_advice_code in _OTHER_DETAILS.get(charge.card.brand or "", ())
    return other or charge.signals.decline_code in DEAD_CODES or never_again(charge, at)


def wait_hours(charge: Booked) -> int:
    """How long the network wants the card left alone after a charge failed."""
    advised = charge.signals.network_advice_code if charge.signals and charge.card.brand == "mastercard" else None
    return WAIT_HOURS.get(advised or "", 0) if charge.status is ChargeStatus.FAILED else 0


FAILING: Final = ("funds", "funds", "funds", "advice", "ill", "ill", "honor", "odd", "expired", "lost", "cvc", "auth")
"""The moods of cards that have failed; blocked and duplicate are rarer still."""

RARE: Final = ("duplicate", "blocked")
DEAD_CODES: Final = frozenset({"expired_card", "lost_card", "stolen_card", "pickup_card", "incorrect_cvc"})
"""After one of these the same details must never be presented again."""

NEVER_AGAIN_CODES: Final = frozenset({"lost_card", "stolen_card", "pickup_card"})
"""After one of these the card itself must never be presented again, on no invoice."""

ADDRESS_CODES: Final = frozenset({"incorrect_zip"})
"""After one of these the same entry may be presented once more, when its address was corrected since."""

ONLY_CUSTOMER_CODES: Final = frozenset({"authentication_required"})

OF_AN_ENTRY_CODES: Final = ADDRESS_CODES | ONLY_CUSTOMER_CODES | {"incorrect_cvc"}
"""What was wrong with one entry of a number may be right with another one, which its holder chooses."""


def answer(mood: str, dice: random.Random, *, on_session: bool, hard: bool) -> tuple[ChargeStatus, Signals | None]:
    """What the issuer says to one authorisation. In ``hard`` times few are approved, so that limits on tries are reached."""
    share, signals = _of(mood, dice)
    if hard and mood != "good":
        share *= 0.2
    if on_session and mood not in ("expired", "lost", "blocked", "visa 46"):
        share = max(share, 0.8)
    if dice.random() < share:
        return ChargeStatus.SUCCEEDED, None
    return ChargeStatus.FAILED, signals if mood != "good" else _CODES["honor"][1]


def opening(mood: str) -> Signals:
    """The signals of the failure that begins everything."""
    return _said(mood.partition(" ")[0], "05") if mood in TURNING else _of(mood, random.Random(mood))[1]


def _of(mood: str, dice: random.Random) -> tuple[float, Signals]:
    """How often a card in this mood is approved, and with which words it is refused otherwise."""
    brand = brand_of(mood)
    if brand is None:
        return _CODES[mood]
    code = mood.rpartition(" ")[2]
    if mood in ADVISED:
        words = ("51", "R1", "41", "57") if brand == "visa" else ("24", "27", "30", "03")
        code = dice.choice(("05", "05", *words))
    return (0.0 if mood in REFUSED else 0.15 if mood in TURNING else 0.35), _said(brand, code)
