"""Command line of the lab: `up`, `test`, `reset`, `status`, `events start|stop|show`, `down`."""

import argparse
import fcntl
import json
import logging
import os
import subprocess
import sys
import time

from lablib import cluster, description, engine, events, images, kernel, machines, packages, teardown
from lablib.kubernetes import ready_nodes
from lablib.process import log
from lablib.settings import HERE, MACHINES, Lab, LabError, from_environment, rke_binary


def main(argv: list[str]) -> int:
    """Run one command; 0 if it succeeded, 1 with the reason on standard error if not."""
    logging.basicConfig(format="%(asctime)s lab: %(message)s", datefmt="%H:%M:%S", level=logging.INFO)
    parser = argparse.ArgumentParser(prog="lab.sh", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("up", "reset", "status", "down"):
        commands.add_parser(name)
    commands.add_parser("test", help="options behind it go to pytest")
    commands.add_parser("events").add_argument("action", choices=["start", "stop", "show"])
    options, rest = parser.parse_known_args(argv)
    if rest and options.command != "test":
        parser.error(f"unknown: {' '.join(rest)}")
    lab = from_environment()
    try:
        return run_command(lab, options, rest)
    except LabError as error:
        log.error("%s", error)
        return 1


def run_command(lab: Lab, options: argparse.Namespace, for_pytest: list[str]) -> int:
    """Carry out the parsed command; one at a time per lab for those that change it."""
    if options.command == "status":
        return status(lab)
    if options.command == "events":
        return record(lab, options.action)
    lab.cache.mkdir(parents=True, exist_ok=True)
    with (lab.cache / "lab.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        {"up": up, "test": up, "reset": reset, "down": teardown.down}[options.command](lab)
    return test(lab, for_pytest) if options.command == "test" else 0


def up(lab: Lab) -> None:
    """Have the whole lab running; goes on from wherever an earlier run stopped, unless its engine died since."""
    begin = time.monotonic()
    packages.ensure(packages.ALWAYS)
    if lab.state.exists() and not engine.answers(lab):
        # An engine that was killed may have lost layers that it believes to have.
        log.info("an earlier lab ended without `down`: taking it down first")
        teardown.down(lab)
    lab.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    kernel.remember(lab)
    engine.start(lab)
    images.ensure_kubernetes(lab)
    images.ensure(lab)
    images.load_machine(lab)
    machines.ensure_keys(lab)
    machines.ensure(lab)
    cluster.ensure(lab)
    description.write(lab)
    log.info("up after %.0f s; described in %s", time.monotonic() - begin, lab.state / "lab.json")
    if not rke_binary():
        log.warning("NO STOCK RKE: cluster made by the lab's own code; proofs against stock rke are skipped")


def reset(lab: Lab) -> None:
    """Free machines fresh, cluster files and state as created: ready for the next run of a test."""
    if not engine.answers(lab):
        raise LabError("the lab is not up")
    images.ensure(lab)
    images.load_machine(lab)
    cluster.reset(lab)
    description.write(lab)


def status(lab: Lab) -> int:
    """Print what is running; exit 0 only if the lab is complete."""
    up_now = engine.answers(lab)
    running = engine.docker(lab, "ps", "--format", "{{.Names}}").split() if up_now else []
    ready = sorted(ready_nodes(lab)) if up_now and lab.kubeconfig.exists() else []
    complete = {machine.name for machine in MACHINES} <= set(running) and (lab.state / "lab.json").exists()
    document = {"state": str(lab.state), "engine": up_now, "machines": sorted(running), "ready_nodes": ready}
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    return 0 if complete else 1


def record(lab: Lab, action: str) -> int:
    """Begin, end or show the recording of Docker events."""
    if action == "start":
        events.start(lab)
    elif action == "stop":
        events.stop(lab, whole=True)
    else:
        sys.stdout.write(json.dumps(events.counts(lab), indent=2) + "\n")
    return 0


def test(lab: Lab, options: list[str]) -> int:
    """Run the tests of tests/lab on the lab, which is up; 0 if all passed."""
    root = HERE.parent.parent
    environment = {**os.environ, "AUTORKE_LAB": "1", "AUTORKE_LAB_DIR": str(lab.state)}
    argv = [sys.executable, "-m", "pytest", str(root / "tests" / "lab"), *options]
    return subprocess.run(argv, cwd=root, env=environment, timeout=3600).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
