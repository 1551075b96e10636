"""A simulation as a child process, for tests and benches: start it, break things, read what happened, stop it."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

PR_SET_PDEATHSIG = 1


class SimFailed(Exception):
    """The simulation did not start, or refused a control request."""


@dataclass
class SimHandle:
    """A running simulation. `index` is what index.json says."""

    process: subprocess.Popen[bytes]
    state_dir: Path
    index: dict[str, Any]
    _client: httpx.Client = field(init=False, repr=False)

    def __post_init__(self) -> None:
        base, headers = self.index["control"], {"X-Sim": "1"}
        self._client = httpx.Client(base_url=base, headers=headers, timeout=30, trust_env=False)

    @property
    def private_key(self) -> str:
        return Path(self.index["ssh"]["private_key_path"]).read_text()

    def machine(self, name: str) -> dict[str, Any]:
        """The machine's entry in the index, by name or address. Raises KeyError."""
        for entry in self.index["machines"]:
            if name in (entry["name"], entry["address"]):
                return dict(entry)
        raise KeyError(name)

    def cluster(self, name: str) -> dict[str, Any]:
        for entry in self.index["clusters"]:
            if entry["name"] == name:
                return dict(entry)
        raise KeyError(name)

    def free_machines(self) -> list[str]:
        return [entry["name"] for entry in self.index["machines"] if not entry["cluster"]]

    def counters(self, name: str | None = None) -> dict[str, Any]:
        """Counters of everyone, or of one machine, cluster or `cmdb`."""
        found = self._ask("GET", "/counters", params={"host": name} if name else None)
        return dict(found[name] if name else found)

    def reset_counters(self) -> None:
        self._ask("POST", "/counters/reset")

    def journal(self, name: str | None = None, after: int = 0) -> list[dict[str, Any]]:
        params = {"after": str(after)} | ({"host": name} if name else {})
        return list(self._ask("GET", "/journal", params=params))

    def fault(self, where: str, kind: str, host: str = "*", **more: Any) -> int:
        """Put a fault in force (see `faults.Fault`); its id."""
        made = self._ask("POST", "/faults", json={"where": where, "kind": kind, "host": host, **more})
        return int(made["id"])

    def lift(self, fault_id: int | None = None) -> None:
        """Lift one fault, or all."""
        self._ask("DELETE", "/faults" if fault_id is None else f"/faults/{fault_id}")

    def patch_host(self, name: str, **change: Any) -> dict[str, Any]:
        """Change a machine: `facts={...}`, `files={path: text or None}`, `rekey=True`, `dead=True`; its state after."""
        return dict(self._ask("PATCH", f"/hosts/{name}", json=change))

    def host(self, name: str) -> dict[str, Any]:
        return dict(self._ask("GET", f"/hosts/{name}"))

    def break_(self, name: str, kind: str) -> None:
        """Break a machine (or `cmdb`) in one of the ways of `breakages`."""
        self._ask("POST", f"/break/{name}/{kind}")

    def mend(self, name: str, kind: str = "") -> None:
        """Undo one breakage, or all of a machine."""
        self._ask("DELETE", f"/break/{name}/{kind}".rstrip("/"))

    def cmdb(self, method: str = "GET", key: str = "", **change: Any) -> Any:
        """Read, PATCH or DELETE rows of the CMDB."""
        return self._ask(method, f"/cmdb/{key}".rstrip("/"), json=change or None)

    def complete_order(self, order: str, **result: Any) -> dict[str, Any]:
        """Let VCalico finish an order now; `state="rejected"` refuses it."""
        return dict(self._ask("POST", f"/vcalico/{order}/complete", json=result or {}))

    def _ask(self, method: str, path: str, **more: Any) -> Any:
        answer = self._client.request(method, path, **more)
        if answer.status_code != httpx.codes.OK:
            raise SimFailed(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json()

    def close(self) -> None:
        """Stop it; every connection to it ends."""
        self._client.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)  # it saves what it knows
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def start(fleet: str | Path, state_dir: Path, *, timeout: float = 180.0) -> SimHandle:
    """Start a preset (by name) or a fleet file, and wait until it answers. Raises SimFailed.

    It ends when the thread that calls this ends (the kernel ties the death signal to the thread), so nothing is left.
    """
    chosen = ["--fleet", str(fleet)] if isinstance(fleet, Path) else ["--preset", fleet]
    state_dir.mkdir(parents=True, exist_ok=True)
    with (state_dir / "sim.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "autorke.sim", *chosen, "--state-dir", str(state_dir)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            preexec_fn=_die_with_parent,
        )
    try:
        _wait_ready(process, timeout)
    except SimFailed as error:
        process.kill()
        process.wait(10)
        said = (state_dir / "sim.log").read_text(errors="replace")[-2000:]
        raise SimFailed(f"{error}: {said}") from error
    return SimHandle(process, state_dir, json.loads((state_dir / "index.json").read_text()))


def _die_with_parent() -> None:
    with contextlib.suppress(OSError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _wait_ready(process: subprocess.Popen[bytes], timeout: float) -> None:
    deadline = time.monotonic() + timeout
    said = b""
    pipe = process.stdout
    if pipe is None:
        raise SimFailed("no output to wait for")
    while b"sim ready" not in said:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([pipe], [], [], max(0.0, left))[0]:
            raise SimFailed(f"not ready after {timeout:g} s")
        piece = os.read(pipe.fileno(), 4096)
        if not piece:
            raise SimFailed("ended before it was ready")
        said += piece
