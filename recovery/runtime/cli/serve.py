"""Runs the web process. Without one place its server, its stack and its doorbell could be started in a wrong order."""

from collections.abc import Callable
from typing import Any

import uvicorn

from recovery.runtime.processes import unwinding_signals
from recovery.runtime.settings import Settings
from recovery.runtime.stack import opened
from recovery.runtime.web.app import create_app

POOL = 10
"""Web requests that may use the database at once, doubled under load; the embedded server allows a hundred in all."""

GRACE_SECONDS = 10
"""A request that is under way may end; supervisors commonly kill after ten to thirty seconds."""


def serve_web(settings: Settings, celery_app: Callable[[], Any]) -> None:
    """Serve until told to stop. Raises SettingsInvalid, ConfigInvalid and EmbeddedServerFailed before anything is served."""
    with unwinding_signals(), opened(settings, broker=True, pool_size=POOL) as stack:
        app = create_app(stack.wiring, ring=celery_app().doorbell(stack.broker_url))
        config = uvicorn.Config(
            app,
            host=settings.web_host,
            port=settings.web_port,
            log_config=None,  # through our own logging
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        uvicorn.Server(config).run()
