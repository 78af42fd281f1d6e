"""Answers for what goes wrong, friendly for people and plain for machines. Without them a typing mistake would show a bare word."""

import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ExceptionHandler

from recovery.runtime.settings import Pages
from recovery.runtime.web.access import Access
from recovery.runtime.web.render import rendered

log = structlog.get_logger(__name__)

_WORDS = {
    400: ("That cannot be shown", "The address asks for something that does not exist."),
    403: ("Not for you", "You are signed in, but this is for another role, or the form was too old."),
    429: ("Too many attempts", "Wait a quarter of an hour, then try again."),
    401: ("A password is needed", "These pages are for people who know the password."),
    404: ("Not found", "There is nothing at this address."),
    405: ("Not possible here", "This address cannot be used in that way."),
    500: ("Something went wrong", "It was recorded. Trying again may help."),
    503: ("The database is away", "Nothing is lost. Try again in a moment."),
}


def error_handlers(access: Access) -> dict[object, ExceptionHandler]:
    """What Starlette calls for errors."""

    def answer(request: Request, status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
        title, words = _WORDS.get(status, ("That did not work", detail))
        wants_page = "text/html" in request.headers.get("accept", "") and access.pages is not Pages.OFF
        if not wants_page:
            return JSONResponse({"error": detail}, status_code=status, headers=headers)
        # What the page set for its own rendering ended with the thread it was refused in; nothing is looked up for an error.
        reader = getattr(request.state, "signed_in", None)
        values = {"title": title, "words": words, "detail": detail if status in (400, 403) else "", "signed_in": reader}
        return rendered("error.html", values, status=status, headers=headers)

    def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return answer(request, error.status_code, error.detail, dict(error.headers or {}))

    def database_away(request: Request, error: Exception) -> Response:
        log.error("page_without_database", path=request.url.path, error=type(error).__name__)
        return answer(request, 503, "the database is away", {"Retry-After": "30"})

    def unexpected(request: Request, _error: Exception) -> Response:
        return answer(request, 500, "something went wrong")  # the server logs the error itself

    return {
        HTTPException: http_error,
        OperationalError: database_away,
        PoolTimeout: database_away,
        Exception: unexpected,
    }
