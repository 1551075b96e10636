"""The machines: containers of the lab's engine that are reached over SSH only, each with a Docker Engine inside."""

import concurrent.futures
from collections.abc import Callable, Sequence
from pathlib import Path

from lablib import images
from lablib.engine import NETWORK, docker, needs_shim
from lablib.process import log, run, succeeds, wait_until
from lablib.settings import GATEWAY, MACHINE, MACHINES, SSH_USER, Lab, Machine


def ensure_keys(lab: Lab) -> None:
    """The user's key and one host key per machine; they outlive a rebuilt machine, so pins stay valid."""
    files = [lab.ssh_key, *(host_key_file(lab, machine) for machine in MACHINES)]
    for file in files:
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"{SSH_USER}@autorke-lab", "-f", file])
    lines = [f"{machine.address} {host_key(lab, machine)}\n" for machine in MACHINES]
    lab.known_hosts.write_text("".join(lines))


def host_key_file(lab: Lab, machine: Machine) -> Path:
    """Private host key of a machine, on this computer."""
    return lab.state / "host_keys" / machine.name


def host_key(lab: Lab, machine: Machine) -> str:
    """Public host key, as `type base64`."""
    kind, key = host_key_file(lab, machine).with_suffix(".pub").read_text().split()[:2]
    return f"{kind} {key}"


def ssh_argv(lab: Lab, machine: Machine, *options: str) -> list[str]:
    """Arguments of ssh up to and with the host: pinned host key, our key only, no questions."""
    pairs = {
        "UserKnownHostsFile": str(lab.known_hosts),
        "StrictHostKeyChecking": "yes",
        "IdentitiesOnly": "yes",
        "BatchMode": "yes",
        "ConnectTimeout": "30",
    }
    words = [word for name, value in pairs.items() for word in ("-o", f"{name}={value}")]
    return ["ssh", "-F", "none", "-i", str(lab.ssh_key), *words, *options, f"{SSH_USER}@{machine.address}"]


def on(lab: Lab, machine: Machine, command: str, *, seconds: float = 180) -> str:
    """Run a fixed shell command on a machine, return its output."""
    return run([*ssh_argv(lab, machine), command], seconds=seconds)


def ensure(lab: Lab, wanted: Sequence[Machine] = MACHINES) -> None:
    """Start those machines that are not running, wait for SSH and Docker, load the cluster's images."""
    running = docker(lab, "ps", "--format", "{{.Names}}").split()
    absent = [machine for machine in wanted if machine.name not in running]
    if absent:
        log.info("starting machines: %s", " ".join(machine.name for machine in absent))
    for machine in absent:
        _start(lab, machine)
    for machine in wanted:
        wait_until(f"SSH and Docker on {machine.name}", _docker_answers(lab, machine), seconds=300)
    _in_parallel(lambda machine: _load_images(lab, machine), wanted)


def rebuild(lab: Lab, wanted: Sequence[Machine]) -> None:
    """Replace machines by fresh ones: nothing of the old disk stays, address and host key do."""
    _in_parallel(lambda machine: _remove(lab, machine), wanted)
    ensure(lab, wanted)


def _start(lab: Lab, machine: Machine) -> None:
    _remove(lab, machine)
    key = host_key_file(lab, machine)
    argv: list[str | Path] = ["run", "--detach", "--init", "--privileged", "--name", machine.name]
    argv += ["--hostname", machine.name, "--network", NETWORK, "--ip", machine.address]
    argv += ["--env", f"LAB_AUTHORIZED_KEY={lab.ssh_key.with_suffix('.pub').read_text().strip()}"]
    argv += ["--env", f"LAB_RUNC_SHIM={int(needs_shim())}", "--env", f"LAB_GATEWAY={GATEWAY}"]
    argv += ["--volume", f"{key}:/etc/ssh/ssh_host_ed25519_key:ro"]
    argv += ["--volume", f"{key.with_suffix('.pub')}:/etc/ssh/ssh_host_ed25519_key.pub:ro"]
    docker(lab, *argv, MACHINE)


def _remove(lab: Lab, machine: Machine) -> None:
    _loaded_mark(lab, machine).unlink(missing_ok=True)
    if succeeds(["docker", "-H", lab.socket, "inspect", machine.name]):
        docker(lab, "rm", "--force", "--volumes", machine.name)


def _docker_answers(lab: Lab, machine: Machine) -> Callable[[], bool]:
    return lambda: succeeds([*ssh_argv(lab, machine), "docker version"])


def _load_images(lab: Lab, machine: Machine) -> None:
    """Load the cluster's images unless the machine has this very build of them."""
    _, archive = images.archives(lab)
    mark = _loaded_mark(lab, machine)
    if not mark.exists() or mark.read_text() != archive.name:
        log.info("loading the cluster's images into %s", machine.name)
        images.load_into(ssh_argv(lab, machine), archive)
        mark.write_text(archive.name)


def _loaded_mark(lab: Lab, machine: Machine) -> Path:
    """Names the archive whose images a machine has; gone when the machine is."""
    return lab.state / f"images-in-{machine.name}"


def _in_parallel(work: Callable[[Machine], None], wanted: Sequence[Machine]) -> None:
    """Run `work` for each machine at once; the first failure is raised when all have ended."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=len(wanted)) as pool:
        for future in [pool.submit(work, machine) for machine in wanted]:
            future.result()
