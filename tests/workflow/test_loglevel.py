"""One rule says which lines are errors: the same for the index that the writer keeps and for every viewer."""

from __future__ import annotations

import pytest

from autorke.workflow import loglevel

STAMP = "2026-11-25T20:44:04.123Z "
ERRORS = [
    "error: ssh-reachable: gpu-017: cannot reach it",
    "Error response from daemon: no such image",
    "failed: Install Docker: no package docker-ce",
    "FAILED: 2 errors, first: swap is on",
    "UNREACHABLE: no answer",
    "UNKNOWN: ansible said nothing of this machine",
    "fatal: [gpu-017]: FAILED! => {}",
    "planning failed: Internal error",
    "cannot observe the state the plan rests on",
    'time="2026-01-02T03:04:05Z" level=error msg="host [10.0.0.1] is down"',
    'time="2026-01-02T03:04:05Z" level=fatal msg="x"',
    "FATA[0012] Cluster must have at least one etcd plane host",
    "E0102 03:04:05.678901 12 kubelet.go:1",
    "panic: runtime error",
]
WARNINGS = [
    "warning: swap: gpu-017: swap is on",
    "WARN[0003] This is not an officially supported version",
    "[WARNING]: Platform linux",
    'time="…" level=warning msg="x"',
    "W0102 03:04:05.678901 12 x.go:1",
    "CANCELLED: cancelled before it began",
    "NOT_STARTED: the failure budget was used up",
]
PLAIN = [
    "ok: Install Docker",
    "changed: error handling of the proxy",
    "no error was found",
    "failedover to the other node",
    "errors 0",
    "",
    "SUCCEEDED: all checks passed, 0 notes",
    "x" * 300 + " level=error",
    "warnings: none",
]


@pytest.mark.parametrize("stamp", [STAMP, ""], ids=["stamped", "bare"])
@pytest.mark.parametrize(
    ("line", "level"),
    [*((it, "error") for it in ERRORS), *((it, "warning") for it in WARNINGS), *((it, "info") for it in PLAIN)],
)
def test_the_level_of_a_line(line: str, level: str, stamp: str) -> None:
    assert loglevel.level_of((stamp + line).encode()) == level


def test_many_lines_are_told_apart_as_each_one_is() -> None:
    lines = [STAMP + line for line in [*PLAIN, *ERRORS, *WARNINGS, *PLAIN, *ERRORS]]
    raw = "".join(f"{line}\n" for line in lines).encode()
    starts, place = [], 0
    for line in lines:
        starts.append(place)
        place += len(line.encode()) + 1
    levels = [loglevel.level_of(line.encode()) for line in lines]
    errors = [at for at, level in zip(starts, levels, strict=True) if level == "error"]
    assert list(loglevel.places(raw, "error")) == errors
    assert loglevel.first_error(raw) == errors[0]
    noted = [at for at, level in zip(starts, levels, strict=True) if level != "info"]
    assert list(loglevel.places(raw, "warning")) == noted
    assert loglevel.first_error("".join(f"{STAMP}{line}\n" for line in PLAIN).encode()) is None
