"""Names, labels and answers made to do harm: refused or shown as text, never run, never able to forge a message."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autorke.checks import table
from autorke.checks.collect import Wanted, collect_node
from autorke.checks.facts import Container
from autorke.checks.results import Level, printable
from autorke.drivers.base import Completed, DockerApi, Remote, SshTarget
from tests.checks.healthy import Scene, worker

HOSTILE = (
    "$(reboot)", "`reboot`", "w3;reboot", "w3\nreboot", "w3\n", "w3\x00", "w3'", 'w3"', "w3 w4", "-rf", "--help",
    "../w3", "w3/", "节点", "ｗ３", "w3\u200b", "\u202ew3", "W3", ".", "..", "w3.", ".w3", "a" * 64, "{node}", "%s",
    "{0.__class__}", "<b>w3</b>",
)  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_hostname_is_refused_by_name(name: str) -> None:
    (message,) = Scene().with_worker(hostname=name).judge().messages
    assert message.check == "hostname-syntax"
    assert message.seen.en.isprintable()
    assert message.seen.zh.isprintable()


@pytest.mark.parametrize("text", [it for it in HOSTILE if it not in ("W3", "a" * 64)])
def test_hostile_label_is_refused(text: str) -> None:
    assert [it.check for it in Scene().with_worker(labels={text: "x"}).judge().messages] == ["labels"]
    assert [it.check for it in Scene().with_worker(labels={"x": text}).judge().messages] == ["labels"]


ADDRESSES = (
    "$(reboot)", "10.0.0.23;reboot", "10.0.0.23\n", "0.0.0.0", "::", "224.0.0.1", "10.0.0.256", "fe80::1%$(reboot)", "",
)  # fmt: skip


@pytest.mark.parametrize("text", ADDRESSES)
def test_hostile_address_is_refused(text: str) -> None:
    checks = {it.check for it in Scene().with_worker(address=text, hostname="w3").judge().messages}
    assert "address-syntax" in checks


@settings(deadline=None)
@given(st.text(min_size=1, max_size=80))
def test_a_name_that_passes_is_a_dns_name(name: str) -> None:
    report = Scene().with_worker(hostname=name).judge()
    if "hostname-syntax" not in {it.check for it in report.messages}:
        assert all(label and label.strip("abcdefghijklmnopqrstuvwxyz0123456789-") == "" for label in name.split("."))
        assert len(name) <= 63


def test_what_a_machine_says_of_itself_cannot_forge_a_line() -> None:
    """Container names and host names come from the machine: no control character of theirs reaches a log."""
    evil = "kubelet\n2026-06-01 approved by admin\x1b[2J\u202e"
    scene = Scene().with_docker(containers=(Container(f"old-{evil}", "x", "exited"),))
    (message,) = scene.judge().messages
    assert message.check == "stale-containers"
    for text in (message.seen.zh, message.seen.en, message.remedy.zh, message.remedy.en):
        assert text.isprintable()
    assert "\\n2026" in message.seen.en


def test_very_long_answers_are_cut() -> None:
    many = tuple(Container(f"old-{'x' * 500}{at}", "x", "exited") for at in range(400))
    (message,) = Scene().with_docker(containers=many).judge().messages
    assert len(message.seen.en) <= 1500
    assert len(message.remedy.en) <= 1500


@settings(deadline=None)
@given(st.text())
def test_printable_keeps_printable_text_and_escapes_the_rest(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    if text.isprintable() and len(text) <= 1500:
        assert shown == text


def test_braces_in_values_are_not_format_strings() -> None:
    scene = Scene().with_machine(hostname="{worker.target.private_key}", fqdn="{0}")
    (message,) = scene.judge().messages
    assert "{worker.target.private_key}" in message.seen.en


class _Recorder:
    """A machine that only remembers what it was told to run."""

    def __init__(self, target: SshTarget) -> None:
        self.target = target
        self.ran: list[tuple[Sequence[str], bytes | None, bool]] = []

    def run(
        self, argv: Sequence[str], *, stdin: bytes | None = None, timeout: float = 30.0, sudo: bool = False
    ) -> Completed:
        self.ran.append((list(argv), stdin, sudo))
        return Completed(1, "", "no shell here")

    def open_unix(self, path: str, *, timeout: float = 10.0) -> Any:
        return self

    def open_tcp(self, host: str, port: int, *, timeout: float = 10.0) -> Any:
        return self

    def close(self) -> None:
        """Nothing is open."""


class _Docker:
    """A Docker Engine with a root directory of its own choice."""

    def __init__(self, root: str) -> None:
        self.root = root

    def version(self) -> dict[str, Any]:
        return {"Version": "20.10.24", "MinAPIVersion": "1.12"}

    def info(self) -> dict[str, Any]:
        return {"DockerRootDir": self.root, "OSType": "linux"}

    def containers(self, *, all: bool = True) -> list[dict[str, Any]]:
        return []


def test_exactly_one_fixed_command_is_run_and_values_are_its_words(tmp_path: Path) -> None:
    """One `sh -s` with the script on stdin; what Docker or the ticket say are separate words of its argv."""
    target = dataclasses.replace(worker().target, docker_socket="/run/$(reboot).sock")
    recorder = _Recorder(target)
    remote: Remote = recorder  # type: ignore[assignment]
    docker: DockerApi = _Docker("/x; reboot")  # type: ignore[assignment]
    facts = collect_node(remote, lambda _: docker, Wanted(prefix_path="/opt/`reboot`"))
    ((argv, stdin, sudo),) = recorder.ran
    assert argv == ["sh", "-s", "--", "/x; reboot", "/run/$(reboot).sock", "/opt/`reboot`"]
    assert stdin is not None
    assert stdin.startswith(b"SUDO_PASSWORD=''\n# Facts of one machine.")
    assert not sudo
    assert facts.machine_error is not None
    assert "no shell here" in facts.machine_error["cause"]["en"]


@pytest.mark.parametrize("broken", [{"Names": 3}, {"Names": {"a": 1}}, {}, {"Names": [], "State": None}])
def test_docker_answers_of_any_shape_are_facts_or_an_error(broken: dict[str, Any]) -> None:
    class Odd(_Docker):
        def containers(self, *, all: bool = True) -> list[dict[str, Any]]:
            return [broken]

    docker: DockerApi = Odd("/var/lib/docker")  # type: ignore[assignment]
    remote: Remote = _Recorder(worker().target)  # type: ignore[assignment]
    facts = collect_node(remote, lambda _: docker, Wanted())
    assert (facts.docker is None) == (facts.docker_error is not None)


ODD = st.one_of(
    st.text(max_size=30), st.sampled_from(["²", "1 2 3", "-1", "9" * 5000, "1e9", "nan", "10.0.0.1/24", "\u0661"])
)


@settings(deadline=None)
@given(key=st.sampled_from(sorted(Scene().facts["w3"].machine.sysctls)), value=ODD, text=ODD)  # type: ignore[union-attr]
def test_no_fact_of_a_machine_breaks_a_rule(key: str, value: str, text: str) -> None:
    """Whatever the strings are, every check gives a verdict of its own and none gives up."""
    machine = Scene().facts["w3"].machine
    assert machine is not None
    scene = Scene().with_machine(
        sysctls={**machine.sysctls, key: value}, hostname=text, fqdn=text, kernel=text, architecture=text, ntp=text,
        selinux=text, machine_id=text, product_uuid=text, resolv=(text, f"nameserver {text}", "search"), routes=(text,),
    )  # fmt: skip
    report = scene.with_docker(version=text, min_api_version=value, storage_driver=text, root_dir=text).judge()
    assert not [it.seen.en for it in report.messages if "The platform failed" in it.seen.en]


def test_a_rule_that_breaks_stops_only_its_own_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object) -> None:
        raise RuntimeError("our own fault")

    swap = next(check for check in table.MACHINE if check.id == "swap")
    broken = tuple(dataclasses.replace(it, rule=breaks) if it is swap else it for it in table.MACHINE)
    monkeypatch.setattr("autorke.checks.judge.MACHINE", broken)
    (message,) = Scene().judge().messages
    assert (message.node, message.check, message.level) == ("w3", "swap", Level.ERROR)
    assert "The platform failed while checking w3: swap, RuntimeError" in message.seen.en
