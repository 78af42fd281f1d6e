"""Who may read the pages. Without one rule a figure could be shown on one page and guarded on the next."""

import base64
import binascii
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from sqlalchemy import Engine
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from recovery.runtime.clock import machine_now
from recovery.runtime.settings import Pages, Settings, SettingsInvalid
from recovery.runtime.web.render import SIGNED_IN
from recovery.runtime.web.roles import EVERYBODY, Role
from recovery.runtime.web.signing_in import Attempt, checked, failed, throttled
from recovery.storage.user_store import Session, session_of

Page = Callable[[Request], Response]

CHALLENGE = {"WWW-Authenticate": 'Basic realm="Recovery", charset="UTF-8"'}

COOKIE = "recovery_session"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The rule of the settings. ``password`` is set exactly when the rule asks for one, ``database`` knows users and sessions."""

    pages: Pages
    password: bytes | None
    database: Engine

    def allows(self, request: Request) -> bool:
        """Whether this request may see what the pages show."""
        if self.pages is Pages.LOGIN:
            return self.role_of(request) is not None
        if self.password is None:
            return self.pages is Pages.OPEN
        return self._knows(self.password, request)

    def _knows(self, password: bytes, request: Request) -> bool:
        """Whether the password that all share is in the header. Raises HTTPException 429 for whoever guessed too often."""
        said = _given(request)[1]
        if not said:
            return False
        attempt = Attempt(name="", password=said, address=address_of(request))
        self._demand_patience(attempt)
        right = hmac.compare_digest(said.encode(), password)
        if not right:
            failed(self.database, attempt, at=machine_now())
        return right

    def _demand_patience(self, attempt: Attempt) -> None:
        if throttled(self.database, attempt, at=machine_now()):
            raise HTTPException(
                429, detail="too many failed attempts; wait a quarter of an hour", headers={"Retry-After": "900"}
            )

    def guarding(self, page: Page, *, roles: frozenset[Role] = EVERYBODY) -> Page:
        """The page behind the rule: 404 where there are no pages, 401 or the way to the login without right, 403 for other roles."""

        def guarded(request: Request) -> Response:
            if self.pages is Pages.OFF:
                raise HTTPException(404)
            if self.pages is Pages.LOGIN:
                return self._for_role(request, page, roles)
            if not self.allows(request):
                raise HTTPException(401, headers=CHALLENGE)
            return page(request)

        return guarded

    def session(self, request: Request) -> Session | None:
        """Who is signed in, if anybody; looked up once a request."""
        if not hasattr(request.state, "signed_in"):
            token = request.cookies.get(COOKIE, "")
            found = None
            if token:
                with self.database.begin() as tx:
                    found = session_of(tx, token, at=machine_now())
            request.state.signed_in = found
        session: Session | None = request.state.signed_in
        return session

    def role_of(self, request: Request) -> Role | None:
        """The role of whoever asks: by session, or for programs by name and password in a Basic header."""
        session = self.session(request)
        if session is not None:
            return Role(session.user.role)
        name, password = _given(request)
        if not name or "\x00" in name or request.method not in ("GET", "HEAD"):
            return None
        attempt = Attempt(name=name, password=password, address=address_of(request))
        self._demand_patience(attempt)
        user = checked(self.database, attempt, at=machine_now())
        return Role(user.role) if user is not None else None

    def _for_role(self, request: Request, page: Page, roles: frozenset[Role]) -> Response:
        role = self.role_of(request)
        if role is None:
            if "text/html" in request.headers.get("accept", "") and request.method == "GET":
                there = request.url.path + (f"?{request.url.query}" if request.url.query else "")
                return RedirectResponse("/login?" + urlencode({"next": there}), status_code=303)
            raise HTTPException(401, headers=CHALLENGE)
        if role not in roles:
            raise HTTPException(403, detail=f"this is not for the role {role.value}")
        SIGNED_IN.set(self.session(request))
        return page(request)


def access_of(settings: Settings, database: Engine) -> Access:
    """The rule of these settings. Raises SettingsInvalid when a password is asked for and none is set."""
    if settings.pages is not Pages.PASSWORD:
        return Access(pages=settings.pages, password=None, database=database)
    if settings.pages_password is None or not settings.pages_password.get_secret_value():
        raise SettingsInvalid("RECOVERY_PAGES_PASSWORD: not set, and RECOVERY_PAGES=password needs it")
    return Access(pages=settings.pages, password=settings.pages_password.get_secret_value().encode(), database=database)


def address_of(request: Request) -> str:
    """Where a request comes from, as the server knows it."""
    return request.client.host if request.client else "unknown"


def _given(request: Request) -> tuple[str, str]:
    """Name and password of a Basic header; empty when there is none."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        name, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return name, password
