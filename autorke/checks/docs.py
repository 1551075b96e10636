"""Prints docs/checks.md from the table: `python -m autorke.checks.docs > docs/checks.md`."""

from __future__ import annotations

import sys

from autorke.checks.table import CHECKS, SCOPES

HEAD = """\
# Checks before workers are added

Generated from `autorke/checks/table.py` by `python -m autorke.checks.docs > docs/checks.md`; a test keeps it in step.

`error` stops the step, `warning` is shown. Before the initialise step, errors marked *init* are warnings: that step
sets these things up. A check that has something to say speaks for the checks it covers, which are then not run. A
machine that cannot be asked gives one error, `ssh-reachable`. What could not be found out is shown as `unknown` and
stops nothing. A check changes nothing: one read-only script over SSH, reads of the Docker API, connection attempts.

"""
SCOPE_TITLES = {
    "cluster": "The cluster: files, state, API, control hosts (集群)",
    "request": "What the ticket says of a machine (工单)",
    "machine": "The machine (机器)",
    "pair": "Machines of one ticket, side by side (工单内)",
}


def render() -> str:
    """The whole page."""
    parts = [HEAD, f"{len(CHECKS)} checks.\n"]
    for scope, checks in SCOPES.items():
        parts.append(f"\n## {SCOPE_TITLES[scope]}\n\n")
        parts.append(
            "| id | 校验 | check | level | source | why | covers |\n| --- | --- | --- | --- | --- | --- | --- |\n"
        )
        for check in checks:
            level = check.level.value + (" *init*" if check.initialise_mends else "")
            why = " ".join((check.rule.__doc__ or "").split())
            covers = ", ".join(f"`{name}`" for name in check.covers)
            cells = (f"`{check.id}`", check.title.zh, check.title.en, level, check.source, why, covers)
            parts.append(f"| {' | '.join(cells)} |\n")
    return "".join(parts)


if __name__ == "__main__":
    sys.stdout.write(render())
