"""Everything that a running product says or shows, collected for a search: processes, Redis traffic, answers, files."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from autorke.core.redact import MIN_LENGTH, Secrets, _forms
from autorke.embedded.binaries import find_postgres
from tests.story.stack import Stack

_HEX = re.compile(rb"\\\\x((?:[0-9a-f]{2}){4,})")
PERIOD = 0.02


@dataclass
class Witness:
    """Lines by where they were seen. `processes` counts the programs whose argv and environment were read."""

    texts: dict[str, set[str]] = field(default_factory=dict)
    processes: Counter[str] = field(default_factory=Counter)
    modes: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def saw(self, where: str, text: str) -> None:
        with self.lock:
            self.texts.setdefault(where, set()).update(text.splitlines())

    def hear(self, client: httpx.Client) -> None:
        """Keep every answer that this client gets, its headers too, but for what sets a cookie."""

        def keep(response: httpx.Response) -> None:
            if response.headers.get("content-type", "").startswith("text/event-stream"):
                return  # does not end; whoever reads it says what it read
            response.read()
            shown = [f"{name}: {value}" for name, value in response.headers.items() if name != "set-cookie"]
            where = f"answers {response.request.method} {urlsplit(str(response.request.url)).path}"
            self.saw(where, "\n".join([*shown, response.text]))

        client.event_hooks["response"].append(keep)

    @contextmanager
    def watching(self, stack: Stack, redis_url: str, run_dir: Path) -> Iterator[None]:
        """Read argv and environment of every process of the stack, and every command that reaches Redis."""
        stop = threading.Event()
        threads = [
            threading.Thread(target=self._processes, args=(stack, run_dir, stop)),
            threading.Thread(target=self._redis, args=(redis_url, stop)),
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join(60)

    def _processes(self, stack: Stack, run_dir: Path, stop: threading.Event) -> None:
        mark = f"AUTORKE_DATA_DIR={stack.directory}".encode()
        seen: set[tuple[str, bytes]] = set()
        while not stop.wait(PERIOD):
            for entry in Path("/proc").iterdir():
                if entry.name.isdigit():
                    self._process(entry, mark, seen)
            for path in run_dir.glob("*"):
                with contextlib.suppress(FileNotFoundError):
                    self.modes.add(f"{path.lstat().st_mode & 0o777:o}")

    def _process(self, entry: Path, mark: bytes, seen: set[tuple[str, bytes]]) -> None:
        try:
            argv = (entry / "cmdline").read_bytes()
            if (entry.name, argv) in seen:
                return
            environ = (entry / "environ").read_bytes()
        except OSError:
            return
        seen.add((entry.name, argv))
        if mark in environ:
            shown = argv.replace(b"\0", b" ").decode(errors="replace")
            self.processes[Path(shown.split(" ")[0]).name] += 1
            self.saw("argv", shown)
            self.saw("environment", environ.replace(b"\0", b"\n").decode(errors="replace"))

    def _redis(self, url: str, stop: threading.Event) -> None:
        with _connected(url) as connection:
            password = urlsplit(url).password
            connection.sendall(f"AUTH {password}\r\nMONITOR\r\n".encode() if password else b"MONITOR\r\n")
            connection.settimeout(0.2)
            data = bytearray()
            while not stop.is_set():
                try:
                    data += connection.recv(1 << 16)
                except TimeoutError:
                    continue
        self.saw("redis", data.decode(errors="replace"))

    def read_files(self, where: str, directory: Path, *, but: tuple[str, ...] = ()) -> None:
        """Every file below a directory; names in `but` are left out with all below them."""
        for path in directory.rglob("*"):
            if path.is_file() and not set(path.relative_to(directory).parts) & set(but):
                self.saw(f"{where} {path.name}", path.read_bytes().decode(errors="replace"))

    def leaks(self, secrets: dict[str, str], *, public: str = "") -> list[str]:
        """`secret in place` for each that was found, in any form that masking knows. A piece of a secret that is also
        in `public` tells nothing: a private key repeats the modulus that its certificate shows to everybody, and where
        both break their lines at the same places it does so across the lines of a JSON answer too."""
        public = "\n".join({public, *_forms(public)})
        one = {name: _known(value) for name, value in secrets.items()}
        every = _known(*secrets.values())
        found = []
        for where, texts in self.texts.items():
            suspect = [text for text in texts if _shows(every, text, public)]
            found += [f"{name} in {where}" for name, it in one.items() if any(_shows(it, t, public) for t in suspect)]
        return found


def _known(*secrets: str) -> Secrets:
    known = Secrets()
    for secret in secrets:
        known.add(secret)
    return known


def _shows(known: Secrets, text: str, public: str) -> bool:
    """Whether a piece of a secret itself is there; not the general patterns of key blocks and headers."""
    return any(
        text.startswith(needle, at) and needle not in public
        for at in known._heads(text)
        for needle in known._needles[text[at : at + MIN_LENGTH]]
    )


@contextmanager
def _connected(url: str) -> Iterator[socket.socket]:
    parts = urlsplit(url)
    family = socket.AF_UNIX if parts.scheme == "unix" else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.connect(parts.path if parts.scheme == "unix" else (str(parts.hostname), parts.port or 6379))
        yield connection


def dump(database: str) -> str:
    """pg_dump of a database; the text of what it writes in hexadecimal (bytea columns, logs among them)."""
    program = find_postgres().path("pg_dump")
    plain = database.replace("postgresql+psycopg://", "postgresql://")
    done = subprocess.run([program, "--data-only", plain], capture_output=True, check=True)
    parts = [_HEX.sub(b"", done.stdout).decode(errors="replace")]
    for found in _HEX.finditer(done.stdout):
        with contextlib.suppress(UnicodeDecodeError):  # what is sealed or a digest is no text
            parts.append(bytes.fromhex(found[1].decode()).decode())
    return "\n".join(parts)
