"""The facts script answered by the simulator and run for real on this machine: same rows, same columns, same forms."""

from __future__ import annotations

import re
import subprocess
import time
from collections import defaultdict

import pytest

from autorke.checks.parse import facts_script, parse_facts
from autorke.drivers import ssh
from autorke.sim.process import SimHandle
from tests.sim.conftest import Target

ARGUMENTS = ["sh", "-s", "--", "/var/lib/docker", "/var/run/docker.sock", "/"]
FORMS = {
    "facts": r"1",
    "time": r"\d{19}",
    "user": r"\S+\t\d+\t\S+",
    "root": r"direct|sudo|no",
    "os": r"[a-z]+\t[\d.]+\t.+",
    "kernel": r"\d+\.\S+\tx86_64|aarch64",
    "machine-id": r"[0-9a-f]{32}|",
    "product-uuid": r"[0-9a-fA-F-]{36}",
    "uptime": r"\d+",
    "cpus": r"\d+",
    "memory": r"\d+\t\d+",
    "nofile": r"\S+\t\S+",
    "ntp": r"synchronized|running|absent",
    "swap": r"/\S+\t\d+",
    "cgroup": r"[12]",
    "module": r"[a-z_0-9]+\t(loaded|builtin|available|absent|unknown)",
    "sysctl": r"[a-z_0-9.-]+\t.+",
    "address": r"\S+\t[0-9a-f.:]+/\d+",
    "route": r"\S.*",
    "link": r"\S+\t\d+\t[0-9a-f:]+\t\S+",
    "listen": r"(tcp|udp)\t[0-9A-F]{8}([0-9A-F]{24})?:[0-9A-F]{4}",
    "disk": r"/\S*\t\d+\t\d+\t(\d+|-)\t(\d+|-)\t/\S*",
    "resolv": r"(nameserver|search|options|domain) .*",
    "selinux": r"enforcing|permissive|disabled",
    "docker": r"(binary|socket|denied)\t/\S+",
    "leftover": r"/\S+\t(unreadable|content\t/\S+)",
    "mounts": r"/\S+\t\d+",
    "ca": r"/\S+\t([0-9a-f]{64}|unreadable)",
    "gpu": r"nvidia\t\d+\t\S*",
}
ALWAYS = {"facts", "time", "user", "root", "hostname", "fqdn", "os", "kernel", "machine-id", "uptime", "cpus", "memory"}
ALWAYS |= {"nofile", "ntp", "cgroup", "module", "sysctl", "selinux", "disk", "mounts", "time-end", "end"}

Rows = dict[str, list[str]]


def rows(text: str) -> Rows:
    out: Rows = defaultdict(list)
    for line in text.splitlines():
        key, _, rest = line.partition("\t")
        out[key].append(rest)
    return out


@pytest.fixture(scope="module")
def real() -> Rows:
    done = subprocess.run(ARGUMENTS, input=facts_script(), capture_output=True, timeout=60, check=True)
    return rows(done.stdout.decode())


def simulated(target: Target, name: str) -> Rows:
    with ssh.connect(target(name)) as remote:
        answer = remote.run(ARGUMENTS, stdin=facts_script())
    assert answer.ok
    return rows(answer.stdout)


@pytest.mark.parametrize("name", ["free-001", "alpha-w001", "alpha-m001"])
def test_rows_have_the_form_that_the_real_script_prints(target: Target, real: Rows, name: str) -> None:
    answer = simulated(target, name)
    assert answer.keys() >= ALWAYS
    assert real.keys() >= ALWAYS
    for side in (answer, real):
        for key in side.keys() & FORMS.keys():
            for value in side[key]:
                assert re.fullmatch(FORMS[key], value), f"{key}: {value!r}"


def test_the_same_modules_and_no_other_sysctls_are_told(target: Target, real: Rows) -> None:
    answer = simulated(target, "free-001")

    def names(side: Rows, key: str) -> set[str]:
        return {value.split("\t")[0] for value in side[key]}

    assert names(answer, "module") == names(real, "module")
    asked = set(re.findall(r"[a-z]+(?:\.[a-z0-9_-]+)+", facts_script().decode().split('SYSCTLS="')[1].split('"')[0]))
    assert names(answer, "sysctl") <= asked
    assert [value.split("\t")[0] for value in answer["disk"]] == [value.split("\t")[0] for value in real["disk"]]


def test_changed_facts_show(sim: SimHandle, target: Target) -> None:
    change = {
        "swap": [{"path": "/dev/sdb1", "size_kb": 2048}],
        "missing_modules": ["ip_vs"],
        "loaded_modules": ["overlay"],
        "time_skew": 30.0,
        "listeners": [{"port": 10250}],
        "disks": [{"mount": "/", "size_kb": 1000, "used_kb": 999}],
        "processes": ["k3s"],
        "groups": [],
        "sudo": "denied",
        "selinux": "Enforcing",
        "docker": {"socket": "denied"},
    }
    sim.patch_host(
        "free-002", facts=change, files={"/var/lib/kubelet/config.yaml": "x", "/etc/rancher/k3s/k3s.yaml": "x"}
    )
    with ssh.connect(target("free-002")) as remote:
        asked = time.time_ns()
        facts = parse_facts("free-002", remote.run(ARGUMENTS, stdin=facts_script()).stdout)
        answered = time.time_ns()
    with ssh.connect(target("free-001")) as remote:
        other = parse_facts("free-001", remote.run(ARGUMENTS, stdin=facts_script()).stdout)

    assert [(swap.device, swap.kib) for swap in facts.swap] == [("/dev/sdb1", 2048)]
    modules = [facts.modules[name] for name in ("ip_vs", "overlay", "vxlan")]
    assert modules == ["absent", "loaded", "available"]
    assert asked + 28e9 < facts.started_ns < answered + 32e9
    assert other.started_ns > answered - 2e9
    assert 10250 in {listener.port for listener in facts.listeners}
    assert facts.disks[0].free_kib == 1
    assert facts.processes == {"k3s": 1}
    assert facts.distributions == {"k3s": "/etc/rancher/k3s"}
    assert (facts.root, facts.selinux, facts.docker_socket_denied) == ("no", "enforcing", True)
    assert [(it.path, it.readable) for it in facts.leftovers] == [("/var/lib/kubelet", False)]
    assert other.swap == ()
    assert other.leftovers == ()
