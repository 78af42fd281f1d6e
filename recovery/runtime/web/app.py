"""The web process as one ASGI application. Without one place for its routes, headers and errors each page would guard itself.

Webhooks, health and metrics are for machines and always there (webhooks only with a secret); the pages are for people and there
only as the settings allow.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route

from recovery.intake.grouping import EventWriter
from recovery.runtime.clock import machine_now
from recovery.runtime.metrics import WebhookMeter
from recovery.runtime.web.access import access_of
from recovery.runtime.web.customer_pages import CustomerPages
from recovery.runtime.web.doorbell import Doorbell
from recovery.runtime.web.errors import error_handlers
from recovery.runtime.web.headers import SecurityHeaders
from recovery.runtime.web.health import healthz, readiness
from recovery.runtime.web.mail_events import mail_events
from recovery.runtime.web.measured import metrics_page
from recovery.runtime.web.routes import page_routes
from recovery.runtime.web.webhooks import StripeWebhooks
from recovery.runtime.wiring import Wiring


def create_app(wiring: Wiring, *, ring: Callable[[], None]) -> Starlette:
    """The application. ``ring`` tells the workers that an event was stored; it may be slow and may fail.

    Raises SettingsInvalid when a setting that its routes need is missing.
    """
    bell = Doorbell(ring)
    meter = WebhookMeter()
    writer = EventWriter(wiring.database, machine_now)
    access = access_of(wiring.settings, wiring.database)
    middleware = [Middleware(SecurityHeaders)]
    if wiring.settings.stripe_webhook_secrets:  # first: of all requests most are these
        webhooks = Middleware(
            StripeWebhooks,
            gateway=wiring.gateway,
            limit=wiring.settings.webhook_body_bytes_max,
            writer=writer,
            bell=bell,
            meter=meter,
        )
        middleware.insert(0, webhooks)
    routes: list[BaseRoute] = [
        Route("/healthz", healthz),
        Route("/readyz", readiness(wiring)),
        Route("/metrics", metrics_page(wiring, meter, access)),
        *page_routes(wiring, access),
    ]
    if wiring.outbox.links is not None:
        routes += CustomerPages(wiring, wiring.outbox.links).routes
    if wiring.settings.mail_event_secrets:
        routes.append(Route("/webhooks/mail", mail_events(wiring), methods=["POST"]))

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await writer.close()
        bell.close()

    return Starlette(
        routes=routes,
        middleware=middleware,
        exception_handlers=error_handlers(access),
        lifespan=lifespan,
    )
