"""What `deploy/` and the documents promise: settings that exist, commands that start, runners that outlive a stop."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from autorke.core.settings import Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
NOT_SETTINGS = {
    "AUTORKE_DATABASE_PASSWORD",  # compose's own
    "AUTORKE_EMBEDDED_USER",
    "AUTORKE_PG_BIN",
    "AUTORKE_VALKEY_BIN",
    "AUTORKE_RUNNER_ID",
    "AUTORKE_PYTHON",
    "AUTORKE_TEST_DATABASE_URL",
    "AUTORKE_TEST_REDIS_URL",
}
TEXTS = [
    ROOT / "README.md",
    ROOT / "run",
    ROOT / "docs/operations.md",
    DEPLOY / "compose.yaml",
    *(DEPLOY / "systemd").iterdir(),
    *(DEPLOY / "container").iterdir(),
    *(path for path in (DEPLOY / "helm").rglob("*") if path.is_file()),
]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_setting_named_there_exists(path: Path) -> None:
    named = set(re.findall(r"AUTORKE_[A-Z_]*[A-Z]", path.read_text()))
    known = {f"AUTORKE_{field.upper()}" for field in Settings.model_fields} | NOT_SETTINGS
    assert named - known == set()


def test_compose_starts_modules_that_exist() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    for name in ("migrate", "worker"):
        command = compose["services"][name]["command"]
        module = command[command.index("-m" if "-m" in command else "-A") + 1]
        assert find_spec(module), module
    assert compose["services"]["launcher"]["command"][1] == "worker-host.py"


def test_compose_keeps_no_password_of_its_own() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    assert re.findall(r"PASSWORD: (?!\$\{AUTORKE_DATABASE_PASSWORD:\?)", text) == []


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="SKIPPED: no systemd-analyze on this machine")
def test_systemd_accepts_the_units() -> None:
    units = sorted(map(str, (DEPLOY / "systemd").glob("*.service")))
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, timeout=180)
    said = [line for line in done.stderr.splitlines() if "is not executable: No such file" not in line]
    ours = [Path(unit).name for unit in units]  # of the machine's own units it may have something to say too
    assert [line for line in said if any(name in line for name in ours)] == []


@pytest.mark.skipif(not shutil.which("helm"), reason="SKIPPED: no helm on this machine")
def test_helm_renders_the_chart() -> None:
    chart = str(DEPLOY / "helm/autorke")
    command = ["helm", "template", "x", chart, "--kube-version", "1.27.0", "--set", "ingress.enabled=true"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=True)
    kinds = sorted(entry["kind"] for entry in yaml.safe_load_all(done.stdout) if entry)
    assert kinds == [
        "Deployment",
        "Ingress",
        "Job",
        "PodDisruptionBudget",
        "Service",
        "Service",
        "StatefulSet",
    ]


LAUNCHER = """
import os, signal, sys, time
from pathlib import Path
if os.fork() == 0:  # a runner: a session of its own, two more seconds of work
    os.setsid()
    time.sleep(2)
    Path(sys.argv[1]).write_text('the change ended by itself')
    os._exit(0)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
Path(sys.argv[1] + '.started').touch()
while True:
    time.sleep(0.1)
"""


@pytest.mark.skipif(
    os.geteuid() != 0, reason="SKIPPED: a process can be number 1 only in a namespace, which needs root"
)
def test_a_worker_container_ends_after_its_runners(tmp_path: Path) -> None:
    package = tmp_path / "autorke" / "worker"
    package.mkdir(parents=True)
    for directory in (package, package.parent):
        (directory / "__init__.py").touch()
    (package / "launcher.py").write_text(LAUNCHER)
    result = tmp_path / "result"
    inside = [sys.executable, str(DEPLOY / "container/worker-host.py"), str(result)]
    process = subprocess.Popen(
        ["unshare", "--pid", "--fork", "--kill-child", *inside],
        cwd=tmp_path,  # where `-m` looks first
    )
    deadline = time.monotonic() + 120
    while not Path(f"{result}.started").exists():
        assert time.monotonic() < deadline, "the launcher did not start"
        time.sleep(0.05)
    first = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
    os.kill(first, signal.SIGTERM)
    assert process.wait(120) == 0
    assert result.read_text() == "the change ended by itself"
