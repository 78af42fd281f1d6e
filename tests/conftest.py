"""Real servers for tests, started when the first test asks; without them every room would fake its own
database.

One PostgreSQL and one Valkey per session (per worker under xdist); each test gets a database or a flushed
broker of its own.
"""

import functools
import gc
import importlib
import itertools
import logging
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import redis
import structlog
from aiosmtpd.controller import Controller
from building import Life, wired
from databases import Databases

from recovery.runtime.embedded import EmbeddedServer, embedded_postgres, embedded_valkey

TEMPLATE = "recovery_template"
# Every process started from a test inherits this mark, however far it wandered from its parent.
MARK = "RECOVERY_TEST_SESSION"
# A process that was told to end may need a moment until it is gone.
LEAVE_SECONDS = 5.0

_numbers = itertools.count(1)

# Looking for garbage among all that modules left, again and again, took a tenth of all tests' time.
gc.set_threshold(50_000, 20, 20)


def pytest_collection_finish() -> None:
    """What was imported stays: garbage is looked for in what tests make."""
    gc.collect()
    gc.freeze()


def _left_over(mark: str) -> list[psutil.Process]:
    found = set(psutil.Process().children(recursive=True))
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark:
                found.add(process)
        except psutil.Error:
            continue  # gone meanwhile, or not ours to look into
    # Python's own: lives exactly as long as this process.
    return [process for process in found if not _is_resource_tracker(process)]


def _is_resource_tracker(process: psutil.Process) -> bool:
    try:
        return "multiprocessing.resource_tracker" in " ".join(process.cmdline())
    except psutil.Error:
        return False


@pytest.fixture(scope="session", autouse=True)
def _no_process_is_left() -> Iterator[None]:
    """Fails the session whose tests leave processes behind; they are ended, not handed to the next run."""
    mark = os.environ[MARK] = uuid.uuid4().hex
    yield
    _, alive = psutil.wait_procs(_left_over(mark), timeout=LEAVE_SECONDS)
    del os.environ[MARK]
    if alive:
        told = [f"{process.pid} {process.status()} {' '.join(process.cmdline())[:200]}" for process in alive]
        for process in alive:
            process.kill()
        pytest.fail("processes left behind by tests:\n" + "\n".join(told), pytrace=False)


@pytest.fixture(scope="session", autouse=True)
def _logs_cost_little() -> Iterator[None]:
    """Logs as a quiet installation has them: painted lines and tracebacks with all their values took a tenth of all tests' time."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
    )
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session", autouse=True)
def _knowledge_is_read_once() -> Iterator[None]:
    """The files of `config/` as they are, read and checked again only once one of them has changed."""
    wiring, knowledge = (importlib.import_module(f"recovery.runtime.{name}") for name in ("wiring", "knowledge"))
    read = functools.lru_cache(maxsize=8)(lambda folder, _state: knowledge.load_knowledge(folder))

    def remembered(folder: Path) -> Any:
        state = tuple((path, path.stat().st_mtime_ns) for path in sorted(folder.rglob("*.toml")))
        return read(folder, state)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(wiring, "load_knowledge", remembered)
        yield


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """The session's PostgreSQL; its own database is for administration only."""
    with embedded_postgres(tmp_path_factory.mktemp("postgres"), throwaway=True) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url_base(postgres_server: EmbeddedServer) -> str:
    """The server's URL up to, without, the database name: append `/name`."""
    return postgres_server.url.rsplit("/", 1)[0]


def _administer(base: str, *statements: str) -> None:
    with psycopg.connect(base.replace("+psycopg", "") + "/postgres", autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@pytest.fixture(scope="session")
def _migrated_template(postgres_url_base: str) -> str:
    _administer(postgres_url_base, f"CREATE DATABASE {TEMPLATE}")
    # Imported here: a broken migration must fail the tests that need a database, not all.
    importlib.import_module("recovery.storage.migrate").upgrade(f"{postgres_url_base}/{TEMPLATE}")
    return TEMPLATE


@pytest.fixture(scope="session")
def _databases(postgres_url_base: str, _migrated_template: str) -> Databases:
    return Databases(postgres_url_base, _migrated_template)


def _fresh_database(base: str, *, template: str) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    _administer(base, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield f"{base}/{name}"
    _administer(base, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database_url(_databases: Databases) -> Iterator[str]:
    """A migrated database without a row, for this test alone."""
    with _databases.lent() as url:
        yield url


@pytest.fixture(scope="module")
def module_database_url(postgres_url_base: str, _migrated_template: str) -> Iterator[str]:
    """A migrated database that the tests of one module share, one after the other."""
    yield from _fresh_database(postgres_url_base, template=_migrated_template)


@pytest.fixture
def empty_database_url(postgres_url_base: str) -> Iterator[str]:
    """A database without any table, for tests of the migrations themselves."""
    yield from _fresh_database(postgres_url_base, template="template0")


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """The session's Valkey."""
    with embedded_valkey(tmp_path_factory.mktemp("valkey"), throwaway=True) as server:
        yield server


@pytest.fixture
def valkey_url(valkey_server: EmbeddedServer) -> Iterator[str]:
    """A broker that holds nothing when the test starts."""
    with redis.Redis.from_url(valkey_server.url) as client:
        client.flushall()
        yield valkey_server.url


@dataclass(frozen=True, slots=True, kw_only=True)
class CaughtEmail:
    """One message as the server got it: the envelope's addresses and the parsed content."""

    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage


@dataclass  # no slots: inspecting such a handler fails on Python 3.11.2
class SmtpCatcher:
    """A mail server that keeps what it gets. Set `answer` (say `451 try later`) to make it refuse the content, the others what
    comes before it."""

    host: str = "127.0.0.1"
    port: int = 0
    answer: str = "250 OK"
    to_sender: str = "250 OK"
    to_recipient: str = "250 OK"
    messages: list[CaughtEmail] = field(default_factory=list)

    async def handle_MAIL(self, _server: Any, _session: Any, envelope: Any, sender: str, options: Any) -> str:
        """Who writes."""
        envelope.mail_from = sender
        envelope.mail_options.extend(options)
        return self.to_sender

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, to: str, _options: Any) -> str:
        """To whom."""
        if self.to_recipient.startswith("2"):
            envelope.rcpt_tos.append(to)
        return self.to_recipient

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        """Called by aiosmtpd, which chose the name, with each message."""
        if self.answer.startswith("2"):
            content = envelope.original_content.replace(b"\r\n", b"\n")  # as a mailbox would show it
            message = message_from_bytes(content, policy=policy.default)
            assert isinstance(message, EmailMessage)
            caught = CaughtEmail(sender=envelope.mail_from, recipients=tuple(envelope.rcpt_tos), message=message)
            self.messages.append(caught)
        return self.answer


class _BoundController(Controller):
    """The library's controller cannot tell which port it got; so it gets a socket that is bound already."""

    def __init__(self, handler: SmtpCatcher, bound: socket.socket, **ways: Any) -> None:
        super().__init__(handler, hostname=handler.host, port=handler.port, server_hostname="catcher", **ways)
        self._bound = bound

    def _create_server(self) -> Awaitable[Any]:
        return self.loop.create_server(self._factory_invoker, sock=self._bound, ssl=self.ssl_context)


@contextmanager
def caught_mail(**ways: Any) -> Iterator[SmtpCatcher]:
    """A mail server on a free loopback port; ``ways`` are aiosmtpd's own: encryption, authentication."""
    # Without the protocol's name asyncio sends no answer before the one before was acknowledged, which takes forty milliseconds.
    bound = socket.socket(proto=socket.IPPROTO_TCP)
    bound.bind(("127.0.0.1", 0))
    catcher = SmtpCatcher(port=bound.getsockname()[1])
    controller = _BoundController(catcher, bound, **ways)
    controller.start()
    try:
        yield catcher
    finally:
        controller.stop()


@pytest.fixture
def smtp_catcher() -> Iterator[SmtpCatcher]:
    """A mail server that takes everything from everybody."""
    with caught_mail() as catcher:
        yield catcher


@pytest.fixture
def start_smtp() -> Iterator[Callable[..., SmtpCatcher]]:
    """Starts further mail servers, each with ways of its own."""
    with ExitStack() as stack:
        yield lambda **ways: stack.enter_context(caught_mail(**ways))


OWN = """
import sys
from pathlib import Path
from recovery.runtime import embedded
with getattr(embedded, sys.argv[1])(Path(sys.argv[2])) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def spawn_owner() -> Iterator[Callable[[str, Path], tuple["subprocess.Popen[str]", str]]]:
    """Starts another Python that owns a server; gives the process and the server's URL."""
    started: list[subprocess.Popen[str]] = []

    def spawn(function: str, directory: Path) -> tuple["subprocess.Popen[str]", str]:
        process = subprocess.Popen(
            [sys.executable, "-c", OWN, function, str(directory)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url, "the owner did not get its server"
        return process, url

    yield spawn
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def life(database_url: str) -> Iterator[Life]:
    """Opens cases in a database of the test's own, on a Monday in autumn."""
    with wired(database_url) as wiring:
        yield Life(wiring)
