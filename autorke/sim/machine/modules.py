"""What Ansible's modules do to a simulated machine. Each takes parameters and answers as the module would in JSON."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autorke.sim.machine.result import Run

if TYPE_CHECKING:
    from autorke.sim.machine.host import Host

Answer = dict[str, Any]
PROGRAMS = {"/usr/bin/docker", "/usr/bin/dockerd"}
FAMILIES = {"debian": "Debian", "ubuntu": "Debian", "centos": "RedHat", "rhel": "RedHat", "rocky": "RedHat"}
DISTRIBUTIONS = {"debian": "Debian", "ubuntu": "Ubuntu", "centos": "CentOS", "rhel": "RedHat", "rocky": "Rocky"}


@dataclass(frozen=True)
class Call:
    """One module call: the command that carries it, and the module's own parameters."""

    run: Run
    params: dict[str, Any]

    @property
    def host(self) -> Host:
        return self.run.host

    def text(self, *names: str) -> str:
        """The first parameter of these names that is set."""
        return next((str(self.params[name]) for name in names if self.params.get(name) is not None), "")

    def names(self, name: str) -> list[str]:
        value = self.params.get(name) or []
        return [word.strip() for word in value.split(",")] if isinstance(value, str) else [str(word) for word in value]


Module = Callable[[Call], Answer]


def subject(call: Call) -> str:
    """What a call is about, for the journal."""
    return call.text("dest", "path", "name", "_raw_params") or " ".join(call.names("argv"))


def _setup(call: Call) -> Answer:
    facts = call.host.facts
    family = FAMILIES.get(facts.os.id, "Linux")
    major = facts.os.version_id.partition(".")[0]
    primary = facts.interfaces[0] if facts.interfaces else None
    found: Answer = {
        "os_family": family,
        "distribution": DISTRIBUTIONS.get(facts.os.id, facts.os.id),
        "distribution_version": facts.os.version_id,
        "distribution_major_version": major,
        "distribution_release": facts.os.codename,
        "pkg_mgr": "apt" if family == "Debian" else "yum" if major == "7" else "dnf",
        "service_mgr": "systemd",
        "system": "Linux",
        "kernel": facts.kernel,
        "architecture": facts.arch,
        "hostname": facts.hostname.partition(".")[0],
        "nodename": facts.hostname,
        "fqdn": facts.fqdn or facts.hostname,
        "machine_id": facts.machine_id,
        "processor_vcpus": facts.cpus,
        "memtotal_mb": facts.memory_mb,
        "swaptotal_mb": sum(swap.size_kb for swap in facts.swap) // 1024,
        "all_ipv4_addresses": [nic.address for nic in facts.interfaces],
        "all_ipv6_addresses": [],
        "interfaces": ["lo", *(nic.name for nic in facts.interfaces)],
        "default_ipv4": {"address": primary.address, "interface": primary.name} if primary else {},
        "user_id": call.run.user,
        "python_version": facts.python3 or "",
        "virtualization_role": "host",
    }
    return {"ansible_facts": {f"ansible_{key}": value for key, value in found.items()} | {"gather_subset": ["min"]}}


def _command(call: Call) -> Answer:
    """`command` and `shell`."""
    from autorke.sim.machine import commands  # commands and modules need each other

    argv = call.names("argv")
    text = call.text("_raw_params")
    if call.params.get("_uses_shell"):
        done = commands.shell_line(call.run, text)
        shown: Any = text
    else:
        argv = argv or text.split()
        done = commands.execute(Run(call.host, call.run.user, argv))
        shown = argv
    if done.code == commands.NOT_FOUND:
        return {"failed": True, "rc": 2, "cmd": shown, "msg": f"[Errno 2] No such file or directory: {shown!r}"}
    out, err = done.stdout.rstrip("\n"), done.stderr.rstrip("\n")
    answer: Answer = {
        "changed": True,
        "cmd": shown,
        "rc": done.code,
        "stdout": out,
        "stderr": err,
        "delta": "0:00:00.01",
    }
    return answer | ({"failed": True, "msg": "non-zero return code"} if done.code else {})


def _stat(call: Call) -> Answer:
    path = call.text("path")
    host = call.host
    file, folder = host.files.get(path), host.files.is_dir(path)
    made_up = path in PROGRAMS and host.facts.docker.installed
    if file is None and not folder and not made_up and host.read(path) is None:
        return {"stat": {"exists": False}}
    data = host.read(path) or b""
    mode = file.mode if file else 0o755
    known: Answer = {
        "exists": True,
        "path": path,
        "isdir": folder and file is None,
        "isreg": not folder,
        "islnk": False,
    }
    known |= {"mode": f"{mode:04o}", "size": len(data), "uid": 0, "gid": 0, "pw_name": "root", "gr_name": "root"}
    known |= {"readable": True, "writeable": True, "executable": bool(mode & 0o111)}
    if call.params.get("get_checksum", True) and not folder:
        known["checksum"] = hashlib.sha1(data).hexdigest()  # noqa: S324 - Ansible's own algorithm
    return {"stat": known}


def _mode(call: Call, default: int) -> int:
    given = call.params.get("mode")
    return int(str(given), 8) if given is not None and str(given).isdigit() else default


def _file(call: Call) -> Answer:
    path, state = call.text("path", "dest", "name"), call.text("state") or "file"
    tree = call.host.files
    if state == "absent":
        return {"changed": tree.remove(path), "path": path, "state": "absent"}
    if state == "directory":
        fresh = not tree.is_dir(path)
        if fresh:
            tree.make_dir(path)
        return {"changed": fresh, "path": path, "state": "directory", "mode": f"{_mode(call, 0o755):04o}"}
    file = tree.get(path)
    if file is None:
        return {"failed": True, "msg": f"file ({path}) is absent, cannot continue", "path": path}
    changed = _mode(call, file.mode) != file.mode
    if changed:
        tree.chmod(path, _mode(call, file.mode))
    return {"changed": changed, "path": path, "state": "file"}


def _copy(call: Call) -> Answer:
    tree = call.host.files
    source, target = call.text("src"), call.text("dest")
    data = tree.read(source)
    if data is None:
        return {"failed": True, "msg": f"Source {source} not found"}
    if not tree.is_dir(target.rpartition("/")[0] or "/"):
        return {"failed": True, "msg": f"Destination directory {target.rpartition('/')[0]} does not exist"}
    old = tree.get(target)
    if old is not None and call.params.get("force") is False:
        return {"changed": False, "dest": target}
    mode = _mode(call, old.mode if old else 0o644)
    changed = old is None or (old.data, old.mode) != (data, mode)
    tree.write(target, data, mode, call.run.user)
    digest = hashlib.sha1(data).hexdigest()  # noqa: S324 - Ansible's own algorithm
    return {
        "changed": changed,
        "dest": target,
        "checksum": digest,
        "mode": f"{mode:04o}",
        "size": len(data),
        "state": "file",
    }


def _slurp(call: Call) -> Answer:
    path = call.text("src", "path")
    data = call.host.read(path)
    if data is None:
        return {"failed": True, "msg": f"file not found: {path}"}
    return {"content": base64.b64encode(data).decode(), "source": path, "encoding": "base64"}


def _replace(call: Call) -> Answer:
    path = call.text("path")
    data = call.host.read(path)
    if data is None:
        return {"failed": True, "rc": 257, "msg": f"Path {path} does not exist !"}
    text, count = re.subn(call.text("regexp"), call.text("replace"), data.decode(), flags=re.MULTILINE)
    changed = text != data.decode()
    if changed:
        call.host.files.write(path, text.encode(), 0o644)
    return {"changed": changed, "msg": f"{count} replacements made" if changed else ""}


def _line_in_file(call: Call) -> Answer:
    path, line = call.text("path", "dest"), call.text("line")
    data = call.host.read(path)
    if data is None and not call.params.get("create"):
        return {"failed": True, "rc": 257, "msg": f"Destination {path} does not exist !"}
    lines = (data or b"").decode().splitlines()
    pattern = call.text("regexp")
    at = next((n for n, old in enumerate(lines) if pattern and re.search(pattern, old)), None)
    if line in lines and (at is None or lines[at] == line):
        return {"changed": False, "msg": ""}
    if at is None:
        lines.append(line)
    else:
        lines[at] = line
    call.host.files.write(path, ("\n".join(lines) + "\n").encode(), _mode(call, 0o644))
    return {"changed": True, "msg": "line added" if at is None else "line replaced"}


def _packages(call: Call) -> Answer:
    """apt, yum, dnf: a package is installed when its marker file lies there; Docker's bring the engine."""
    host, wanted = call.host, call.names("name") or call.names("pkg")
    marker = "/var/lib/autorke-sim/packages"
    present = {name for name in wanted if host.files.get(f"{marker}/{name}")}
    if host.facts.docker.installed:
        present |= {name for name in wanted if name.startswith(("docker", "containerd"))}
    if call.text("state") == "absent":
        for name in present:
            host.files.remove(f"{marker}/{name}")
        return {"changed": bool(present)}
    missing = [name for name in wanted if name not in present]
    if missing and host.facts.docker.registry == "unreachable":
        return {"failed": True, "msg": f"No package matching '{missing[0]}' is available"}
    for name in missing:
        host.files.write(f"{marker}/{name}", b"", 0o644)
    if any(name.startswith("docker") for name in missing):
        host.facts = host.facts.model_copy(
            update={"docker": host.facts.docker.model_copy(update={"installed": True, "running": True})}
        )
    if any(name.startswith("nvidia-driver") for name in missing):
        host.facts = host.facts.model_copy(
            update={"gpus": [gpu.model_copy(update={"driver": "535.161.08"}) for gpu in host.facts.gpus]}
        )
    return {"changed": bool(missing), "_seconds": host.world.timing.package_seconds if missing else 0.0}


def _service(call: Call) -> Answer:
    """systemd and sysvinit: only Docker's state matters here."""
    name, state = call.text("name").removesuffix(".service"), call.text("state")
    docker = call.host.facts.docker
    if name != "docker":
        return {"changed": False, "name": name, "state": state}
    if not docker.installed:
        return {"failed": True, "msg": f"Could not find the requested service {name}: host"}
    run = {"started": True, "stopped": False}.get(state, docker.running)
    changed = state in {"restarted", "reloaded"} or run != docker.running
    call.host.facts = call.host.facts.model_copy(
        update={"docker": docker.model_copy(update={"running": run or state == "restarted"})}
    )
    return {"changed": changed, "name": name, "state": state, "enabled": True, "status": {"ActiveState": "active"}}


def _user(call: Call) -> Answer:
    wanted = set(call.names("groups"))
    facts = call.host.facts
    changed = not wanted <= set(facts.groups)
    if changed:
        call.host.facts = facts.model_copy(update={"groups": sorted({*facts.groups, *wanted})})
    return {"changed": changed, "name": call.text("name"), "groups": ",".join(sorted(wanted)), "append": True}


def _get_url(call: Call) -> Answer:
    target = call.text("dest")
    fresh = call.host.files.get(target) is None
    if fresh:
        call.host.files.write(target, f"fetched from {call.text('url')}\n".encode(), _mode(call, 0o644))
    return {"changed": fresh, "dest": target, "url": call.text("url"), "status_code": 200, "msg": "OK"}


def _yum_repository(call: Call) -> Answer:
    path = f"/etc/yum.repos.d/{call.text('file', 'name')}.repo"
    text = f"[{call.text('name')}]\nbaseurl = {call.text('baseurl')}\nname = {call.text('description')}\n".encode()
    changed = call.host.files.read(path) != text
    call.host.files.write(path, text, 0o644)
    return {"changed": changed, "repo": call.text("name"), "state": "present"}


MODULES: dict[str, Module] = {
    "setup": _setup,
    "ping": lambda _call: {"ping": "pong"},
    "command": _command,
    "stat": _stat,
    "file": _file,
    "copy": _copy,
    "slurp": _slurp,
    "replace": _replace,
    "lineinfile": _line_in_file,
    "apt": _packages,
    "yum": _packages,
    "dnf": _packages,
    "systemd": _service,
    "systemd_service": _service,
    "service": _service,
    "user": _user,
    "get_url": _get_url,
    "yum_repository": _yum_repository,
}
