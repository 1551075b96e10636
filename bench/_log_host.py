"""Processes of the log bench: the api, a writer as a runner has it, and viewers that read bytes as fast as they come.

`python -m bench._log_host api|write|watch …` is started by `bench.logs` and ends with it. Writer and viewers print one
JSON line at their end.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import uvicorn

from autorke.core.redact import Secrets
from autorke.workflow.logstore import LogWriter

WORDS = "ok changed task kubelet pull image rancher/hyperkube sysctl net.ipv4.ip_forward docker node ready label taint"
STEP = 0.02


def write(ticket: str, attempt: str, nodes: str, lines: str, rate: str, seconds: str) -> dict[str, Any]:
    """`lines` lines for each of `nodes` nodes, `rate` a second in all (0: as fast as it goes), for `seconds` at most.
    The clock stops when everything is stored."""
    secrets = Secrets()
    for number in range(8):
        secrets.add(f"secret-of-the-bench-{number:032x}")
    count, each, per_second = int(nodes), int(lines), float(rate)
    names, texts = [f"node-{number:04}" for number in range(count)], some_texts()
    began, written = time.monotonic(), 0
    with LogWriter(UUID(ticket), UUID(attempt), secrets) as writer:
        for n in range(1, each + 1):
            if time.monotonic() - began > float(seconds):
                break
            for name in names:
                writer.line(name, f"{texts[written % len(texts)]} {n}")
                written += 1
                if per_second and written % max(1, int(per_second * STEP)) == 0:
                    time.sleep(max(0.0, began + written / per_second - time.monotonic()))
    return {"lines": written, "seconds": time.monotonic() - began}


def some_texts() -> list[str]:
    """Lines as long as Ansible's and rke's (about 100 bytes with the time), with a digest in each: they pack badly."""
    dice, words = random.Random(1), WORDS.split()  # noqa: S311  the same lines in every run
    return [f"{' '.join(dice.choices(words, k=6))} sha256:{dice.getrandbits(96):024x}" for _ in range(20_000)]


@dataclass
class Viewer:
    """What one connection has received."""

    lines: int = 0
    events: int = 0
    bytes: int = 0
    ages: list[float] = field(default_factory=list)


STAMP = re.compile(rb'(?:"text": "|"at": ")([0-9T:.-]{19,26})(?:Z|\+00:00)')


Pipe = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _connect(host: str, port: int, path: str, token: str) -> Pipe:
    """A connection whose answer has begun."""
    reader, writer = await asyncio.open_connection(host, port, limit=2**22)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in head[:20]:
        raise RuntimeError(head[:200].decode())
    return reader, writer


async def _follow(pipe: Pipe, until: float, wanted: int, every: bool) -> Viewer:
    """Read until so many lines (or events) have come. The age of what comes is told by the oldest line of an event."""
    seen = Viewer()
    reader, writer = pipe
    rest = b""
    while time.time() < until and max(seen.lines, seen.events if every else 0) < wanted:
        try:
            part = await asyncio.wait_for(reader.read(2**18), 1)
        except TimeoutError:
            continue
        if not part:
            break
        now, data = time.time(), rest + part
        cut = data.rfind(b"\n") + 1
        whole, rest = data[:cut], data[cut:]
        seen.bytes += len(part)
        seen.lines += whole.count(b"\\n")
        seen.events += whole.count(b"\nevent: ") if every else 0
        for found in STAMP.finditer(whole) if every else [STAMP.search(whole)]:
            if found is not None:
                seen.ages.append(now - datetime.fromisoformat(found[1].decode() + "+00:00").timestamp())
    writer.close()
    return seen


async def _watch(url: str, path: str, token: str, viewers: int, seconds: float, wanted: int, every: bool) -> Any:
    host, port = url.removeprefix("http://").split(":")
    pipes = await asyncio.gather(*(_connect(host, int(port), path, token) for _ in range(viewers)))
    print("connected", flush=True)  # noqa: T201
    until = time.time() + seconds
    return await asyncio.gather(*(_follow(pipe, until, wanted, every) for pipe in pipes))


def watch(url: str, path: str, token: str, viewers: str, seconds: str, wanted: str, every: str) -> dict[str, Any]:
    """So many viewers of one stream, each until it has `wanted` lines (or, with `every`, events) or time is over."""
    seen = asyncio.run(_watch(url, path, token, int(viewers), float(seconds), int(wanted), every == "events"))
    ages = sorted(age for viewer in seen for age in viewer.ages)
    return {
        "lines": [viewer.lines for viewer in seen],
        "events": [viewer.events for viewer in seen],
        "bytes": sum(viewer.bytes for viewer in seen),
        "ages": ages if len(ages) <= 20_000 else ages[:: len(ages) // 20_000],
    }


def api(port: str) -> dict[str, Any]:
    """The product's api, one process."""
    uvicorn.run("autorke.app:create_app", factory=True, port=int(port), log_level="warning", access_log=False)
    return {}


def _end_with(parent: int) -> None:
    """A bench that is ended from outside leaves no process behind."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    parts: dict[str, Callable[..., dict[str, Any]]] = {"api": api, "write": write, "watch": watch}
    answer = parts[sys.argv[1]](*sys.argv[2:])
    print(json.dumps(answer))  # noqa: T201
