"""Who may read the pages. Without one rule a figure could be shown on one page and guarded on the next."""

import base64
import binascii
import hmac
from collections.abc import Callable
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from recovery.runtime.settings import Pages, Settings, SettingsInvalid

Page = Callable[[Request], Response]

CHALLENGE = {"WWW-Authenticate": 'Basic realm="Recovery", charset="UTF-8"'}


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The rule of the settings. ``password`` is set exactly when the rule asks for one."""

    pages: Pages
    password: bytes | None

    def allows(self, request: Request) -> bool:
        """Whether this request may see what the pages show."""
        if self.password is None:
            return self.pages is Pages.OPEN
        return hmac.compare_digest(_given(request), self.password)

    def guarding(self, page: Page) -> Page:
        """The page behind the rule: 404 where there are no pages, 401 without the password."""

        def guarded(request: Request) -> Response:
            if self.pages is Pages.OFF:
                raise HTTPException(404)
            if not self.allows(request):
                raise HTTPException(401, headers=CHALLENGE)
            return page(request)

        return guarded


def access_of(settings: Settings) -> Access:
    """The rule of these settings. Raises SettingsInvalid when a password is asked for and none is set."""
    if settings.pages is not Pages.PASSWORD:
        return Access(pages=settings.pages, password=None)
    if settings.pages_password is None or not settings.pages_password.get_secret_value():
        raise SettingsInvalid("RECOVERY_PAGES_PASSWORD: not set, and RECOVERY_PAGES=password needs it")
    return Access(pages=settings.pages, password=settings.pages_password.get_secret_value().encode())


def _given(request: Request) -> bytes:
    """The password of a Basic header, whatever the user name; empty when there is none."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(value, validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""
