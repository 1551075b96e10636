"""Connect, one command, close: 200 and 1,000 machines through our driver, beside plain paramiko and asyncssh.

The machines are one simulator process on the same cores, and its half of every handshake is in all three times. The
command is `true`, so nothing but connecting is measured. Ours pins host keys, bounds every wait and quotes every word;
paramiko's and asyncssh's own ways here do none of that.
"""

from __future__ import annotations

import asyncio
import io
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncssh
import paramiko

from autorke.drivers.base import SshTarget
from autorke.drivers.fanout import fan_out
from autorke.drivers.ssh import connect
from autorke.sim.process import SimHandle
from bench._fleet import fleet, targets

MACHINES = int(os.environ.get("AUTORKE_BENCH_SSH_MACHINES", "1000"))
FEW = min(200, MACHINES)
AT_ONCE = 50


def run() -> dict[str, Any]:
    """Seconds for FEW and for MACHINES hosts; `*_cpu_s` is what this process burnt, the rest is the machines'."""
    description = f"machines: [{{prefix: h, count: {MACHINES}}}]"
    with tempfile.TemporaryDirectory(prefix="arke-", dir="/dev/shm") as place, fleet(description, Path(place)) as sim:
        return _measure(sim)


def _measure(sim: SimHandle) -> dict[str, Any]:
    everyone = targets(sim, sim.free_machines())
    for way in (_ours, _paramiko, _asyncssh):
        way(everyone[:8])  # what is loaded and made once
    figures: dict[str, Any] = {"at_once": AT_ONCE}
    for hosts in (everyone[:FEW], everyone):
        sim.reset_counters()
        times = {"ours": _timed(_ours, hosts)}
        made = sum(one["connects"] for one in sim.counters().values())
        times |= {"paramiko": _timed(_paramiko, hosts), "asyncssh": _timed(_asyncssh, hosts)}
        for name, (seconds, cpu) in times.items():
            figures |= {f"{name}_{len(hosts)}_s": round(seconds, 2), f"{name}_{len(hosts)}_cpu_s": round(cpu, 2)}
        figures[f"ratio_{len(hosts)}_to_paramiko"] = round(times["ours"][0] / times["paramiko"][0], 2)
        figures[f"connections_{len(hosts)}"] = made
    return figures


def _timed(way: Callable[[Sequence[SshTarget]], None], hosts: Sequence[SshTarget]) -> tuple[float, float]:
    began, burnt = time.perf_counter(), time.process_time()
    way(hosts)
    return time.perf_counter() - began, time.process_time() - burnt


def _ours(hosts: Sequence[SshTarget]) -> None:
    def visit(target: SshTarget) -> bool:
        with connect(target) as remote:
            return remote.run(["true"]).ok

    for outcome in fan_out(hosts, visit, limit=AT_ONCE, deadline=60):
        if not outcome.value:
            raise RuntimeError(f"{outcome.item.name}: {outcome.error}")


def _paramiko(hosts: Sequence[SshTarget]) -> None:
    key = paramiko.Ed25519Key.from_private_key(io.StringIO(hosts[0].private_key or ""))

    def visit(target: SshTarget) -> int:
        with paramiko.SSHClient() as client:
            client.set_missing_host_key_policy(paramiko.MissingHostKeyPolicy())
            client.connect(target.address, target.port, target.user, pkey=key, look_for_keys=False, allow_agent=False)
            _, stdout, _ = client.exec_command("true")
            return stdout.channel.recv_exit_status()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        if any(pool.map(visit, hosts)):
            raise RuntimeError("a command failed")


def _asyncssh(hosts: Sequence[SshTarget]) -> None:
    key = asyncssh.import_private_key(hosts[0].private_key or "")

    async def visit(target: SshTarget, places: asyncio.Semaphore) -> None:
        more: Any = {"username": target.user, "client_keys": [key], "known_hosts": None, "config": None}
        async with places, asyncssh.connect(target.address, target.port, agent_path=None, **more) as link:
            await link.run("true", check=True)

    async def everybody() -> None:
        places = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*(visit(target, places) for target in hosts))

    asyncio.run(everybody())
