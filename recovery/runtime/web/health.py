"""Says whether this process lives and whether it can work. Without it a supervisor would send webhooks to a process that drops them."""

from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from recovery.runtime.wiring import Wiring
from recovery.storage.flag_store import CHARGING_HALTED, is_raised
from recovery.storage.migrate import too_old


async def healthz(_request: Request) -> Response:
    """The process is alive; nothing else is looked at."""
    return PlainTextResponse("ok\n")


def readiness(wiring: Wiring) -> Callable[[Request], Response]:
    """The endpoint that names what is missing. Halted charging is reported and is no reason to turn webhooks away."""

    def readyz(_request: Request) -> Response:
        missing, charging = _look(wiring)
        told = {"ready": not missing, "missing": missing, "charging": charging}
        return JSONResponse(told, status_code=503 if missing else 200)

    return readyz


def _look(wiring: Wiring) -> tuple[list[str], str]:
    try:
        if (missing := too_old(wiring.database)) is not None:
            return [missing], "unknown"
        with wiring.database.connect() as tx:
            halted = is_raised(tx, CHARGING_HALTED)
    except SQLAlchemyError as error:
        return [f"the database ({type(error).__name__})"], "unknown"
    return [], "halted: see recovery doctor" if halted else "running"
