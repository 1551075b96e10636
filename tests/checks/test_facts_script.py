"""The facts script, run for real in every POSIX shell of this machine, and what its reader makes of bad answers."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autorke.checks.collect import clock_offset
from autorke.checks.facts import CaFile, InterfaceAddress, Leftover, Listener, MachineFacts
from autorke.checks.parse import FactsUnreadable, facts_script, parse_facts
from tests.checks.healthy import RKESTATE, machine

pytestmark = pytest.mark.skipif(
    not Path("/proc/uptime").exists(), reason="SKIPPED: no /proc here; no machine without it can run Kubernetes"
)
SHELLS = [name for name in ("dash", "bash", "sh", "busybox", "ksh", "mksh") if shutil.which(name)]
NOWHERE = "/nonexistent/docker.sock"


def run(shell: str, *arguments: str, user: str = "", become: str | None = None) -> str:
    command = [shell, *(["sh"] if shell == "busybox" else []), "-s", "--", *arguments]
    if user:
        command = ["setpriv", "--reuid", user, "--regid", "nogroup", "--clear-groups", *command]
    done = subprocess.run(command, input=facts_script(become), capture_output=True, timeout=60, check=True, cwd="/")
    assert done.stderr == b""
    return done.stdout.decode()


def facts(*arguments: str, user: str = "") -> MachineFacts:
    return parse_facts("here", run("sh", *arguments, user=user))


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_gives_facts_of_this_machine(shell: str) -> None:
    before = time.time_ns()
    seen = parse_facts("here", run(shell, "/var/lib/docker", NOWHERE, "/"))
    assert before <= seen.started_ns <= seen.ended_ns <= time.time_ns()
    assert seen.hostname == os.uname().nodename
    assert (seen.kernel, seen.architecture) == (os.uname().release, os.uname().machine)
    assert seen.cpus == os.cpu_count()
    assert seen.memory_kib == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 1024
    assert [disk.path for disk in seen.disks] == ["/", "/var/lib/docker", "/var/lib/kubelet", "/opt/rke"]
    assert seen.disks[0].total_kib == os.statvfs("/").f_blocks * os.statvfs("/").f_frsize // 1024
    assert seen.sysctls["kernel.pid_max"] == Path("/proc/sys/kernel/pid_max").read_text().strip()
    assert any(it.interface == "lo" and it.address == "127.0.0.1" for it in seen.addresses)
    assert set(seen.modules.values()) <= {"loaded", "builtin", "available", "absent", "unknown"}
    assert seen.docker_socket == ""


@pytest.mark.parametrize("shell", SHELLS)
def test_addresses_are_known_without_iproute2_too(shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Minimal systems have no `ip`: the kernel's own tables say the same, where routes tell which network is whose."""

    def known() -> set[InterfaceAddress]:
        return {it for it in facts().addresses if it.interface == "lo" or ":" not in it.address}

    before, usual_path = known(), os.environ["PATH"]
    (tmp_path / "ip").write_text("#!/bin/sh\nexit 127\n")
    (tmp_path / "ip").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    seen = {(it.interface, it.address, it.prefix) for it in parse_facts("here", run(shell)).addresses}
    monkeypatch.setenv("PATH", usual_path)
    usual = before & known()  # another program may make or remove an interface at any moment
    assert ("lo", "127.0.0.1", 8) in seen
    assert {address for _, address, _ in seen} >= {it.address for it in usual}
    routes = [line.split() for line in Path("/proc/net/route").read_text().splitlines()[1:]]
    owners = {network: [row[0] for row in routes if row[1] == network] for network in {row[1] for row in routes}}
    clear = {row[0] for row in routes} - {name for names in owners.values() if len(names) > 1 for name in names}
    assert seen >= {(it.interface, it.address, it.prefix) for it in usual if it.interface in clear and it.prefix < 32}


@pytest.mark.skipif(not Path("/proc/sys/net/bridge").exists(), reason="this kernel has no br_netfilter loaded")
def test_a_module_that_works_is_known_even_where_no_module_is_listed() -> None:
    assert facts().modules["br_netfilter"] in {"loaded", "builtin"}


def test_all_shells_say_the_same() -> None:
    def lasting(text: str) -> list[str]:
        changing = ("time", "uptime", "memory", "disk", "listen", "link", "address", "route", "process")
        return [line for line in text.splitlines() if not line.startswith(changing)]

    for _ in range(20):
        answers = [lasting(run(shell, "/var/lib/docker", NOWHERE, "/")) for shell in (*SHELLS, SHELLS[0])]
        if answers[0] == answers[-1]:  # nobody has loaded a module or set a sysctl meanwhile
            break
    assert all(answer == answers[0] for answer in answers)


def test_the_machine_it_ran_on_is_found_listening() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as two:
        two.bind(("127.0.0.1", 0))
        seen = facts("/var/lib/docker", NOWHERE, "/").listeners
        assert Listener("tcp", "127.0.0.1", one.getsockname()[1]) in seen
        assert Listener("udp", "127.0.0.1", two.getsockname()[1]) in seen


@pytest.fixture
def old_cluster(tmp_path: Path) -> Path:
    """What an old cluster left under a prefix_path: certificates, kubelet data, an empty etcd directory."""
    pem = json.loads(RKESTATE)["currentState"]["certificatesBundle"]["kube-ca"]["certificatePEM"]
    for path, text in {
        "etc/kubernetes/ssl/kube-ca.pem": pem,
        "var/lib/kubelet/pki/kubelet.crt": "x",
        "var/lib/cni/networks/odd\tname\n": "x",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    (tmp_path / "var/lib/etcd/member").mkdir(parents=True)
    for directory in (tmp_path, *tmp_path.parents[:-2]):
        directory.chmod(directory.stat().st_mode | 0o555)
    return tmp_path


def test_leftovers_and_the_ca_below_a_prefix_path(old_cluster: Path) -> None:
    seen = facts("/var/lib/docker", NOWHERE, f"{old_cluster}/")
    found = [it for it in seen.leftovers if it.path.startswith(str(old_cluster))]
    assert Leftover(f"{old_cluster}/var/lib/kubelet", True, f"{old_cluster}/var/lib/kubelet/pki/kubelet.crt") in found
    assert {it.path.removeprefix(str(old_cluster)) for it in found} == {
        "/etc/kubernetes", "/var/lib/kubelet", "/var/lib/cni",
    }  # fmt: skip
    pem = json.loads(RKESTATE)["currentState"]["certificatesBundle"]["kube-ca"]["certificatePEM"]
    wanted = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.strip())).hexdigest()
    assert CaFile(f"{old_cluster}/etc/kubernetes/ssl/kube-ca.pem", wanted) in seen.ca_files


@pytest.mark.skipif(os.getuid() != 0, reason="SKIPPED: only root can become another user for this test")
def test_a_plain_user_without_sudo_is_told_apart_from_an_empty_directory(old_cluster: Path) -> None:
    (old_cluster / "var/lib/kubelet").chmod(0o700)
    (old_cluster / "etc/kubernetes/ssl/kube-ca.pem").chmod(0o600)
    seen = facts("/var/lib/docker", NOWHERE, str(old_cluster), user="nobody")
    assert (seen.user, seen.root) == ("nobody", "no")
    assert Leftover(f"{old_cluster}/var/lib/kubelet", False, "") in seen.leftovers
    assert CaFile(f"{old_cluster}/etc/kubernetes/ssl/kube-ca.pem", "") in seen.ca_files
    assert seen.product_uuid == ""


SUDO = """#!/bin/sh
[ "$1" = -n ] && { echo 'sudo: a password is required' >&2; exit 1; }
[ "$1 $2 $3" = '-S -p ' ] || exit 2
shift 3
IFS= read -r answer
[ "$answer" = "it's \\"\\$(id)" ] || exit 1
MAY_READ=yes exec "$@"
"""


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("password", "root"), [("it's \"$(id)", "sudo"), ("wrong", "no"), (None, "no")])
@pytest.mark.skipif(os.getuid() != 0, reason="SKIPPED: only root can become another user for this test")
def test_a_sudo_that_asks_gets_the_password_on_its_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: str, password: str | None, root: str
) -> None:
    (tmp_path / "sudo").write_text(SUDO)
    for path in (tmp_path / "sudo", tmp_path, *tmp_path.parents[:-2]):
        path.chmod(path.stat().st_mode | 0o555)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    seen = parse_facts("here", run(shell, "/var/lib/docker", NOWHERE, "/", user="nobody", become=password))
    assert (seen.user, seen.root) == ("nobody", root)


def test_hostile_arguments_are_words_never_code(tmp_path: Path) -> None:
    """Docker tells us its root directory: a machine could tell us anything."""
    canary = tmp_path / "canary"
    touch = f"touch {canary}"
    for hostile in (f"/x; {touch}", f"$({touch})", f"`{touch}`", f"' ; {touch} ; '", f"/x\n{touch}"):
        seen = facts(hostile, hostile, hostile)
        assert len(seen.disks) == 4
    assert not canary.exists()


def test_the_script_writes_nothing() -> None:
    """No redirection but to /dev/null and between descriptors, no program that changes anything."""
    text = re.sub(r"^\s*#.*", "", facts_script().decode(), flags=re.MULTILINE)
    assert set(re.findall(r"\d?>+\s*[\w/&]+", text.replace("NR > 1", ""))) <= {"2>/dev/null", ">/dev/null", "2>&1"}
    changing = {"rm", "mv", "cp", "tee", "touch", "mkdir", "chmod", "chown", "kill", "systemctl", "curl", "mount"}
    assert not changing & set(re.findall(r"[a-z][a-z_.-]*", text))
    assert "modprobe -n" in text
    assert text.count("modprobe") == 2


@pytest.mark.skipif(not shutil.which("strace"), reason="SKIPPED: strace is not installed; the static test stands")
def test_the_kernel_sees_no_write(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = ["strace", "-f", "-o", str(log), "-e", "trace=openat,open,unlink,unlinkat,mkdir,rename", "sh", "-s"]
    subprocess.run(command, input=facts_script(), capture_output=True, check=True, timeout=120)
    changing = re.compile(r"O_(WRONLY|RDWR|CREAT)|unlink|mkdir|rename")
    changed = [line for line in log.read_text().splitlines() if changing.search(line)]
    assert [line for line in changed if "/dev/null" not in line and "/dev/tty" not in line] == []


def test_a_login_script_that_talks_first_does_no_harm() -> None:
    text = run("sh", "/var/lib/docker", NOWHERE, "/")
    assert parse_facts("here", f"Welcome to here!\nLast login: today\n{text}").hostname == os.uname().nodename


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "no facts"),
        ("This account is currently not available.\n", "not available"),
        ("facts\t2\nend\n", "protocol"),
        ("facts\t1\nhostname\tw1\n", "cut after 2 lines"),
        ("facts\t1\nend\n", "no number for 'uptime' (is /proc mounted?)"),
        ("facts\t1\naddress\teth0\tnonsense\nend\n", "ValueError"),
        ("facts\t1\nlisten\ttcp\nend\n", ""),
    ],
)
def test_bad_answers_are_refused(answer: str, reason: str) -> None:
    with pytest.raises(FactsUnreadable) as caught:
        parse_facts("w3", answer)
    assert "w3" in str(caught.value)
    assert reason in str(caught.value)


@given(st.text(max_size=400))
def test_no_answer_raises_anything_else(noise: str) -> None:
    for text in (noise, f"facts\t1\n{noise}\nend\n", f"facts\t1\nlisten\t{noise}\ntime\t{noise}\nend"):
        with pytest.raises(FactsUnreadable):
            parse_facts("w3", text)


def test_addresses_of_the_kernel_are_read_in_host_order() -> None:
    text = run("sh", "/var/lib/docker", NOWHERE, "/")
    for row, wanted in {
        "tcp\t0100007F:1F90": Listener("tcp", "127.0.0.1", 8080),
        "tcp\t00000000000000000000000001000000:0016": Listener("tcp", "::1", 22),
        "udp\t0000000000000000FFFF00000100007F:0035": Listener("udp", "127.0.0.1", 53),
    }.items():
        assert wanted in parse_facts("here", text.replace("end\n", f"listen\t{row}\nend\n")).listeners


DELAYS = st.integers(0, 10**10)


@given(offset=st.integers(-(10**13), 10**13), going=DELAYS, took=DELAYS, back=DELAYS)
def test_the_true_clock_offset_lies_within_the_bounds(offset: int, going: int, took: int, back: int) -> None:
    sent = 1_780_000_000 * 10**9
    read = sent + going + offset
    seen = dataclasses.replace(machine(), started_ns=read, ended_ns=read + took)
    bounds = clock_offset(seen, sent, sent + going + took + back)
    assert bounds.at_least_ms * 10**6 <= offset <= bounds.at_most_ms * 10**6
    assert bounds.at_most_ms - bounds.at_least_ms <= (going + back) // 10**6 + 2
