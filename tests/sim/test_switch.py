"""The switch for visitors: what breaks looks broken from outside, what is mended is as before, and no site gets in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from autorke.drivers import ssh
from autorke.drivers.base import AuthenticationRefused, DockerError, HostKeyMismatch, Unreachable
from autorke.drivers.docker import docker_over
from autorke.drivers.ssh.dialing import Limits
from autorke.sim import process
from autorke.sim.breakages import ALL
from autorke.sim.process import SimFailed, SimHandle
from tests.sim.conftest import Target, target_of

NAME = "free-002"
SHORT = Limits(connect=0.5, banner=0.5, login=1.0)
"""For machines that do not answer: one that does would look like them, were this one busy."""
MACHINE_KINDS = [breakage.kind for breakage in ALL if not breakage.of_cmdb]


@pytest.fixture
def page(sim: SimHandle) -> Iterator[httpx.Client]:
    """A visitor without the header."""
    with httpx.Client(base_url=sim.index["control"], trust_env=False, timeout=60) as client:
        yield client


@pytest.fixture(autouse=True)
def whole(sim: SimHandle) -> Iterator[None]:
    yield
    for name in (NAME, "cmdb"):
        sim.mend(name)


def machines(page: httpx.Client, query: str = "") -> dict[str, dict[str, object]]:
    found = page.get(f"/break/machines?{query}").json()["machines"]
    return {entry["name"]: entry for entry in found}


@pytest.mark.parametrize("kind", MACHINE_KINDS)
def test_what_is_mended_is_as_before(sim: SimHandle, target: Target, kind: str) -> None:
    before = sim.host(NAME)
    sim.break_(NAME, kind)
    assert sim.host(NAME) != before or sim._ask("GET", "/faults"), "nothing happened"
    sim.mend(NAME)
    assert sim.host(NAME) == before
    assert sim._ask("GET", "/faults") == []
    ssh.connect(target(NAME)).close()


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("ssh-refused", Unreachable),
        ("ssh-silent", Unreachable),
        ("power-off", Unreachable),
        ("ssh-denied", AuthenticationRefused),
        ("reinstalled", HostKeyMismatch),
    ],
)
def test_the_way_in_is_closed(sim: SimHandle, target: Target, kind: str, error: type[Exception]) -> None:
    sim.break_(NAME, kind)
    with pytest.raises(error):
        ssh.connect(target(NAME), limits=SHORT if error is Unreachable else Limits())


def test_a_machine_that_died_of_it_is_powered_on_by_mending(sim: SimHandle, target: Target) -> None:
    sim.break_(NAME, "dies-half-way")
    with ssh.connect(target(NAME)) as remote:
        docker = docker_over(remote)
        docker.pull("busybox:1")
        docker.create("kubelet", {"Image": "busybox:1", "Cmd": ["/bin/sleep", "60"]})
        with pytest.raises((DockerError, Unreachable)):
            docker.start("kubelet")
    assert sim.host(NAME)["dead"]
    sim.mend(NAME)
    with ssh.connect(target(NAME)) as remote:
        docker_over(remote).remove("kubelet")


def test_a_slow_machine_is_slow(sim: SimHandle, target: Target) -> None:
    sim.break_(NAME, "ssh-slow")
    with ssh.connect(target(NAME)) as remote:
        began = time.monotonic()
        assert remote.run(["true"]).ok
        assert time.monotonic() - began >= 2.9


def test_the_cmdb_is_broken_apart_from_machines(sim: SimHandle) -> None:
    sim.break_("cmdb", "cmdb-down")
    headers = {"Authorization": f"Bearer {sim.index['cmdb']['token']}"}
    url = sim.index["cmdb"]["url"] + "/api/v1/machines"
    assert httpx.get(url, headers=headers, trust_env=False, timeout=60).status_code == 503
    sim.mend("cmdb")
    assert httpx.get(url, headers=headers, trust_env=False, timeout=60).status_code == 200


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("no-such-machine", "ssh-refused", "404.*no machine"),
        (NAME, "no-such-kind", "404.*ssh-refused"),
        (NAME, "cmdb-down", "409.*nothing that free-002 can have"),
        ("cmdb", "ssh-refused", "409.*nothing that cmdb can have"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_reason(sim: SimHandle, name: str, kind: str, said: str) -> None:
    with pytest.raises(SimFailed, match=said):
        sim.break_(name, kind)


def test_twice_is_refused(sim: SimHandle) -> None:
    sim.break_(NAME, "disk-full")
    with pytest.raises(SimFailed, match="409"):
        sim.break_(sim.machine(NAME)["address"], "disk-full")


def test_the_page_lists_machines_broken_ones_first(sim: SimHandle, page: httpx.Client) -> None:
    sim.break_(NAME, "disk-full")
    sim.break_(NAME, "clock-off")
    listed = machines(page)
    assert next(iter(listed)) == NAME
    assert listed[NAME]["broken"] == ["clock-off", "disk-full"]
    assert listed["alpha-w001"]["use"] == "k8s:alpha"
    assert set(machines(page, "broken=1")) == {NAME}
    assert set(machines(page, "q=alpha-m")) == {"alpha-m001"}
    kinds = page.get("/break/kinds").json()
    assert [kind["kind"] for kind in kinds] == [breakage.kind for breakage in ALL]
    assert all(kind["zh"] and kind["en"] and kind["seen_zh"] and kind["seen_en"] for kind in kinds)


def test_the_page_runs_no_script_but_its_own(page: httpx.Client) -> None:
    html = page.get("/break")
    assert html.headers["content-type"].startswith("text/html")
    assert "script-src 'self'" in html.headers["content-security-policy"]
    assert "unsafe" not in html.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in html.headers["content-security-policy"]
    for name in ("break.js", "break.css"):
        assert f"/break/{name}" in html.text
        assert page.get(f"/break/{name}").status_code == 200
    assert page.get("/break/../break.js.bak").status_code == 404


def test_a_page_of_another_site_changes_nothing(sim: SimHandle, page: httpx.Client) -> None:
    """No header of ours: what a form or a simple fetch of another site can send."""
    for method, path in (("POST", f"/break/{NAME}/ssh-refused"), ("DELETE", "/faults"), ("PATCH", f"/hosts/{NAME}")):
        assert page.request(method, path, json={}).status_code == 403
    ask = page.request("OPTIONS", f"/break/{NAME}/ssh-refused", headers={"Origin": "http://evil.test"})
    assert ask.status_code == 403
    assert not [name for name in ask.headers if name.startswith("access-control")]
    assert sim.host(NAME)["dead"] is False
    assert machines(page, "broken=1") == {}


def test_a_name_that_leads_here_is_not_answered(page: httpx.Client) -> None:
    """Another site's name that resolves to 127.0.0.1 would be the same origin as its page."""
    for host in ("evil.test", "evil.test:8001", "", "127.0.0.1.evil.test"):
        assert page.get("/break/machines", headers={"Host": host, "X-Sim": "1"}).status_code == 421
    for host in ("localhost:8001", "127.0.0.1", "[::1]:8001"):
        assert page.get("/break/machines", headers={"Host": host}).status_code == 200


def test_a_restart_keeps_what_is_broken_and_it_can_still_be_mended(tmp_path: Path) -> None:
    kinds = ("ssh-refused", "disk-full", "reinstalled")
    with process.start("small", tmp_path) as first:
        before = first.host(NAME)
        key = first.machine(NAME)["host_key"]
        for kind in kinds:
            first.break_(NAME, kind)
    with process.start("small", tmp_path) as second:
        with pytest.raises(Unreachable):
            ssh.connect(target_of(second, NAME), limits=SHORT)
        assert second._ask("GET", f"/break/machines?q={NAME}")["machines"][0]["broken"] == sorted(kinds)
        second.mend(NAME)
        assert second.host(NAME) == before
    with process.start("small", tmp_path) as third:
        assert third.machine(NAME)["host_key"] == key
        ssh.connect(target_of(third, NAME)).close()
