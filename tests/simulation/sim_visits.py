"""The customers at their page, and the scanners that fetch every link before them. Without it only hand-made visits would be tried.

The real endpoints are called, in the same thread: a web process may die between any two transactions, too.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from sim_clocks import Clocks
from sim_faults import Faults
from sim_mailer import Left
from sqlalchemy import Engine, text
from starlette.requests import Request
from starlette.responses import Response

from recovery.dunning.letter import Letters
from recovery.dunning.links import Links
from recovery.dunning.send import Outbox
from recovery.dunning.wording import REASONS
from recovery.engine.door import Door
from recovery.gateways.port import Gateway
from recovery.runtime.web.customer_pages import CustomerPages
from recovery.runtime.wiring import Wiring

LINKS = Links(base_url="https://pay.example.com", secrets=("the secret of the simulation",))

_CHANGED = text(
    "SELECT (SELECT count(*) FROM journal), (SELECT count(*) FROM steps), (SELECT count(*) FROM suppressions),"
    " (SELECT count(*) FROM emails), (SELECT count(*) FROM messages), (SELECT count(*) FROM mail_objections)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """What the page needs of a process's wiring."""

    database: Engine
    gateway: Gateway
    door: Door
    rulebook: Any
    letters: Letters
    outbox: Outbox


@dataclass
class Visits:
    """Who did what on the page, as the page told them. ``wrong`` is what no page may do."""

    front: Front
    clocks: Clocks
    faults: Faults
    say: Callable[[str], None]
    unsubscribed: dict[str, datetime] = field(default_factory=dict)
    left: dict[str, datetime] = field(default_factory=dict)
    wished: list[tuple[str, datetime]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._pages = CustomerPages(cast(Wiring, self.front), LINKS)

    def visit(self, mail: Left) -> None:
        """Somebody follows a link of an email, after the scanners did."""
        case_id = mail.message_id.strip("<>").rpartition("-mail-")[0]
        self._scan(mail)
        self.faults.dice.of("visits").choice(_WAYS)(self, case_id, mail)

    def _scan(self, mail: Left) -> None:
        """A scanner fetches both links."""
        with self._unchanged(f"fetching the links of {mail.message_id}"):
            told = (
                self._answer(self._pages.page, self._request(mail.page)),
                self._answer(self._pages.unsubscribing, self._request(mail.unsubscribe)),
            )
        if any(page.status_code not in (200, 404) for page in told):
            self.wrong.append(f"a scanner was answered {[page.status_code for page in told]}")

    @contextmanager
    def _unchanged(self, what: str) -> Iterator[None]:
        """Nobody else acts meanwhile, so that a change is the visitor's."""
        before, self.faults.ended, ended = self._state(), True, self.faults.ended
        try:
            yield
        finally:
            self.faults.ended = ended
        if self._state() != before:
            self.wrong.append(f"{what} changed something")

    def _look(self, _case_id: str, mail: Left) -> None:
        self._proof(mail)

    def _day(self, case_id: str, mail: Left) -> None:
        """Mostly a day that the page offers, where it offers any."""
        offered = 'name="day"' in self._page(mail)
        day = self.clocks.at + timedelta(
            days=self.faults.dice.of("visits").choice((2, 6, 20) if offered else (0, 6, 60))
        )
        answer = self._answer(
            self._pages.day, self._request(mail.page), {"proof": self._proof(mail), "day": day.date().isoformat()}
        )
        if self._told(answer, 200, 400, 404) == 200:
            self.wished.append((case_id, self.clocks.at))
            self.say(f"  page: a try on {day:%d %b} for {case_id}")

    def _leave(self, case_id: str, mail: Left) -> None:
        because = self.faults.dice.of("visits").choice(REASONS)
        answer = self._answer(
            self._pages.leave, self._request(mail.page), {"proof": self._proof(mail), "because": because}
        )
        if self._told(answer, 200, 404) == 200:
            self.left.setdefault(case_id, self.clocks.at)
            self.say(f"  page: the customer of {case_id} leaves ({because})")

    def _reason(self, _case_id: str, mail: Left) -> None:
        """Only the page of an ended case has this form; that of an open one offers to leave."""
        if "/reason" in self._page(mail):
            answer = self._answer(
                self._pages.reason, self._request(mail.page), {"proof": self._proof(mail), "because": REASONS[0]}
            )
            self._told(answer, 200, 404)

    def _unsubscribe(self, case_id: str, mail: Left) -> None:
        answer = self._answer(self._pages.unsubscribe, self._request(mail.unsubscribe), {})
        if self._told(answer, 200, 404, 503) == 200:
            self.unsubscribed.setdefault(case_id, self.clocks.at)
            self.say(f"  page: the customer of {case_id} unsubscribes")

    def _card(self, _case_id: str, mail: Left) -> None:
        self._told(
            self._answer(self._pages.card, self._request(mail.page), {"proof": self._proof(mail)}), 200, 404, 503
        )

    def _forge(self, _case_id: str, mail: Left) -> None:
        """Somebody without the form's own signature, from another site, or with another case's."""
        other = LINKS.token("case_other", until=self.clocks.at + timedelta(days=9))
        forms: tuple[tuple[dict[str, str], dict[str, str]], ...]
        forms = (({}, {}), ({"proof": other}, {}), ({"proof": self._proof(mail)}, {"sec-fetch-site": "cross-site"}))
        with self._unchanged("a forged form"):
            for form, headers in forms:
                request = self._request(mail.page, headers)
                self._told(self._answer(self._pages.leave, request, form | {"because": REASONS[0]}), 404)

    def _page(self, mail: Left) -> str:
        return bytes(self._answer(self._pages.page, self._request(mail.page)).body).decode()

    def _proof(self, mail: Left) -> str:
        found = re.search(r'name="proof" value="([^"]+)"', self._page(mail))
        return found[1] if found else ""

    def _told(self, answer: Response, *known: int) -> int:
        if answer.status_code not in known:
            self.wrong.append(f"the page answered {answer.status_code}: {bytes(answer.body)[-300:]!r}")
        return answer.status_code

    def _answer(self, handler: Callable[..., Response], *asked: object) -> Response:
        """What the application's route answers: a link that opens nothing is no error."""
        return self._pages.opened(handler)(*asked)

    def _state(self) -> tuple[int, ...]:
        with self.front.database.connect() as tx:
            return tuple(tx.execute(_CHANGED).one())

    def _request(self, url: str, headers: Mapping[str, str] | None = None) -> Request:
        path = url.removeprefix(LINKS.base_url)
        return Request(
            {
                "type": "http",
                "method": "GET",
                "path": path,
                "root_path": "",
                "query_string": b"",
                "headers": [(name.encode(), value.encode()) for name, value in (headers or {}).items()],
                "path_params": {"token": path.split("/")[2]},
                "server": ("pay.example.com", 443),
                "scheme": "https",
            }
        )


_WAYS = (
    Visits._look,
    Visits._day,
    Visits._day,
    Visits._leave,
    Visits._reason,
    Visits._unsubscribe,
    Visits._card,
    Visits._forge,
)
