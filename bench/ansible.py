"""The initialise step on 20 machines, beside a plain `ansible-playbook` of the same playbook on 20 others.

Both have the same forks, pipelining and one kept connection per machine; the machines are simulated, fresh each time,
and speak Ansible's real modules over real SSH. Ours is the runner's whole step as a ticket has it: the last look at the
machines, the run, its lines and results stored. `driver_s` is the run alone, as the step starts it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from autorke.drivers.ansible.playbooks import CONTENT, playbook_path
from autorke.drivers.ansible.run import AnsibleHost, bin_dir, run_playbook
from autorke.drivers.base import SshTarget
from autorke.flows.initialising import PLAYBOOK
from bench._fleet import targets
from bench._product import FIRST, Desk, product

MACHINES = int(os.environ.get("AUTORKE_BENCH_INITIALISED", "20"))
ROUNDS = 2
FORKS = 20
FLEET = """
clusters: [{{name: alpha, workers: 2, kind: small}}]
machines: [{{prefix: raw, count: {count}, kind: small, prepared: false}}]
cmdb: {{page_size: 1000}}
"""


def run() -> dict[str, Any]:
    """Medians of ROUNDS; `ratio_*` are against plain ansible-playbook."""
    with product(FLEET.format(count=MACHINES * ROUNDS * 3)) as desk:
        steps, drivers, plain = [], [], []
        for _ in range(ROUNDS):
            seconds, variables = _step(desk)
            steps.append(seconds)
            drivers.append(_driver(targets(desk.sim, desk.take(MACHINES)), variables))
            plain.append(_plain(targets(desk.sim, desk.take(MACHINES)), variables))
    ours, alone, theirs = (statistics.median(times) for times in (steps, drivers, plain))
    return {
        "machines": MACHINES,
        "forks": FORKS,
        "step_s": round(ours, 1),
        "driver_s": round(alone, 1),
        "ansible_playbook_s": round(theirs, 1),
        "ratio_step": round(ours / theirs, 2),
        "ratio_driver": round(alone / theirs, 2),
    }


def _step(desk: Desk) -> tuple[float, dict[str, Any]]:
    """A ticket's initialise step; its seconds, and the variables of the playbook."""
    batches = {"canary": 0, "size": MACHINES, "budget": 0}
    ticket = desk.add_workers(FIRST, desk.take(MACHINES), batches=batches)
    seen = desk.until(ticket, "initialise", "WAIT_POST_GATE")
    seconds = desk.seconds(seen, "initialise")
    variables = desk.requester.get(f"/tickets/{ticket}/plans/initialise")[0]["body"]["plan"]["variables"]
    desk.requester.post(f"/tickets/{ticket}/cancel", {"reason": "measured"})
    return seconds, variables


def _about(target: SshTarget) -> dict[str, str]:
    return {"autorke_ssh_user": target.user, "autorke_ticket": "bench"}


def _driver(hosts: list[SshTarget], variables: dict[str, Any]) -> float:
    with tempfile.TemporaryDirectory(prefix="arke-", dir="/dev/shm") as folder:
        began = time.perf_counter()
        results = run_playbook(
            PLAYBOOK,
            [AnsibleHost(target, _about(target)) for target in hosts],
            variables=variables,
            run_dir=Path(folder),
            emit=lambda _name, _line: None,
            cancelled=lambda: False,
            timeout=120,
            forks=FORKS,
        )
        seconds = time.perf_counter() - began
    if not all(result.ok for result in results.values()):
        raise RuntimeError(str(results))
    return seconds


def _plain(hosts: list[SshTarget], variables: dict[str, Any]) -> float:
    """As a person would type it, with pipelining, who trusts any host key."""
    with tempfile.TemporaryDirectory(prefix="arke-", dir="/dev/shm") as folder:
        key = Path(folder, "key")
        key.touch(mode=0o600)
        key.write_text(hosts[0].private_key or "")
        config, inventory = Path(folder, "ansible.cfg"), Path(folder, "hosts.json")
        config.touch()
        inventory.write_text(json.dumps({"all": {"hosts": {it.name: _reached(it, str(key)) for it in hosts}}}))
        extra = ["--extra-vars", json.dumps(variables)]
        playbook = str(playbook_path(PLAYBOOK))
        command = [str(bin_dir() / "ansible-playbook"), "-i", str(inventory), "-f", str(FORKS), *extra, playbook]
        environ = {
            **os.environ,
            "HOME": folder,
            "PATH": f"{bin_dir()}:{os.environ['PATH']}",
            "ANSIBLE_CONFIG": str(config),
            "ANSIBLE_ROLES_PATH": str(CONTENT / "roles"),
            "ANSIBLE_PIPELINING": "True",
            "ANSIBLE_HOST_KEY_CHECKING": "False",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": folder,
            "ANSIBLE_INTERPRETER_PYTHON": "auto_silent",
        }
        began = time.perf_counter()
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=200)
        seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
    return seconds


def _reached(target: SshTarget, key: str) -> dict[str, Any]:
    way = {"ansible_host": target.address, "ansible_port": target.port, "ansible_user": target.user}
    return {**way, "ansible_ssh_private_key_file": key, **_about(target)}
