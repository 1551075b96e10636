"""The commands that a simulated machine knows. Each prints what the real one prints on the distributions we manage."""

from __future__ import annotations

import base64
import hashlib
import shlex

from autorke.sim.machine import ansible, answer, script, system
from autorke.sim.machine.result import Command, Result, Run

NOT_FOUND = 127


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
    done = ansible.understand(run, text)
    return done if done is not None else _interpreted(text)


def _interpreted(text: str) -> Result | None:
    ran = script.interpret(text)
    return Result(ran.code, ran.stdout, ran.stderr, ran.seconds) if ran else None


def shell_line(run: Run, text: str) -> Result:
    """A line for the shell, as Ansible's `shell` module sends it."""
    if "/sys/bus/pci/devices/" in text and "0x10de" in text:
        return Result(0, "0x10de\n") if run.host.facts.gpus else Result(1)
    return _interpreted(text) or _unknown(run, text)


def execute(run: Run) -> Result:
    """Run a command that stands in the table; NOT_FOUND is its exit code when it does not."""
    command = COMMANDS.get(run.words[0].rpartition("/")[2]) if run.words else None
    result = command(run) if command else None
    return result if result is not None else _unknown(run, shlex.join(run.words))


def _unknown(run: Run, line: str) -> Result:
    run.host.world.record.count(run.host.name, "unknown_commands")
    run.host.world.record.note(run.host.name, "exec.unknown", command=line[:300])
    return Result(NOT_FOUND, stderr=f"sh: 1: {line.partition(' ')[0]}: not found\n")


def reads_input(words: list[str]) -> bool:
    """Whether a command waits for its standard input."""
    name = words[0].rpartition("/")[2] if words else ""
    if name in {"sh", "bash"}:
        text = words[2] if len(words) > 2 and words[1] == "-c" else ""
        return words[1:2] == ["-s"] or "write_file" in words or ansible.wants_input(text)
    return name in {"tee", "dd"} or (name in {"cat", "base64"} and len(words) == 1)


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


def _dd(run: Run) -> Result | None:
    """`dd of=PATH`: how Ansible puts a file where there is no sftp."""
    target = next((word.removeprefix("of=") for word in run.args if word.startswith("of=")), None)
    if target is None:
        return None
    run.host.files.write(target, run.stdin)
    return Result()


COMMANDS: dict[str, Command] = {
    "dd": _dd,
    "sh": _sh,
    "bash": _sh,
    "true": lambda _run: Result(),
    ":": lambda _run: Result(),
    "false": lambda _run: Result(1),
    "echo": lambda run: Result(0, " ".join(run.args) + "\n"),
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
    **system.COMMANDS,
}
