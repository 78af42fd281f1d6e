"""Runs the three processes of production. Without one place, server, stack and doorbell could be started in a wrong order.

Celery and the web server are loaded by these processes alone: the other commands start faster without them.
"""

import gc

import structlog
from sqlalchemy.exc import SQLAlchemyError

from recovery.runtime.processes import unwinding_signals
from recovery.runtime.settings import Settings
from recovery.runtime.stack import opened
from recovery.storage.migrate import demand

log = structlog.get_logger(__name__)

POOL = 10
"""Web requests that may use the database at once, doubled under load; the embedded server allows a hundred in all."""

GRACE_SECONDS = 10
"""A request that is under way may end; supervisors commonly kill after ten to thirty seconds."""


def serve_web(settings: Settings) -> None:
    """Serve until told to stop. Raises SettingsInvalid, ConfigInvalid and EmbeddedServerFailed before anything is served."""
    import uvicorn

    from recovery.runtime.celery_app import COURTESY, Bell, doorbell, make_app
    from recovery.runtime.web.app import create_app

    with unwinding_signals(), opened(settings, broker=True, pool_size=POOL) as stack:
        assert stack.broker_url is not None
        ring = doorbell(make_app(stack.broker_url, ring_seconds=settings.ring_seconds), priority=COURTESY)
        app = create_app(stack.wiring, ring=lambda: ring(Bell.EVENTS))
        config = uvicorn.Config(
            app,
            host=settings.web_host,
            port=settings.web_port,
            log_config=None,  # through our own logging
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        gc.freeze()  # what was loaded stays: going through it again and again would stop all requests for tenths of a second
        uvicorn.Server(config).run()


def serve_worker(settings: Settings) -> None:
    """Work through events and due steps until told to stop.

    Raises SchemaTooOld, SettingsInvalid and ConfigInvalid before anything is taken up.
    """
    from recovery.runtime.account import kept_at_start
    from recovery.runtime.celery_app import run_worker

    with opened(settings, broker=True) as stack:
        assert stack.broker_url is not None
        known = stack.wiring.knowledge  # read once, for all processes of the pool
        try:
            demand(stack.wiring.database)
            kept_at_start(stack.wiring)
        except SQLAlchemyError as error:  # it may come back at any moment, and every ring asks anew
            log.warning("database_away", error=type(error).__name__)
        finally:
            stack.wiring.database.dispose()  # the pool's processes must not share its connections
        gc.freeze()  # Celery collects before it forks each process of the pool: a tenth of a second for what stays anyway
        status = run_worker(settings, database_url=stack.wiring.database_url, broker_url=stack.broker_url, known=known)
    if status:
        raise SystemExit(status)


def serve_beat(settings: Settings) -> None:
    """Ring the bells until told to stop."""
    from recovery.runtime.celery_app import run_beat

    with opened(settings, broker=True) as stack:
        assert stack.broker_url is not None
        run_beat(settings, broker_url=stack.broker_url)
