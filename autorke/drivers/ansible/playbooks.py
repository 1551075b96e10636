"""Where our playbooks are, and what they will do, for a person who approves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

CONTENT = Path(__file__).parent / "content"


def playbook_path(name: str) -> Path:
    """The file of one of our playbooks. Raises KeyError for a name that is not one."""
    known = {path.stem: path for path in CONTENT.glob("*.yml")}
    return known[name]


def tasks_of(name: str) -> list[dict[str, str]]:
    """Role and name of every task in the order in which they run, skipped ones included."""
    play = yaml.safe_load(playbook_path(name).read_text())[0]
    found = [{"role": "", "task": str(task["name"])} for task in play.get("pre_tasks", [])]
    for entry in play.get("roles", []):
        role = entry["role"] if isinstance(entry, dict) else entry
        found += [{"role": role, "task": title} for title in _titles(CONTENT / "roles" / role / "tasks" / "main.yml")]
    return found + [{"role": "", "task": str(task["name"])} for task in play.get("post_tasks", [])]


def _titles(path: Path) -> list[str]:
    """Names of the tasks of a file, blocks and static includes opened."""
    return list(_walk(yaml.safe_load(path.read_text()) or [], path.parent))


def _walk(tasks: list[dict[str, Any]], folder: Path) -> list[str]:
    found: list[str] = []
    for task in tasks:
        included = task.get("ansible.builtin.include_tasks") or task.get("ansible.builtin.import_tasks")
        if "block" in task:
            found += _walk(task["block"], folder)
        elif isinstance(included, str) and (folder / included).is_file():
            found += _titles(folder / included)
        elif "name" in task:
            found.append(str(task["name"]))
    return found
