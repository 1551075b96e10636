"""What a check says: a finding of a rule, the result it becomes, and the report of all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from autorke.checks.facts import NodeFacts
from autorke.core.canonical import sha256_hex
from autorke.core.errors import Text

LONGEST_TEXT = 1500


class Level(str, Enum):
    """`error` blocks the step, `warning` is shown, `unknown` could not be found out and is shown."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"
    UNKNOWN = "unknown"


NOTHING = Text(zh="", en="")


@dataclass(frozen=True)
class Finding:
    """What one rule found. `level` None means: the level of the check in the table."""

    seen: Text
    remedy: Text = NOTHING
    level: Level | None = None


def fine(zh: str, en: str) -> Finding:
    """All is well, and this is what was seen."""
    return Finding(Text(zh=zh, en=en), level=Level.OK)


def fault(seen: Text, remedy: Text, *, level: Level | None = None) -> Finding:
    return Finding(seen, remedy, level)


def unknown(seen: Text, remedy: Text = NOTHING) -> Finding:
    """It could not be found out."""
    return Finding(seen, remedy, Level.UNKNOWN)


@dataclass(frozen=True)
class Result:
    """One check of one node, or of the cluster (`node` is then ""). `seen` and `remedy` are for people."""

    node: str
    check: str
    level: Level
    seen: Text
    remedy: Text = NOTHING

    def as_json(self) -> dict[str, Any]:
        return {
            "node": self.node,
            "check": self.check,
            "level": self.level.value,
            "seen": self.seen.as_json(),
            "remedy": self.remedy.as_json(),
        }


@dataclass(frozen=True)
class NotRun:
    """A check that had nothing to say because another one, `because`, already says why."""

    node: str
    check: str
    because: str

    def as_json(self) -> dict[str, Any]:
        return {"node": self.node, "check": self.check, "because": self.because}


@dataclass(frozen=True)
class Report:
    """All results, in the order of the table; cluster first, then the nodes in the order of the ticket."""

    results: tuple[Result, ...]
    not_run: tuple[NotRun, ...] = ()
    facts: Mapping[str, NodeFacts] = field(default_factory=dict)

    @property
    def blocked(self) -> bool:
        return any(result.level is Level.ERROR for result in self.results)

    @property
    def messages(self) -> tuple[Result, ...]:
        """The results a person must read: everything that is not ok."""
        return tuple(result for result in self.results if result.level is not Level.OK)

    def blocked_nodes(self) -> frozenset[str]:
        """Nodes with an error; every node of `facts` when the cluster itself has one."""
        failed = {result.node for result in self.results if result.level is Level.ERROR}
        return frozenset(self.facts) if "" in failed else frozenset(failed)

    def as_json(self) -> dict[str, Any]:
        """For plans and events: results, what was not run, and the stable facts they were drawn from."""
        return {
            "blocked": self.blocked,
            "results": [result.as_json() for result in self.results],
            "not_run": [item.as_json() for item in self.not_run],
            "facts": {node: stable_facts(facts) for node, facts in self.facts.items()},
        }


def stable_facts(facts: NodeFacts) -> dict[str, Any]:
    """What of a machine does not change by itself: no clocks, loads, free space or dynamic ports."""
    machine, docker = facts.machine, facts.docker
    stable: dict[str, Any] = {"unreachable": facts.unreachable["code"] if facts.unreachable else ""}
    if machine is not None:
        stable["machine"] = {
            "hostname": machine.hostname,
            "os": f"{machine.os_id} {machine.os_version}",
            "kernel": machine.kernel,
            "architecture": machine.architecture,
            "machine_id": machine.machine_id,
            "product_uuid": machine.product_uuid,
            "addresses": sorted(
                f"{it.interface} {it.address}/{it.prefix}" for it in machine.addresses if _own(it.address)
            ),
            "cas": sorted(it.sha256 for it in machine.ca_files),
            "processes": sorted(machine.processes),
            "leftovers": sorted(it.path for it in machine.leftovers),
        }
    if docker is not None:
        stable["docker"] = {
            "version": docker.version,
            "root_dir": docker.root_dir,
            "containers": sorted(it.name for it in docker.containers),
        }
    return stable


def _own(address: str) -> bool:
    return not address.startswith(("127.", "fe80:")) and address != "::1"


def facts_fingerprint(report: Report) -> str:
    """SHA-256 over what an approval was based on: the level of every check and the stable facts. Equal fingerprints
    before approval and before the run mean that nothing drifted; texts, times and free space do not count."""
    levels = sorted([result.node, result.check, result.level.value] for result in report.results)
    facts = {node: stable_facts(facts) for node, facts in report.facts.items()}
    return sha256_hex({"levels": levels, "facts": facts})


def some(names: Sequence[str], most: int = 6) -> str:
    """The first few names of a long list, and how many more there are."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} +{len(names) - most}"


def printable(text: str) -> str:
    """What a machine or a person wrote, safe to show: control and invisible characters escaped, length limited."""
    shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
    return shown if len(shown) <= LONGEST_TEXT else shown[: LONGEST_TEXT - 1] + "…"
