"""Signing in and out. Without the session's own token in each form another site could send it."""

import hmac
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from recovery.runtime.clock import machine_now
from recovery.runtime.web.access import COOKIE, Access, address_of
from recovery.runtime.web.forms import short_form
from recovery.runtime.web.render import rendered
from recovery.runtime.web.signing_in import PASSWORD_LENGTH_MAX, Attempt, begun, checked, throttled
from recovery.runtime.wiring import Wiring
from recovery.storage.user_store import LONGEST, Session, end_session

NAME_MAX = 200

FORM_BYTES_MAX = 32 * 1024
"""A name, a password of the greatest length with every letter written in nine characters, and where to go afterwards."""


class LoginPages:
    """The endpoints that people sign in and act with."""

    def __init__(self, wiring: Wiring, access: Access) -> None:
        self._wiring = wiring
        self._access = access

    def form(self, request: Request) -> Response:
        """The form for signing in."""
        return _form(_next(request.query_params.get("next", "")), "")

    async def enter(self, request: Request) -> Response:
        """Name and password, sent: a session, or the form again."""
        same_site(request)
        sent = await short_form(request, bytes_max=FORM_BYTES_MAX)
        there = _next(sent.get("next", ""))
        name, password = sent.get("name", "")[:NAME_MAX], sent.get("password", "")[: PASSWORD_LENGTH_MAX + 1]
        attempt = Attempt(name=name.strip(), password=password, address=address_of(request))
        return await run_in_threadpool(self._enter, request, attempt, there)

    def _enter(self, request: Request, attempt: Attempt, there: str) -> Response:
        database, at = self._wiring.database, machine_now()
        if "\x00" in attempt.name:
            return _form(there, "Name or password is wrong.", status=401)
        if throttled(database, attempt, at=at):
            words = "Too many failed attempts. Wait a quarter of an hour, then try again."
            return _form(there, words, status=429, headers={"Retry-After": "900"})
        user = checked(database, attempt, at=at)
        if user is None:
            return _form(there, "Name or password is wrong.", status=401)
        answer = RedirectResponse(there, status_code=303)
        answer.set_cookie(
            COOKIE,
            begun(database, user, at=at),
            max_age=int(LONGEST.total_seconds()),
            httponly=True,
            secure=request.url.scheme == "https",
            samesite="lax",
        )
        return answer

    async def leave(self, request: Request) -> Response:
        """Sign out."""
        await self._permitted(request)
        await run_in_threadpool(self._leave, request.cookies.get(COOKIE, ""))
        answer = RedirectResponse("/login", status_code=303)
        answer.delete_cookie(COOKIE)
        return answer

    def _leave(self, token: str) -> None:
        with self._wiring.database.begin() as tx:
            end_session(tx, token)

    async def _permitted(self, request: Request) -> Session:
        """The session, if the form came from a page of it. Raises HTTPException 401, 403."""
        same_site(request)
        session = await run_in_threadpool(self._access.session, request)
        if session is None:
            raise HTTPException(401)
        sent = await short_form(request, bytes_max=FORM_BYTES_MAX)
        if not hmac.compare_digest(sent.get("csrf", "").encode(), session.csrf.encode()):
            raise HTTPException(403, detail="the form is too old; open the page again")
        return session


def same_site(request: Request) -> None:
    """Refuse what a browser says it sends on behalf of another site. Raises HTTPException 403.

    The origin alone does not tell: our own pages ask browsers for no referrer, and they send "null" as the origin then.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        if site not in ("same-origin", "none"):
            raise HTTPException(403, detail="this form was sent from another site")
        return
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise HTTPException(403, detail="this form was sent from another site")


def _next(wanted: str) -> str:
    """Where to go afterwards: a path of ours, never another site."""
    fine = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    return wanted if fine else "/report"


def _form(there: str, words: str, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return rendered("login.html", {"title": "Sign in", "next": there, "words": words}, status=status, headers=headers)
