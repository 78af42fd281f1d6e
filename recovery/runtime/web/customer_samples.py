"""The customer's page with sample values, in all its faces. Without it each of them would first be seen by a customer."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from recovery.cases.case import Case, Exhausted
from recovery.cases.lifecycle import Rule, State
from recovery.cases.project import Scenario, opened
from recovery.cases.rules import Rules
from recovery.declines.signals import Card, Signals
from recovery.dunning.gallery import write_gallery
from recovery.dunning.letter import Letters
from recovery.dunning.wording import wording_for
from recovery.gateways.port import Contact
from recovery.money import Money
from recovery.runtime.web.customer_view import View, going_values, told_values
from recovery.runtime.web.render import page_of

_FAILED_AT = datetime(2026, 11, 2, 15, 0, tzinfo=UTC)
_NOW = _FAILED_AT + timedelta(days=22)
_CARD = Card(payment_method="pm_sample", brand="visa", country="US", last4="4242", exp_month=4, exp_year=2029)
_HOSTED = "https://pay.example.com/sample"
_FUNDS = Signals(error_code="card_declined", decline_code="insufficient_funds")
_BANK = Signals(error_code="authentication_required", decline_code="authentication_required")

TOLD = ("left", "wrong", "away", "unsubscribe", "unsubscribed")
"""Pages that say one thing."""


_ONWARD = re.compile(r'<meta http-equiv="refresh"[^>]*>|<link rel="icon"[^>]*>')
"""A sample stays where it is, and needs nothing beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One face of the page in one language."""

    language: str
    name: str
    title: str
    html: str


def write_samples(letters: Letters, rules: Rules, folder: Path) -> Sequence[Path]:
    """Every letter and every face of the page as files; the first is the page that shows them all. Raises LetterError."""
    pages = ((each.name, each.language, each.title, each.html) for each in page_samples(letters, rules))
    return write_gallery(letters, folder, pages=pages)


def page_samples(letters: Letters, rules: Rules) -> Iterator[Sample]:
    """Every face in every language. Raises LetterError for a sentence that does not render."""
    sheet = f"<style>{page_of('customer.css', {'colour': letters.brand.colour})}</style>"
    for language in letters.languages:
        for name, values in _faces(letters, rules, language):
            html = page_of(_TEMPLATES.get(name, "customer.html"), values)
            html = _ONWARD.sub("", html.replace('<link rel="stylesheet" href="/r/style.css">', sheet))
            yield Sample(language=language, name=f"page_{name}", title=str(values["title"]), html=html)


_TEMPLATES = {"going": "customer_going.html"} | dict.fromkeys(TOLD, "customer_told.html")


def _faces(letters: Letters, rules: Rules, language: str) -> Iterator[tuple[str, dict[str, object]]]:
    wording = wording_for(language, letters.texts, brand=letters.brand.name)
    asked = _asked(_FUNDS, rules)
    view = View(
        case=asked,
        rules=rules,
        contact=Contact(email=None, name="Kim Lee", locale=language, hosted_url=_HOSTED),
        wording=wording,
        now=_NOW,
        proof="sample",
        path="/r/sample",
    )
    wished = _NOW + timedelta(days=9)
    done = wording.say("day_done", day=wording.day(wished, view.zone))
    yield "open", view.values()
    yield "confirm", replace(view, case=_asked(_BANK, rules)).values()
    yield "day", replace(view, case=replace(asked, wished_at=wished, wishes=1)).values(done)
    yield "paid", replace(view, case=replace(asked, state=State.RECOVERED)).values()
    yield "lost", replace(view, case=replace(asked, state=State.LOST)).values()
    yield "closed", replace(view, case=replace(asked, state=State.WITHDRAWN, cancelled=True)).values()
    told = replace(asked, state=State.WITHDRAWN, cancelled=True, left_because="unused")
    yield "thanked", replace(view, case=told).values(wording.say("survey_done"))
    yield "going", going_values(wording, _HOSTED)
    for name in TOLD:
        yield name, told_values(wording, name, action="/u/sample" if name == "unsubscribe" else None)


def _asked(signals: Signals, rules: Rules) -> Case:
    """A case whose silent options are exhausted."""
    amount = Money(minor=4900, currency="usd")
    fresh = opened(Scenario(signals=signals, card=_CARD, amount=amount, failed_at=_FAILED_AT), rules)
    verdict = rules.verdict(signals, _CARD, _FAILED_AT)
    used_up = Exhausted(rule=Rule.HORIZON, at=_FAILED_AT + timedelta(days=21), detail="sample")
    return replace(fresh, state=State.DUNNING, card=_CARD, tried_card=_CARD, verdict=verdict, exhausted=used_up)
