"""The customer's page behind the link in an email. Without it the way out would be a hosted invoice and silence.

A GET changes nothing: link scanners fetch everything. What changes something is a POST that carries the form's own signature and
does not come from another site. A token opens one case; a wrong or old one tells nothing.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from recovery.cases.facts import CustomerLeft, DateWished
from recovery.dunning.leaving import leave
from recovery.dunning.links import For, LinkRefused, Links
from recovery.dunning.objecting import list_addresses, unsubscribe
from recovery.dunning.wording import REASONS, Wording, wording_for
from recovery.engine.advance import advance
from recovery.gateways.port import Contact, GatewayError
from recovery.runtime.web.customer_view import View, going_values, told_values
from recovery.runtime.web.forms import short_form
from recovery.runtime.web.render import page_of, rendered
from recovery.runtime.wiring import Wiring
from recovery.storage.case_store import NoSuchCase, load_case

log = structlog.get_logger(__name__)

FORM_BYTES_MAX = 4096
"""The longest form has a signature and a word."""

NOBODY = Contact(email=None, name=None, locale=None, hosted_url=None)


class CustomerPages:
    """The endpoints of the page."""

    def __init__(self, wiring: Wiring, links: Links) -> None:
        self._wiring = wiring
        self._links = links

    @property
    def routes(self) -> list[BaseRoute]:
        """Where they are."""
        actions = {"card": self.card, "day": self.day, "leave": self.leave, "reason": self.reason}
        return [
            Route("/r/style.css", self.style),
            Route("/r/icon.svg", self.icon),
            Route("/r/{token}", self.opened(self.page), methods=["GET"]),
            Route("/u/{token}", self.opened(self.unsubscribing), methods=["GET"]),
            Route("/u/{token}", self._posted(self.unsubscribe), methods=["POST"]),
            *(Route(f"/r/{{token}}/{name}", self._posted(each), methods=["POST"]) for name, each in actions.items()),
        ]

    def opened(self, handler: Callable[..., Response]) -> Callable[..., Response]:
        """A handler that tells nothing to whose link or form opens nothing."""

        def shown(request: Request, *form: dict[str, str]) -> Response:
            try:
                return handler(request, *form)
            except LinkRefused:
                return self._told(request, "wrong", status=404)

        return shown

    def _posted(
        self, handler: Callable[[Request, dict[str, str]], Response]
    ) -> Callable[[Request], Awaitable[Response]]:
        """An endpoint that reads a short form before its handler works in a thread."""
        opened = self.opened(handler)

        async def endpoint(request: Request) -> Response:
            fields = await short_form(request, bytes_max=FORM_BYTES_MAX)
            return await run_in_threadpool(opened, request, fields)

        return endpoint

    def style(self, _request: Request) -> Response:
        """The style sheet, with the brand's colour."""
        return self._coloured("customer.css", "text/css")

    def icon(self, _request: Request) -> Response:
        """A dot in the brand's colour: browsers ask for an icon, and ours would be a stranger's to the reader."""
        return self._coloured("customer_icon.svg", "image/svg+xml")

    def _coloured(self, template: str, media_type: str) -> Response:
        made = page_of(template, {"colour": self._wiring.settings.brand_colour})
        return Response(made, media_type=media_type, headers={"Cache-Control": "public, max-age=3600"})

    def page(self, request: Request) -> Response:
        """What is open and what can be done about it."""
        return rendered("customer.html", self._view(request).values())

    def card(self, request: Request, form: dict[str, str]) -> Response:
        """A page of the gateway for another card, made at this moment."""
        view = self._view(request, form)
        back = f"{self._links.base_url}{view.path}"
        try:
            url = self._wiring.gateway.open_card_page(view.case.customer, return_url=back)
        except GatewayError as error:
            log.warning("card_page_failed", error=type(error).__name__)
            return self._told(request, "away", status=503)
        return rendered("customer_going.html", going_values(view.wording, url))

    def day(self, request: Request, form: dict[str, str]) -> Response:
        """The day on which to try again."""
        view = self._view(request, form)
        at = view.instant(form.get("day", ""))
        told = None if at is None else advance(self._wiring.door, view.case.id, DateWished(wished_at=at))
        if told is None or told.case.wished_at is None:
            return rendered("customer.html", view.values(view.wording.say("day_not")), status=400)
        done = view.wording.say("day_done", day=view.told_day(told.case.wished_at))
        return rendered("customer.html", self._view(request).values(done))

    def leave(self, request: Request, form: dict[str, str]) -> Response:
        """The customer leaves, with the reason."""
        return self._reasoned(request, form, "left")

    def reason(self, request: Request, form: dict[str, str]) -> Response:
        """Whose case has ended already tells why."""
        return self._reasoned(request, form, "survey_done")

    def _reasoned(self, request: Request, form: dict[str, str], done: str) -> Response:
        view = self._view(request, form)
        because = form.get("because", "")
        if because not in REASONS:
            return rendered("customer.html", view.values(), status=400)
        door = self._wiring.door
        if done == "left":
            leave(door, view.case.id, because)
            return self._told(request, "left", wording=view.wording)
        advance(door, view.case.id, CustomerLeft(because=because))
        return rendered("customer.html", self._view(request).values(view.wording.say(done)))

    def unsubscribing(self, request: Request) -> Response:
        """Asks whether it is meant: a scanner that fetches the link ends nothing."""
        self._links.case_of(request.path_params["token"], now=self._now(), purpose=For.UNSUBSCRIBE)
        return self._told(request, "unsubscribe", action=request.url.path)

    def unsubscribe(self, request: Request, _form: dict[str, str]) -> Response:
        """Ends the emails. Mail programs post here by themselves (RFC 8058), so that the token alone is the proof."""
        wiring, token = self._wiring, request.path_params["token"]
        case_id, _ = self._links.case_of(token, now=self._now(), purpose=For.UNSUBSCRIBE)
        try:
            with wiring.database.connect() as tx:
                customer = load_case(tx, case_id).customer
        except NoSuchCase as error:
            raise LinkRefused("no such case") from error
        unsubscribe(wiring.door, customer)
        list_addresses(wiring.door, wiring.gateway, wiring.outbox.addresses, customer=customer)
        return self._told(request, "unsubscribed")

    def _view(self, request: Request, form: dict[str, str] | None = None) -> View:
        """The page's case, with the form's signature checked where there is a form. Raises LinkRefused."""
        token, now, wiring = request.path_params["token"], self._now(), self._wiring
        case_id, until = self._links.case_of(token, now=now)
        if form is not None:
            signed, _ = self._links.case_of(form.get("proof", ""), now=now, purpose=For.FORM)
            if signed != case_id or request.headers.get("sec-fetch-site", "same-origin") not in _OURS:
                raise LinkRefused("the form is not ours")
        try:
            with wiring.database.connect() as tx:
                case = load_case(tx, case_id)
                rules = wiring.rulebook.rules_for(tx, case.policy).for_case(case)
        except NoSuchCase as error:
            raise LinkRefused("no such case") from error
        contact = self._contact(case.obligation)
        proof = self._links.token(case_id, until=min(until, now + timedelta(days=1)), purpose=For.FORM)
        return View(
            case=case,
            rules=rules,
            contact=contact,
            wording=self._wording(request, contact.locale),
            now=now,
            proof=proof,
            path=f"/r/{token}",
        )

    def _contact(self, obligation: str) -> Contact:
        try:
            return self._wiring.gateway.read_contact(obligation)
        except GatewayError as error:
            log.warning("contact_not_read", error=type(error).__name__)
            return NOBODY

    def _wording(self, request: Request, locale: str | None) -> Wording:
        asked = request.headers.get("accept-language", "").split(",")[0].split(";")[0].strip()
        letters = self._wiring.letters
        return wording_for(locale or asked[:35], letters.texts, brand=letters.brand.name)

    def _told(
        self,
        request: Request,
        name: str,
        *,
        status: int = 200,
        action: str | None = None,
        wording: Wording | None = None,
    ) -> Response:
        """A page that says one thing."""
        values = told_values(wording or self._wording(request, None), name, action=action)
        return rendered("customer_told.html", values, status=status)

    def _now(self) -> datetime:
        return self._wiring.door.clock()


_OURS = ("same-origin", "none")
"""What browsers say of a form on our own page; older ones say nothing."""
