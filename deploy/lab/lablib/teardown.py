"""Takes the lab down and proves that nothing of it is left on this computer. The cache stays."""

import contextlib
import os
import shutil
import signal
from functools import partial
from pathlib import Path

from lablib import engine, events, kernel
from lablib.process import log, run, succeeds, wait_until
from lablib.settings import BRIDGE, Lab, LabError


def down(lab: Lab) -> None:
    """Remove machines, engine, bridge, rules, mounts and files. Safe to repeat. Raises LabError if something stays."""
    events.stop(lab)
    engine.stop(lab)
    _end_ssh(lab)
    with contextlib.suppress(LabError):  # before their files go: containerd would write them anew; `remains` names them
        wait_until("end of the lab's processes", lambda: not _processes(lab), seconds=120)
    for mount in _mounts(lab):
        run(["umount", "--lazy", mount])
    for group in _cgroups():
        wait_until(f"end of what runs in {group.name}", partial(_removed, group), seconds=120)
    kernel.restore(lab)
    shutil.rmtree(lab.state, ignore_errors=True)
    if rest := remains(lab):
        raise LabError("left behind:\n" + "\n".join(rest))
    log.info("the lab is down; the cache stays in %s", lab.cache)


def remains(lab: Lab) -> list[str]:
    """Everything of the lab that is still on this computer: processes, mounts, interface, rules, cgroups, files."""
    found = [f"process {number} {command}" for number, command in _processes(lab).items()]
    found += [f"mount {mount}" for mount in _mounts(lab)]
    found += [f"cgroup {group}" for group in _cgroups()]
    if succeeds(["ip", "link", "show", BRIDGE]):
        found.append(f"interface {BRIDGE}")
    if shutil.which("iptables-save"):
        found += [f"iptables {rule}" for rule in run(["iptables-save"]).splitlines() if BRIDGE in rule]
    if lab.state.exists():
        found.append(f"directory {lab.state}")
    return found


def _mounts(lab: Lab) -> list[str]:
    """Mount points below the state directory, deepest first."""
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return sorted((point for point in points if point.startswith(f"{lab.state}/")), key=len, reverse=True)


def _removed(group: Path) -> bool:
    """Remove a control group; False while a dying process is still counted in it."""
    try:
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _cgroups() -> list[Path]:
    """Control groups of the lab's machines, deepest first."""
    name = engine.CGROUP_PARENT.strip("/")
    tops = [*Path("/sys/fs/cgroup").glob(name), *Path("/sys/fs/cgroup").glob(f"*/{name}")]
    groups = [path for top in tops for path in [top, *top.rglob("*")] if path.is_dir()]
    return sorted(groups, key=lambda path: len(path.parts), reverse=True)


def _end_ssh(lab: Lab) -> None:
    """End connections to machines that are gone, left by a lab command or an Ansible that was killed."""
    for number, command in _processes(lab).items():
        if command.split()[0].rpartition("/")[2].startswith("ssh"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGTERM)


def _processes(lab: Lab) -> dict[int, str]:
    """Process id -> command of every process whose command line names the state directory."""
    found = {}
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if f"{lab.state}/" in command:
            found[int(file.parent.name)] = command[:120]
    return found
