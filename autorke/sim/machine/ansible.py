"""Ansible as a simulated machine meets it: shell lines of its ssh plugin, and modules that arrive as Python programs.

A module is not run. Its name and parameters are read out of the program that Ansible sent, and `modules` does to the
machine's state what the module would do to a real one, and answers in its words.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
from typing import TYPE_CHECKING, Any

from autorke.sim.machine import modules
from autorke.sim.machine.result import Result, Run

if TYPE_CHECKING:
    from autorke.sim.machine.host import Host

PYTHON = "/usr/bin/python3"
_TAIL = re.compile(r"\s*&& sleep 0\s*$")
_BECOME = re.compile(
    r"sudo (?P<options>(?:-\S+\s+)*?)(?:-p \S+\s+)?-u (?P<user>\S+)\s+/bin/sh -c (?P<inner>.+)", re.DOTALL
)
_PYTHON = re.compile(r"(?:\S+=\S*\s+)*(?P<python>/\S*python[0-9.]*)(?:\s+(?P<file>/\S+))?")
_MODULE = re.compile(r"mod_name='ansible\.modules\.([a-z_0-9]+)'")
_PARAMS = re.compile(r"^\s*ANSIBALLZ_PARAMS = (.+)$", re.MULTILINE)


def wants_input(text: str) -> bool:
    """Whether a shell line of Ansible reads its standard input: a pipelined module."""
    return "python" in text and "echo FOUND" not in text


def greeting(run: Run) -> str:
    """What sudo's shell prints before the module may be sent: Ansible waits for it. Empty for any other command."""
    found = re.search(r"echo (BECOME-SUCCESS-[a-z]+) ;", run.words[2]) if len(run.words) == 3 else None
    return f"{found[1]}\n" if found and _may_become(run) else ""


def _may_become(run: Run) -> bool:
    return run.user == "root" or run.host.facts.sudo == "nopasswd"


def understand(run: Run, text: str) -> Result | None:
    """Answer one shell line; None when it is none of Ansible's."""
    line = _TAIL.sub("", text.strip())
    become = _BECOME.fullmatch(line)
    if become is not None:
        return _become(run, become["user"], become["inner"])
    if line.startswith("echo PLATFORM;"):
        return Result(0, f"PLATFORM\nLinux\nFOUND\n{PYTHON}\nENDFOUND\n")
    if line.startswith("( umask 77 && mkdir -p"):
        return _make_temporary(run, line)
    program = _PYTHON.fullmatch(line)
    if program is not None:
        source = run.host.files.read(program["file"]) if program["file"] else run.stdin
        return _python(run, (source or b"").decode(errors="replace"))
    return _plain(run, line)


def _become(run: Run, user: str, inner: str) -> Result | None:
    """`sudo … /bin/sh -c 'echo BECOME-SUCCESS-x ; COMMAND'`."""
    if not _may_become(run):
        return Result(1, stderr="sudo: a password is required\n")
    words = shlex.split(inner)
    said, _, command = words[0].partition(" ; ") if len(words) == 1 else ("", "", "")
    if not said.startswith("echo BECOME-SUCCESS-"):
        return None
    return understand(Run(run.host, user, run.words, run.stdin), command)


def _home(user: str) -> str:
    return "/root" if user == "root" else f"/home/{user}"


def _make_temporary(run: Run, line: str) -> Result | None:
    """The private directory of one task; its name is printed as `name=path`."""
    found = re.search(r'echo ([A-Za-z0-9._-]+)="` echo (\S+) `"', line)
    if found is None:
        return None
    path = found[2].replace("~", _home(run.user), 1)
    run.host.files.make_dir(path)
    return Result(0, f"{found[1]}={path}\n")


def _plain(run: Run, line: str) -> Result | None:
    try:
        words = shlex.split(line.replace("> /dev/null 2>&1", ""))
    except ValueError:
        return None
    if len(words) == 2 and words[0] == "echo" and words[1].startswith("~"):
        return Result(0, _home(words[1][1:] or run.user) + "\n")
    if words[:3] == ["rm", "-f", "-r"]:
        for path in words[3:]:
            run.host.files.remove(path)
        return Result()
    if words[:1] == ["chmod"] and words[1:2] in (["u+x"], ["u+rx"], ["u+rwx"]):
        return Result()
    return None


def _python(run: Run, source: str) -> Result:
    if "platform_dist_result" in source:
        content = (run.host.read("/etc/os-release") or b"").decode()
        return Result(0, json.dumps({"platform_dist_result": [], "osrelease_content": content}) + "\n")
    module, given = _MODULE.search(source), _PARAMS.search(source)
    if module is None or given is None:
        return _failed(run.host, "this is no module of Ansible")
    params: dict[str, Any] = json.loads(ast.literal_eval(given[1]))["ANSIBLE_MODULE_ARGS"]
    fault = run.host.strike("ansible", module[1])
    if fault is not None and fault.kind == "fail":
        return Result(1, json.dumps({"failed": True, "msg": fault.text}) + "\n")
    if fault is not None and fault.kind == "die":
        run.host.die()
    call = modules.Call(run, {key: value for key, value in params.items() if not key.startswith("_ansible_")})
    perform = modules.MODULES.get(module[1])
    if perform is None:
        return _failed(run.host, f"a simulated machine does not know the module {module[1]}")
    answer = perform(call)
    seconds = float(answer.pop("_seconds", 0.0))
    answer.setdefault("changed", False)
    answer["invocation"] = {"module_args": call.params}
    if answer["changed"] and module[1] != "command":
        run.host.world.record.note(run.host.name, f"ansible.{module[1]}", what_changed=modules.subject(call))
    return Result(1 if answer.get("failed") else 0, json.dumps(answer) + "\n", seconds=seconds)


def _failed(host: Host, message: str) -> Result:
    host.world.record.count(host.name, "unknown_commands")
    host.world.record.note(host.name, "exec.unknown", command=message)
    return Result(1, json.dumps({"failed": True, "msg": message}) + "\n")
