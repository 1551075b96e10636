"""The Docker Engine that runs the machines: own data, socket, containerd namespace and bridge, no NAT, no firewall."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

from lablib.process import log, run, succeeds, wait_until
from lablib.settings import BRIDGE, GATEWAY, HERE, SUBNET, Lab, LabError

CGROUP_PARENT = "/autorke-lab"
NETWORK = "autorke-lab"
FORWARD_RULE = ("FORWARD", "-i", BRIDGE, "-o", BRIDGE, "-j", "ACCEPT")
CAP_SYS_RESOURCE = 24


def needs_shim() -> bool:
    """Whether this computer withholds CAP_SYS_RESOURCE, so that runc refuses privileged containers."""
    status = Path("/proc/self/status").read_text()
    bounding = next(line.split()[1] for line in status.splitlines() if line.startswith("CapBnd:"))
    return not int(bounding, 16) >> CAP_SYS_RESOURCE & 1


def docker(lab: Lab, *args: str | Path, seconds: float = 180) -> str:
    """Run the docker client against the lab's own engine."""
    return run(["docker", "-H", lab.socket, *args], seconds=seconds)


def start(lab: Lab) -> None:
    """Start the engine and its bridge, if they are not there. Raises LabError when the bridge is another lab's."""
    directory = lab.state / "engine"
    directory.mkdir(parents=True, exist_ok=True)
    if not answers(lab):
        log.info("starting a Docker Engine of the lab's own in %s", directory)
        (directory / "daemon.json").write_text(json.dumps(_configuration(lab), indent=1))
        _spawn(directory)
        wait_until("Docker Engine of the lab", lambda: answers(lab), seconds=180)
    if not succeeds(["docker", "-H", lab.socket, "network", "inspect", NETWORK]):
        if succeeds(["ip", "link", "show", BRIDGE]):
            raise LabError(f"{BRIDGE} is there already: another lab runs on this computer, or left it; `down` that one")
        name = f"com.docker.network.bridge.name={BRIDGE}"
        docker(lab, "network", "create", "--subnet", SUBNET, "--gateway", GATEWAY, "--opt", name, NETWORK)
    # Where a system Docker set the FORWARD policy to DROP and bridges are filtered, machines need this to talk.
    if not succeeds(["iptables", "-w", "-C", *FORWARD_RULE]):
        run(["iptables", "-w", "-I", *FORWARD_RULE])


def answers(lab: Lab) -> bool:
    """Whether the engine is up."""
    socket = lab.socket.removeprefix("unix://")
    return Path(socket).exists() and succeeds(["docker", "-H", lab.socket, "version"])


def pid(lab: Lab) -> int | None:
    """Process id of the engine, None if it is not running (a stale pid file does not count)."""
    try:
        number = int((lab.state / "engine" / "docker.pid").read_text())
        command = Path(f"/proc/{number}/cmdline").read_text()
    except (OSError, ValueError):
        return None
    return number if str(lab.state) in command else None


def stop(lab: Lab) -> None:
    """Remove all machines with their volumes, then the bridge, then end the engine. Safe to repeat."""
    if answers(lab):
        if containers := docker(lab, "ps", "--all", "--quiet").split():
            docker(lab, "rm", "--force", "--volumes", *containers, seconds=600)
        if succeeds(["docker", "-H", lab.socket, "network", "inspect", NETWORK]):
            docker(lab, "network", "rm", NETWORK)
    if number := pid(lab):
        os.kill(number, signal.SIGTERM)
        wait_until("end of the lab's Docker Engine", lambda: pid(lab) is None, seconds=180)
    if succeeds(["ip", "link", "show", BRIDGE]):
        run(["ip", "link", "delete", BRIDGE])
    while shutil.which("iptables") and succeeds(["iptables", "-w", "-C", *FORWARD_RULE]):
        run(["iptables", "-w", "-D", *FORWARD_RULE])


def _configuration(lab: Lab) -> dict[str, object]:
    """daemon.json of the engine; copies the runtime shim beside it where this computer needs it."""
    directory = lab.state / "engine"
    settings: dict[str, object] = {
        "data-root": str(directory / "data"),
        "exec-root": str(directory / "exec"),
        "pidfile": str(directory / "docker.pid"),
        "hosts": [lab.socket],
        "bridge": "none",
        "iptables": False,
        "ip-forward": False,
        "ip-masq": False,
        "cgroup-parent": CGROUP_PARENT,
        "log-level": "warn",
    }
    if needs_shim():
        for name in ("runc-shim", "runc-shim.py"):
            shutil.copy(HERE / "images" / "machine" / name, directory / name)
        settings |= {"runtimes": {"lab-runc": {"path": str(directory / "runc-shim")}}, "default-runtime": "lab-runc"}
    return settings


def _spawn(directory: Path) -> None:
    """Start dockerd detached. Raises LabError with its last lines if it ends at once."""
    log_file = directory / "dockerd.log"
    # Namespaces of its own keep it apart from the containers of a containerd that the system may run.
    namespaces = ["--containerd-namespace", "autorke-lab", "--containerd-plugins-namespace", "autorke-lab-plugins"]
    with log_file.open("ab") as output:
        process = subprocess.Popen(
            ["dockerd", "--config-file", str(directory / "daemon.json"), *namespaces],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        process.wait(timeout=2)
    except subprocess.TimeoutExpired:
        return
    raise LabError(f"dockerd ended with exit {process.returncode}:\n{log_file.read_text()[-2000:]}")
