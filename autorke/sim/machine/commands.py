"""The commands that a simulated machine knows. Each prints what the real one prints on the distributions we manage."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from autorke.sim.machine import answer, procfs, script

if TYPE_CHECKING:
    from autorke.sim.machine.host import Host


@dataclass(frozen=True)
class Result:
    """What a command prints, its exit code, and how many seconds it takes."""

    code: int = 0
    stdout: str = ""
    stderr: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Run:
    """One command as it is to run: `words` without sudo, by which user, with what on standard input."""

    host: Host
    user: str
    words: list[str]
    stdin: bytes = b""

    @property
    def args(self) -> list[str]:
        return self.words[1:]

    @property
    def operands(self) -> list[str]:
        """Arguments that are not options; after `--` everything is one."""
        args = self.args
        end = args.index("--") if "--" in args else len(args)
        return [word for word in args[:end] if not word.startswith("-")] + args[end + 1 :]


Command = Callable[[Run], Result | None]
"""None: this form of the command is not known here."""


def _sh(run: Run) -> Result | None:
    args = run.args
    if args[:1] == ["-s"]:
        if answer.MARK not in run.stdin:
            return None
        given = args[2:] if args[1:2] == ["--"] else args[1:]
        return Result(0, answer.facts(run.host, run.user, *given))
    if args[:1] != ["-c"] or len(args) < 2:
        return None
    text, rest = args[1], args[2:]
    if rest[:1] == ["write_file"] and "mktemp" in text:
        return _write_file(run, *rest[1:5])
    ran = script.interpret(text)
    return Result(ran.code, ran.stdout, ran.stderr, ran.seconds) if ran else None


def _write_file(run: Run, path: str, folder: str, mode: str, size: str) -> Result:
    """The ssh driver's atomic write: into a file beside the target, then renamed."""
    tree = run.host.files
    template = f"{folder}/.autorke.XXXXXXXX"
    if not tree.is_dir(folder):
        return Result(
            1,
            stderr=f"mktemp: failed to create file via template '{template}': No such file or directory\n",
        )
    if run.user != "root" and not tree.writable(folder, run.user):
        return Result(1, stderr=f"mktemp: failed to create file via template '{template}': Permission denied\n")
    disk = run.host.disk_of(folder)
    if disk is not None and disk.size_kb - disk.used_kb < len(run.stdin) / 1024:
        return Result(1, stderr="dd: error writing: No space left on device\n")
    if len(run.stdin) != int(size):
        return Result(75, stderr="input was cut short\n")
    tree.write(path, run.stdin, int(mode, 8), run.user)
    _note(run, "file.write", path)
    return Result()


def _note(run: Run, what: str, path: str) -> None:
    run.host.world.record.note(run.host.name, what, path=path)


def _cat(run: Run) -> Result:
    out, err = [], []
    for path in run.operands:
        data = run.host.read(path)
        if data is None:
            err.append(f"cat: {path}: No such file or directory\n")
        elif not _may_read(run, path):
            err.append(f"cat: {path}: Permission denied\n")
        else:
            out.append(data.decode(errors="replace"))
    if not run.operands:
        out.append(run.stdin.decode(errors="replace"))
    return Result(1 if err else 0, "".join(out), "".join(err))


def _may_read(run: Run, path: str) -> bool:
    file = run.host.files.get(path)
    return run.user == "root" or file is None or file.owner == run.user or bool(file.mode & 0o004)


def _test(run: Run) -> Result | None:
    args = [word for word in run.args if word != "]"]
    if len(args) != 2 or args[0] not in {"-e", "-f", "-d", "-r", "-s", "-L"}:
        return None
    kind, path = args
    if kind == "-L":
        file = run.host.files.get(path)
        return Result(0 if file is not None and file.target is not None else 1)
    data = run.host.read(path)
    folder = run.host.files.is_dir(path)
    there = {"-d": folder, "-f": data is not None, "-s": bool(data)}.get(kind, folder or data is not None)
    return Result(0 if there else 1)


def _mkdir(run: Run) -> Result:
    for path in run.operands:
        if run.host.files.exists(path):
            if "-p" not in run.args:
                return Result(1, stderr=f"mkdir: cannot create directory '{path}': File exists\n")
            continue
        run.host.files.make_dir(path)
        _note(run, "file.mkdir", path)
    return Result()


def _rm(run: Run) -> Result:
    force = any(word.startswith("-") and "f" in word for word in run.args)
    for path in run.operands:
        if not run.host.files.remove(path):
            if not force:
                return Result(1, stderr=f"rm: cannot remove '{path}': No such file or directory\n")
            continue
        _note(run, "file.remove", path)
    return Result()


def _mv(run: Run) -> Result:
    source, target = run.operands
    if not run.host.files.move(source, target):
        return Result(1, stderr=f"mv: cannot stat '{source}': No such file or directory\n")
    _note(run, "file.write", target)
    return Result()


def _tee(run: Run) -> Result:
    for path in run.operands:
        run.host.files.write(path, run.stdin, 0o644, run.user)
        _note(run, "file.write", path)
    return Result(0, run.stdin.decode(errors="replace"))


def _chmod(run: Run) -> Result:
    mode, *paths = run.operands
    for path in paths:
        if not run.host.files.chmod(path, int(mode, 8)):
            return Result(1, stderr=f"chmod: cannot access '{path}': No such file or directory\n")
    return Result()


def _ls(run: Run) -> Result:
    names: list[str] = []
    for path in run.operands or ["/root"]:
        if not run.host.files.exists(path):
            return Result(2, stderr=f"ls: cannot access '{path}': No such file or directory\n")
        names += run.host.files.names(path)
    return Result(0, "".join(f"{name}\n" for name in names))


def _sha256sum(run: Run) -> Result:
    out, err = [], []
    for path in run.operands:
        data = run.host.read(path)
        if data is None:
            err.append(f"sha256sum: {path}: No such file or directory\n")
        else:
            out.append(f"{hashlib.sha256(data).hexdigest()}  {path}\n")
    return Result(1 if err else 0, "".join(out), "".join(err))


def _base64(run: Run) -> Result:
    data = run.host.read(run.operands[0]) if run.operands else run.stdin
    if data is None:
        return Result(1, stderr=f"base64: {run.operands[0]}: No such file or directory\n")
    return Result(0, base64.encodebytes(data).decode())


def _stat(run: Run) -> Result | None:
    if run.args[:1] != ["-c"] or run.args[1:2] not in (["%a"], ["%s"]):
        return None
    path = run.args[-1]
    file = run.host.files.get(path)
    if file is None:
        return Result(1, stderr=f"stat: cannot statx '{path}': No such file or directory\n")
    return Result(0, f"{file.mode:o}\n" if run.args[1] == "%a" else f"{len(file.data)}\n")


def _printf(run: Run) -> Result | None:
    return Result(0, "".join(run.args[1:])) if run.args[:1] == ["%s"] else None


def _sleep(run: Run) -> Result | None:
    try:
        return Result(seconds=float(run.operands[0]))
    except (ValueError, IndexError):
        return None


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
    run.host.facts.swap = []
    _note(run, "swap.off", "-a")
    return Result()


def _modprobe(run: Run) -> Result:
    facts = run.host.facts
    for name in run.operands:
        if name in facts.missing_modules:
            return Result(
                1, stderr=f"modprobe: FATAL: Module {name} not found in directory /lib/modules/{facts.kernel}\n"
            )
        if "-n" not in run.args and name not in facts.loaded_modules:
            facts.loaded_modules = [*facts.loaded_modules, name]
            _note(run, "module.load", name)
    return Result()


def _sysctl(run: Run) -> Result | None:
    facts = run.host.facts
    if "-w" not in run.args:
        name = run.operands[0] if run.operands else ""
        value = facts.sysctls.get(name)
        if value is None:
            return Result(255, stderr=f"sysctl: cannot stat {procfs.sysctl_path(name)}: No such file or directory\n")
        return Result(0, f"{value}\n" if "-n" in run.args else f"{name} = {value}\n")
    for pair in run.operands:
        key, _, value = pair.partition("=")
        facts.sysctls = facts.sysctls | {key: value}
        _note(run, "sysctl.set", key)
    return Result()


def _docker(run: Run) -> Result | None:
    docker = run.host.facts.docker
    if not docker.installed:
        return Result(127, stderr="sh: 1: docker: not found\n")
    if run.operands[:1] == ["version"]:
        return Result(0, docker.version + "\n")
    return None


COMMANDS: dict[str, Command] = {
    "sh": _sh,
    "bash": _sh,
    "true": lambda _run: Result(),
    ":": lambda _run: Result(),
    "false": lambda _run: Result(1),
    "echo": lambda run: Result(0, " ".join(run.args) + "\n"),
    "whoami": lambda run: Result(0, run.user + "\n"),
    "nproc": lambda run: Result(0, f"{run.host.facts.cpus}\n"),
    "sync": lambda _run: Result(),
    "cat": _cat,
    "base64": _base64,
    "stat": _stat,
    "printf": _printf,
    "sleep": _sleep,
    "test": _test,
    "[": _test,
    "mkdir": _mkdir,
    "rm": _rm,
    "mv": _mv,
    "tee": _tee,
    "chmod": _chmod,
    "ls": _ls,
    "sha256sum": _sha256sum,
    "date": _date,
    "uname": _uname,
    "hostname": _hostname,
    "id": _id,
    "swapoff": _swapoff,
    "modprobe": _modprobe,
    "sysctl": _sysctl,
    "docker": _docker,
}
