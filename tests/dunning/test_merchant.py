"""The merchant's app is told at least once, signed, with growing waits, and never in a hurry that loses the news."""

import base64
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from building import Life, wired

from recovery.cases.facts import CustomerLeft
from recovery.dunning.merchant import WAITS_SECONDS, Merchant
from recovery.dunning.standard_webhooks import SignatureWrong, check_signed, key_of, signed_headers
from recovery.runtime.settings import SettingsInvalid, load_settings
from recovery.storage.message_store import list_messages, replay_messages

SECRET = "whsec_" + base64.b64encode(b"shop" * 8).decode()
AT = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


class _App(ThreadingHTTPServer):
    """The merchant's app: answers what it is told to and remembers what it heard."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Listening)
        self.answer = 200
        self.heard: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hooks"


class _Listening(BaseHTTPRequestHandler):
    server: _App

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.server.answer)
        self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def app() -> Iterator[_App]:
    with _App() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def life(database_url: str, app: _App) -> Iterator[Life]:
    with wired(database_url, merchant_url=app.url, merchant_secrets=SECRET) as wiring:
        yield Life(wiring)


def _merchant(life: Life, app: _App, at: datetime) -> Merchant:
    return Merchant(database=life.wiring.database, url=app.url, secrets=(SECRET,), machine_clock=lambda: at)


def _tell_all(life: Life, app: _App, at: datetime) -> None:
    while _merchant(life, app, at).tell():
        pass


def test_the_specifications_own_example_is_signed_alike() -> None:
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    headers = signed_headers(
        (secret,), "msg_p5jXN8AQM9LWM0D4loKWxJek", body, at=datetime.fromtimestamp(1614265330, UTC)
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": ""},
        {"webhook-timestamp": "1"},
        {"webhook-timestamp": "x"},
        {"webhook-id": "msg_other"},
    ],
)
def test_what_is_signed_otherwise_is_refused(change: dict[str, str]) -> None:
    headers = signed_headers((SECRET,), "msg_1", b"{}", at=AT)
    assert check_signed((SECRET,), headers, b"{}", machine_now=AT) == "msg_1"
    with pytest.raises(SignatureWrong):
        check_signed((SECRET,), headers | change, b"{}", machine_now=AT)
    with pytest.raises(SignatureWrong):
        check_signed((SECRET,), headers, b"{ }", machine_now=AT)


@pytest.mark.parametrize("secret", ["x", "whsec_!", "whsec_AAAA"])
def test_a_secret_of_another_form_is_refused(secret: str) -> None:
    with pytest.raises(ValueError):
        key_of(secret)
    with pytest.raises(SettingsInvalid, match="MERCHANT_SECRETS"):
        load_settings(_env_file=None, merchant_secrets=secret)


def test_each_turn_of_a_case_is_told_once_and_signed(life: Life, app: _App) -> None:
    case_id = life.fail("in_1", code="lost_card")
    life.refresh(case_id)
    life.tell(case_id, CustomerLeft(because="unused"))
    won = life.fail("in_2")
    life.attempt(won)
    now = datetime.now(UTC) + timedelta(seconds=1)  # noqa: TID251 - messages are written by the machine's clock
    _tell_all(life, app, now)
    told = [json.loads(body) for _, body in app.heard]
    kinds = sorted((each["data"]["invoice"], each["type"]) for each in told)
    assert kinds == [
        ("in_1", "case.dunning_started"),
        ("in_1", "case.opened"),
        ("in_1", "case.withdrawn"),
        ("in_2", "case.opened"),
        ("in_2", "case.recovered"),
    ]
    (left,) = [each["data"] for each in told if each["type"] == "case.withdrawn"]
    assert (left["left_because"], left["customer"], left["amount_minor"]) == ("unused", "cus_in_1", 4900)
    for headers, body in app.heard:
        check_signed((SECRET,), headers, body, machine_now=now)
    assert "@" not in str(told)
    _tell_all(life, app, now + timedelta(days=9))
    assert len(app.heard) == 5


def test_what_fails_waits_longer_each_time_is_given_up_and_can_be_replayed(life: Life, app: _App) -> None:
    life.fail("in_1")
    at = datetime.now(UTC) + timedelta(seconds=1)  # noqa: TID251
    for status in (500, 302, 404):
        app.answer = status
        assert _merchant(life, app, at).tell() == 1
        assert _merchant(life, app, at).tell() == 0
        at += timedelta(seconds=WAITS_SECONDS[len(app.heard) - 1])
    for _ in range(20):
        _merchant(life, app, at).tell()
        at += timedelta(days=2)
    assert len(app.heard) == len(WAITS_SECONDS) + 1
    assert len({headers["webhook-id"] for headers, _ in app.heard}) == 1, "one id for all deliveries of a message"
    with life.wiring.database.begin() as tx:
        (given_up,) = list_messages(tx, state="given_up", limit=9)
        assert given_up.error == "answered 404"
        assert replay_messages(tx, None, machine_now=at) == 1
    app.answer = 204
    _tell_all(life, app, at)
    with life.wiring.database.connect() as tx:
        assert [message.state for message in list_messages(tx, state=None, limit=9)] == ["delivered"]


def test_a_worker_that_dies_over_a_message_leaves_it_to_another(life: Life, app: _App) -> None:
    life.fail("in_1")
    at = datetime.now(UTC) + timedelta(seconds=1)  # noqa: TID251
    dying = Merchant(
        database=life.wiring.database, url=app.url, secrets=("whsec_!",), machine_clock=lambda: at
    )  # cannot sign: it ends before anything is noted
    with pytest.raises(ValueError):
        dying.tell()
    assert _merchant(life, app, at).tell() == 0, "claimed by the dead one"
    assert _merchant(life, app, at + timedelta(minutes=3)).tell() == 1
    assert len(app.heard) == 1


def test_without_an_app_nothing_is_kept(database_url: str) -> None:
    with wired(database_url) as wiring:
        Life(wiring).fail("in_1")
        assert wiring.tell_merchant() == 0
        with wiring.database.connect() as tx:
            assert list_messages(tx, state=None, limit=9) == []
