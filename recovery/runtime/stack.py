"""Finds database and broker for one process. Without it each command would decide anew between a given server and our own."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from recovery.runtime.embedded import embedded_postgres, embedded_valkey
from recovery.runtime.settings import Settings
from recovery.runtime.wiring import Wiring

POSTGRES_FOLDER = "postgres"
VALKEY_FOLDER = "valkey"
"""Where our own servers live below the data directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """What one process works with. ``broker_url`` is None where nobody asked for a broker; both addresses hold passwords."""

    wiring: Wiring
    broker_url: str | None = field(default=None, repr=False)

    def environment(self) -> dict[str, str]:
        """What child processes are told, so that they use these very servers."""
        told = {"RECOVERY_DATABASE_URL": self.wiring.database_url}
        if self.broker_url is not None:
            told["RECOVERY_BROKER_URL"] = self.broker_url
        return told


@contextmanager
def opened(settings: Settings, *, broker: bool = False, pool_size: int = 5) -> Iterator[Stack]:
    """The stack for as long as the context lasts: the servers that the settings name, else our own, attached to or started.

    Nothing is connected yet. Raises EmbeddedServerFailed where a server of our own cannot be had.
    """
    with ExitStack() as held:
        if settings.database_url is not None:
            database_url = settings.database_url.get_secret_value()
        else:
            database_url = held.enter_context(embedded_postgres(settings.data_dir / POSTGRES_FOLDER)).url
        broker_url = _broker_url(settings, held) if broker else None
        wiring = Wiring(settings=settings, database_url=database_url, pool_size=pool_size, broker_url=broker_url)
        held.callback(_close, wiring)
        yield Stack(wiring=wiring, broker_url=broker_url)


def _broker_url(settings: Settings, held: ExitStack) -> str:
    if settings.broker_url is not None:
        return settings.broker_url.get_secret_value()
    return held.enter_context(embedded_valkey(settings.data_dir / VALKEY_FOLDER)).url


def _close(wiring: Wiring) -> None:
    """Closes what was made on first use, and makes nothing for the purpose."""
    made = vars(wiring)
    if "database" in made:
        wiring.database.dispose()
    for gateway in {id(made[name]): made[name] for name in ("gateway", "letters_gateway") if name in made}.values():
        close = getattr(gateway, "close", None)
        if close is not None:
            close()
