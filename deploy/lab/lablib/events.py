"""Records the container events of every machine's Docker Engine, to prove which machines a change touched."""

import contextlib
import json
import os
import signal
import subprocess
from collections import Counter
from functools import partial
from pathlib import Path

from lablib.machines import on, ssh_argv
from lablib.process import wait_until
from lablib.settings import MACHINES, Lab, Machine

MARK = "autorke-lab-end-of-recording"


def start(lab: Lab) -> None:
    """Begin a new recording on every machine; an earlier one is ended and forgotten."""
    stop(lab)
    _directory(lab).mkdir(parents=True, exist_ok=True)
    for machine in MACHINES:
        # The first line comes from the shell: once it is there, the stream behind it misses nothing that follows.
        command = "echo '{}'; exec docker events --since 0s --filter type=container --filter type=volume"
        command += " --format '{{json .}}'"
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
        wait_until(f"event stream of {machine.name}", partial(_begun, _file(lab, machine.name)), seconds=120)


def stop(lab: Lab, *, whole: bool = False) -> None:
    """End the recording; what was recorded stays readable. `whole`: first wait until all that has happened is in it."""
    running = {file.stem: file for file in _directory(lab).glob("*.pid")}
    if whole:
        for machine in MACHINES:
            if machine.name in running:
                _catch_up(lab, machine)
    for file in running.values():
        number = int(file.read_text())
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if "docker events" in Path(f"/proc/{number}/cmdline").read_text():
                os.kill(number, signal.SIGTERM)
        file.unlink()


def _catch_up(lab: Lab, machine: Machine) -> None:
    """Events come in their order: once that of a volume made now is there, so are all before it."""
    on(lab, machine, f"docker volume create {MARK} && docker volume rm {MARK}")
    recorded = _file(lab, machine.name)
    wait_until(f"events of {machine.name}", lambda: recorded.read_text().count(MARK) > 1, seconds=120)


def counts(lab: Lab) -> dict[str, dict[str, int]]:
    """Events of the last recording: machine name -> `action container` -> how often."""
    return {machine.name: dict(sorted(_count(_file(lab, machine.name)).items())) for machine in MACHINES}


def _begun(file: Path) -> bool:
    return file.stat().st_size > 0


def _count(file: Path) -> Counter[str]:
    if not file.exists():
        return Counter()
    events = [json.loads(line) for line in file.read_text().rpartition("\n")[0].splitlines()]
    return Counter(
        f"{event['Action']} {event['Actor']['Attributes'].get('name', '')}"
        for event in events
        if event.get("Type") == "container"
    )


def _directory(lab: Lab) -> Path:
    return lab.state / "events"


def _file(lab: Lab, name: str) -> Path:
    return _directory(lab) / f"{name}.jsonl"
