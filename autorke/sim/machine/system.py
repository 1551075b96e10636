"""Commands about the machine itself: its names, clock, kernel, processes and Docker."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from autorke.sim.docker import programs
from autorke.sim.machine import procfs
from autorke.sim.machine.result import Command, Result, Run


def _date(run: Run) -> Result | None:
    now = procfs.now(run.host.facts)
    forms = {"+%s": f"{int(now)}", "+%s%N": f"{int(now * 1e9)}", "+%s.%N": f"{int(now)}.{int(now % 1 * 1e9):09d}"}
    wanted = run.operands[0] if run.operands else ""
    if wanted:
        return Result(0, forms[wanted] + "\n") if wanted in forms else None
    return Result(0, datetime.fromtimestamp(now, UTC).strftime("%a %b %e %H:%M:%S UTC %Y\n"))


def _uname(run: Run) -> Result:
    facts = run.host.facts
    parts = {"-r": facts.kernel, "-m": facts.arch, "-n": facts.hostname, "-s": "Linux"}
    if "-a" in run.args:
        return Result(0, f"Linux {facts.hostname} {facts.kernel} #1 SMP {facts.arch} GNU/Linux\n")
    return Result(0, " ".join(parts[word] for word in run.args if word in parts) + "\n" if run.args else "Linux\n")


def _hostname(run: Run) -> Result:
    facts = run.host.facts
    if "-f" in run.args or "--fqdn" in run.args:
        return Result(0, (facts.fqdn or facts.hostname) + "\n")
    if "-I" in run.args:
        return Result(0, " ".join(nic.address for nic in facts.interfaces) + "\n")
    return Result(0, (facts.hostname.partition(".")[0] if "-s" in run.args else facts.hostname) + "\n")


def _id(run: Run) -> Result:
    root = run.user == "root"
    groups = ["root"] if root else [run.user, *run.host.facts.groups]
    if "-u" in run.args:
        return Result(0, ("0" if root else "1000") + "\n" if "-n" not in run.args else run.user + "\n")
    if "-un" in run.args:
        return Result(0, run.user + "\n")
    if "-nG" in run.args or "-Gn" in run.args:
        return Result(0, " ".join(groups) + "\n")
    uid = 0 if root else 1000
    return Result(0, f"uid={uid}({run.user}) gid={uid}({groups[0]}) groups={','.join(groups)}\n")


def _swapoff(run: Run) -> Result:
    run.host.facts = run.host.facts.model_copy(update={"swap": []})
    _note(run, "swap.off", "-a")
    return Result()


def _modprobe(run: Run) -> Result:
    facts = run.host.facts
    dry = bool({"-n", "--dry-run"} & set(run.args))
    said = ""
    for name in run.operands:
        if name in facts.missing_modules:
            text = f"modprobe: FATAL: Module {name} not found in directory /lib/modules/{facts.kernel}\n"
            return Result(1, stderr=text)
        if name in facts.loaded_modules:
            continue
        said += f"insmod /lib/modules/{facts.kernel}/kernel/{name}.ko \n"
        if not dry:
            facts = facts.model_copy(update={"loaded_modules": [*facts.loaded_modules, name]})
            _note(run, "module.load", name)
    run.host.facts = facts
    return Result(0, said if {"-v", "--verbose"} & set(run.args) else "")


def _sysctl(run: Run) -> Result | None:
    facts = run.host.facts
    if {"--load", "-p"} & set(run.args):
        return _sysctl_load(run)
    if "-w" not in run.args:
        name = run.operands[0] if run.operands else ""
        value = facts.sysctls.get(name)
        if value is None:
            text = f"sysctl: cannot stat {procfs.sysctl_path(name)}: No such file or directory\n"
            return Result(255, stderr=text)
        return Result(0, f"{value}\n" if "-n" in run.args else f"{name} = {value}\n")
    _set_sysctls(run, dict(pair.split("=", 1) for pair in run.operands))
    return Result()


def _sysctl_load(run: Run) -> Result:
    """Apply a file. A line that begins with `-` may fail; the keys of bridges exist once br_netfilter is loaded."""
    path = run.operands[0] if run.operands else "/etc/sysctl.conf"
    data = run.host.read(path)
    if data is None:
        return Result(255, stderr=f'sysctl: cannot open "{path}": No such file or directory\n')
    wanted: dict[str, str] = {}
    for line in data.decode().splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith(("#", ";")):
            wanted[key.strip().removeprefix("-")] = value.strip()
    bridged = "br_netfilter" in run.host.facts.loaded_modules
    _set_sysctls(run, {key: value for key, value in wanted.items() if bridged or not key.startswith("net.bridge.")})
    return Result()


def _set_sysctls(run: Run, values: dict[str, str]) -> None:
    facts = run.host.facts
    changed = {key: value for key, value in values.items() if facts.sysctls.get(key) != value}
    run.host.facts = facts.model_copy(update={"sysctls": facts.sysctls | changed})
    for key in changed:
        _note(run, "sysctl.set", key)


def _note(run: Run, what: str, subject: str) -> None:
    run.host.world.record.note(run.host.name, what, path=subject)


def _docker(run: Run) -> Result | None:
    docker = run.host.facts.docker
    if not docker.installed:
        return Result(127, stderr="sh: 1: docker: not found\n")
    if not docker.running:
        return Result(1, stderr="Cannot connect to the Docker daemon at unix:///var/run/docker.sock.\n")
    if run.operands[:1] == ["version"]:
        return Result(0, docker.version + "\n")
    if run.operands[:1] == ["ps"]:
        shown = [found for found in run.host.engine.all() if "--all" in run.args or found.state == "running"]
        return Result(0, "".join(f"{found.name}\n" for found in shown))
    return None


def _dockerd(run: Run) -> Result:
    docker = run.host.facts.docker
    if not docker.installed:
        return Result(127, stderr="sh: 1: dockerd: not found\n")
    return Result(0, f"Docker version {docker.version}, build 0000000\n")


def _pgrep(run: Run) -> Result:
    pattern = run.operands[-1] if run.operands else ""
    names = [programs.service(found)[:15] for found in run.host.engine.all() if found.state == "running"]
    found = [name for name in (*names, *run.host.facts.processes) if re.fullmatch(pattern, name)]
    return Result(0 if found else 1, "".join(f"{4000 + n} {name}\n" for n, name in enumerate(found)))


COMMANDS: dict[str, Command] = {
    "whoami": lambda run: Result(0, run.user + "\n"),
    "nproc": lambda run: Result(0, f"{run.host.facts.cpus}\n"),
    "date": _date,
    "uname": _uname,
    "hostname": _hostname,
    "id": _id,
    "swapoff": _swapoff,
    "modprobe": _modprobe,
    "sysctl": _sysctl,
    "docker": _docker,
    "dockerd": _dockerd,
    "pgrep": _pgrep,
}
