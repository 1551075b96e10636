"""Take what this machine cannot grant out of an OCI process description, then run the real runc.

Without CAP_SYS_RESOURCE in the bounding set, runc refuses privileged containers ("unable to apply
caps"), raised resource limits and negative OOM scores. `create` and `run` carry the description in
`<bundle>/config.json`, `exec` in the file named by `--process`.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

MISSING = "CAP_SYS_RESOURCE"


def option(args: list[str], *names: str) -> str | None:
    """The value of the first of `names` in `args`, in either form (`--x v`, `--x=v`)."""
    for position, arg in enumerate(args):
        name, _, value = arg.partition("=")
        if name in names:
            return value or args[position + 1]
    return None


def soften(process: dict[str, Any]) -> None:
    """Drop the capability from every set, all rlimits, and a negative OOM score."""
    capabilities = process.get("capabilities") or {}
    for kind, names in capabilities.items():
        capabilities[kind] = [name for name in names if name != MISSING]
    process.pop("rlimits", None)
    process["oomScoreAdj"] = max(0, process.get("oomScoreAdj") or 0)


def main(args: list[str]) -> None:
    """Edit the file that this call refers to, if any, and become runc."""
    exec_file = option(args, "--process", "-p") if "exec" in args else None
    bundle = option(args, "--bundle", "-b")
    path = Path(exec_file) if exec_file else Path(bundle, "config.json") if bundle else None
    if path is not None:
        document = json.loads(path.read_text())
        soften(document if exec_file else document["process"])
        path.write_text(json.dumps(document))
    os.execvp("runc", ["runc", *args])  # noqa: S606 - there is no shell, and that is the point


if __name__ == "__main__":
    main(sys.argv[1:])
