"""The monitor's page. Money is in it only for those who may read the pages: the port may be open to the world for webhooks."""

from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import Response

from recovery.runtime.clock import clock_from, machine_now
from recovery.runtime.metrics import WebhookMeter, exposition
from recovery.runtime.web.access import Access
from recovery.runtime.wiring import Wiring
from recovery.storage.moment import Moment


def metrics_page(wiring: Wiring, meter: WebhookMeter, access: Access) -> Callable[[Request], Response]:
    """The endpoint, in Prometheus' text form."""
    clock = clock_from(wiring.settings.clock_file)

    def metrics(request: Request) -> Response:
        moment = Moment(now=clock.now(), machine_now=machine_now())
        try:
            money = access.allows(request)
        except SQLAlchemyError:
            money = False  # while the database is away the rest is told all the same
        text = exposition(wiring.database, meter, moment=moment, money=money)
        return Response(text, media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return metrics
