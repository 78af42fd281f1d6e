"""What the customer's page shows of a case, and nothing more. Without one place for it a private detail would slip into a template."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from recovery.cases.between import home_zone
from recovery.cases.case import Case
from recovery.cases.customer import WISH_DAYS_MAX, may_wish
from recovery.cases.leaving import has_left
from recovery.cases.lifecycle import State
from recovery.cases.rules import Rules
from recovery.declines.classify import DeclineClass
from recovery.dunning.wording import REASONS, Wording
from recovery.gateways.port import Contact


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One case as its customer may see it. ``proof`` is the form's own signature."""

    case: Case
    rules: Rules
    contact: Contact
    wording: Wording
    now: datetime
    proof: str
    path: str

    @property
    def zone(self) -> str:
        """Whose days are shown."""
        return home_zone(self.case, self.rules)

    def values(self, notice: str | None = None) -> dict[str, object]:
        """The template's values: no name but the first, no card but its last four digits, no id."""
        say, case = self.wording.say, self.case
        amount = self.wording.amount(case.amount)
        shown = _SHOWN.get(case.state, "open")
        open_now = shown == "open"
        last4 = case.card.last4 if case.card else None
        asks = case.verdict is not None and case.verdict.decline_class is DeclineClass.AUTHENTICATE
        text = say("confirm" if asks else "open", amount=amount, last4=last4) if open_now else say(shown)
        return {
            "title": say(f"{shown}_title"),
            "text": text,
            "greeting": say("greeting", name=(self.contact.name or "").split(" ")[0]) if open_now else None,
            "notice": notice,
            "pay_url": self.contact.hosted_url if shown in ("open", "lost") else None,
            "pay": say("pay_confirm") if asks else say("pay", amount=amount),
            "open": open_now,
            "day": self._day() if open_now and may_wish(case, self.rules) else None,
            "planned": self._planned() if open_now else None,
            "survey": not open_now and shown != "paid" and self._survey(),
            "reasons": [(name, say(f"reason_{name}")) for name in REASONS],
            "proof": self.proof,
            "path": self.path,
            **_shell(self.wording),
        }

    def instant(self, day: str) -> datetime | None:
        """The morning of a day that the form named, in the customer's zone; None when it is none of those that the page offers now.

        A day that cannot be had is not even told to the case: whoever holds a link could fill its journal.
        """
        offered = self._day() if may_wish(self.case, self.rules) else None
        try:
            local = datetime.fromisoformat(day).replace(hour=9, minute=0, tzinfo=ZoneInfo(self.zone))
        except ValueError:
            return None
        if offered is None or len(day) != len("2026-01-31"):
            return None
        return local if offered["min"] <= day <= offered["max"] else None

    def told_day(self, at: datetime) -> str:
        """A day as the reader writes it."""
        return self.wording.day(at, self.zone)

    def _day(self) -> dict[str, str]:
        today = self.now.astimezone(ZoneInfo(self.zone)).date()
        return {
            "min": (today + timedelta(days=1)).isoformat(),
            "max": (today + timedelta(days=WISH_DAYS_MAX - 1)).isoformat(),
        }

    def _planned(self) -> str | None:
        wished_at = self.case.wished_at
        if wished_at is None or wished_at <= self.now:
            return None
        return self.wording.say("day_planned", day=self.told_day(wished_at))

    def _survey(self) -> bool:
        dunning = self.rules.policy.dunning
        return (
            has_left(self.case)
            and self.case.left_because is None
            and (dunning.ask_reason or dunning.ask_reason_by_email)
        )


_SHOWN = {State.RECOVERED: "paid", State.WITHDRAWN: "closed", State.LOST: "lost"}


def told_values(wording: Wording, name: str, *, action: str | None = None) -> dict[str, object]:
    """The values of a page that says one thing, and may ask whether it is meant."""
    return {"title": wording.say(f"{name}_title"), "text": wording.say(name), "action": action} | _shell(wording)


def going_values(wording: Wording, url: str) -> dict[str, object]:
    """The values of the page that leads on to the gateway's."""
    return {"title": wording.say("going_title"), "text": wording.say("going"), "url": url} | _shell(wording)


def _shell(wording: Wording) -> dict[str, object]:
    """What every page of a customer needs."""
    return {"brand": wording.brand, "lang": wording.tag, "say": wording.say}
