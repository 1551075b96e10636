"""Records the container events of every machine's Docker Engine, to prove which machines a change touched."""

import json
import os
import signal
import subprocess
from collections import Counter
from functools import partial
from pathlib import Path

from lablib.machines import ssh_argv
from lablib.process import wait_until
from lablib.settings import MACHINES, Lab


def start(lab: Lab) -> None:
    """Begin a new recording on every machine; an earlier one is ended and forgotten."""
    stop(lab)
    _directory(lab).mkdir(parents=True, exist_ok=True)
    for machine in MACHINES:
        # The first line comes from the shell: once it is there, the stream behind it misses nothing that follows.
        command = "echo '{}'; exec docker events --since 0s --filter type=container --format '{{json .}}'"
        with _file(lab, machine.name).open("wb") as output:
            process = subprocess.Popen(
                [*ssh_argv(lab, machine), command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        (_directory(lab) / f"{machine.name}.pid").write_text(str(process.pid))
    for machine in MACHINES:
        wait_until(f"event stream of {machine.name}", partial(_begun, _file(lab, machine.name)), seconds=20)


def stop(lab: Lab) -> None:
    """End the recording; what was recorded stays readable."""
    for file in _directory(lab).glob("*.pid"):
        number = int(file.read_text())
        try:
            command = Path(f"/proc/{number}/cmdline").read_text()
        except FileNotFoundError:
            command = ""
        if "docker events" in command:
            os.kill(number, signal.SIGTERM)
        file.unlink()


def counts(lab: Lab) -> dict[str, dict[str, int]]:
    """Events of the last recording: machine name -> `action container` -> how often."""
    return {machine.name: dict(sorted(_count(_file(lab, machine.name)).items())) for machine in MACHINES}


def _begun(file: Path) -> bool:
    return file.stat().st_size > 0


def _count(file: Path) -> Counter[str]:
    if not file.exists():
        return Counter()
    events = [json.loads(line) for line in file.read_text().splitlines()]
    return Counter(f"{event['Action']} {event['Actor']['Attributes'].get('name', '')}" for event in events if event)


def _directory(lab: Lab) -> Path:
    return lab.state / "events"


def _file(lab: Lab, name: str) -> Path:
    return _directory(lab) / f"{name}.jsonl"
