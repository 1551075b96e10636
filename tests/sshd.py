"""A real OpenSSH sshd on a loopback port, for tests: own keys and configuration, no PAM, nothing of the machine's.

A conftest imports the fixtures that its tests use. `sshd` is one server for the whole run; `make_sshd` starts further
ones with other options (a bastion, a forbidden forwarding); `plain_user` is a login without root's rights.
"""

from __future__ import annotations

import contextlib
import dataclasses
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from autorke.drivers.base import SshTarget

SSHD = shutil.which("sshd") or shutil.which("/usr/sbin/sshd")

_OPTIONS = {
    "ListenAddress": "127.0.0.1",
    "UsePAM": "no",
    "StrictModes": "no",
    "PasswordAuthentication": "no",
    "KbdInteractiveAuthentication": "no",
    "PermitRootLogin": "prohibit-password",
    "AllowStreamLocalForwarding": "yes",
    "AllowTcpForwarding": "yes",
    "MaxStartups": "300:30:600",
    "LogLevel": "ERROR",
}


@dataclasses.dataclass(frozen=True)
class KeyPair:
    """A private key as text and its public line."""

    private: str
    public: str


def make_key(kind: str = "ed25519", passphrase: str | None = None, *, pem: bool = False) -> KeyPair:
    """`kind` is ed25519, rsa or ecdsa; `pem` asks for PKCS#8 in place of OpenSSH's own form."""
    private: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    if kind == "rsa":
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    elif kind == "ecdsa":
        private = ec.generate_private_key(ec.SECP256R1())
    else:
        private = ed25519.Ed25519PrivateKey.generate()
    lock: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        lock = serialization.BestAvailableEncryption(passphrase.encode())
    form = serialization.PrivateFormat.PKCS8 if pem else serialization.PrivateFormat.OpenSSH
    text = private.private_bytes(serialization.Encoding.PEM, form, lock).decode()
    line = private.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return KeyPair(text, line.decode())


@dataclasses.dataclass(frozen=True)
class Sshd:
    """A running server and how to get in."""

    port: int
    user: str
    user_key: KeyPair
    host_keys: dict[str, KeyPair]
    directory: Path
    process: subprocess.Popen[bytes]

    @property
    def host_key(self) -> str:
        return next(iter(self.host_keys.values())).public

    def target(self, name: str = "m1", **changes: object) -> SshTarget:
        base = SshTarget(
            name=name,
            address="127.0.0.1",
            port=self.port,
            user=self.user,
            host_key=self.host_key,
            private_key=self.user_key.private,
        )
        return dataclasses.replace(base, **changes)  # type: ignore[arg-type]

    def authorize(self, public: str) -> None:
        with (self.directory / "authorized_keys").open("a") as file:
            file.write(public + "\n")

    def log(self) -> str:
        return (self.directory / "log").read_text()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)

    def sessions(self) -> list[int]:
        """Process ids of the connections that are open now."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def signal_sessions(self, number: signal.Signals) -> None:
        for pid in self.sessions():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


@contextlib.contextmanager
def running_sshd(
    directory: Path, *, host_key_kinds: tuple[str, ...] = ("ed25519",), programs: Path | None = None, **options: str
) -> Iterator[Sshd]:
    """`programs` is a directory whose programs go before those of the machine; `options` are sshd_config's."""
    if SSHD is None:
        pytest.skip("SKIPPED: no sshd on this machine; install the Debian package openssh-server")
    if os.getuid() == 0:  # sshd insists on this directory as root, and only its package's unit makes it
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    user_key = make_key()
    host_keys = {kind: make_key(kind) for kind in host_key_kinds}
    (directory / "authorized_keys").write_text(user_key.public + "\n")
    (directory / "home").mkdir()
    # Whoever runs the tests may have a .bashrc that is slow or talks: the machine has a home of its own.
    home = f"HOME={directory}/home" + (f" PATH={programs}:/usr/bin:/bin" if programs else "")
    port, process = _start(SSHD, directory, host_keys, {"SetEnv": home, **_OPTIONS, **options})
    server = Sshd(port, getpass.getuser(), user_key, host_keys, directory, process)
    try:
        yield server
    finally:
        if process.poll() is None:
            server.signal_sessions(signal.SIGCONT)
            server.signal_sessions(signal.SIGTERM)
            server.stop()


def _start(
    program: str, directory: Path, host_keys: dict[str, KeyPair], options: dict[str, str]
) -> tuple[int, subprocess.Popen[bytes]]:
    """On a port of its own; it is asked again on another one when somebody took that port before sshd did."""
    command = [program, "-D", "-f", str(directory / "config"), "-E", str(directory / "log")]
    for _ in range(10):
        port = _free_port()
        _write_config(directory, host_keys, {"Port": str(port), **options})
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        if _listens(process, directory / "pid"):
            return port, process
    raise RuntimeError(f"sshd did not start: {(directory / 'log').read_text()}")


def _write_config(directory: Path, host_keys: dict[str, KeyPair], options: dict[str, str]) -> None:
    lines = [f"PidFile {directory}/pid", f"AuthorizedKeysFile {directory}/authorized_keys"]
    for kind, pair in host_keys.items():
        path = directory / f"host_{kind}"
        path.touch(0o600)
        path.write_text(pair.private)
        lines.append(f"HostKey {path}")
    lines += [f"{name} {value}" for name, value in options.items()]
    (directory / "config").write_text("\n".join(lines) + "\n")


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _listens(process: subprocess.Popen[bytes], pid_file: Path) -> bool:
    """sshd writes the file once it listens. Nobody connects to find out: that would be a session that tests count."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if pid_file.exists():
            return True
        time.sleep(0.02)
    process.kill()
    process.wait(60)
    return False


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("sshd"), host_key_kinds=("ed25519", "rsa", "ecdsa")) as server:
        yield server


@dataclasses.dataclass(frozen=True)
class PlainUser:
    """An account that exists only while the tests run."""

    name: str
    password: str


@pytest.fixture(scope="session")
def plain_user() -> Iterator[PlainUser]:
    if os.getuid() != 0:
        pytest.skip("SKIPPED: only root can add the user that this test logs in as")
    user = PlainUser(f"autorke-t{uuid.uuid4().hex[:8]}", f"correct horse {uuid.uuid4().hex}")
    hashing = ["openssl", "passwd", "-6", "-stdin"]
    hashed = subprocess.run(hashing, input=user.password, capture_output=True, text=True, check=True).stdout.strip()
    add = ["useradd", "--no-create-home", "--home-dir", "/", "--shell", "/bin/sh", "--password", hashed, user.name]
    _change_accounts(add)
    try:
        yield user
    finally:
        _change_accounts(["userdel", "--force", user.name])


def _change_accounts(command: list[str]) -> None:
    """Another test run may hold the lock of /etc/passwd for a moment."""
    for _ in range(300):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if "lock" not in done.stderr:
            break
        time.sleep(0.1)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr}")


@pytest.fixture
def make_sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Sshd]]:
    with contextlib.ExitStack() as stack:

        def make(**options: object) -> Sshd:
            return stack.enter_context(running_sshd(tmp_path_factory.mktemp("sshd"), **options))  # type: ignore[arg-type]

        yield make
