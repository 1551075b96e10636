"""`python -m bench [NAME]`: run one bench, or all but the longest (`faults`), and print JSON.

Each figure says its unit in its name (`_ms`, `_s`, `_per_s`, `_mb`). A bench that cannot run here says why instead.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import UTC, datetime
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import bench
from bench import CannotRun

LONG = {"faults"}  # hours: only when asked for by its name


def names() -> list[str]:
    return sorted(module.name for module in iter_modules(bench.__path__) if not module.name.startswith("_"))


def measure(name: str) -> dict[str, Any]:
    """The figures of one bench, with what is needed to judge them."""
    load = os.getloadavg()[0]
    try:
        figures = import_module(f"bench.{name}").run()
    except CannotRun as reason:
        figures = {"not_run": str(reason)}
    return {
        "bench": name,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpus": os.cpu_count(),
        "load_before": round(load, 2),
        "python": platform.python_version(),
        "figures": figures,
    }


def main(arguments: list[str]) -> int:
    known = names()
    unknown = [name for name in arguments if name not in known]
    if unknown:
        print(f"no such bench: {', '.join(unknown)}; there are: {', '.join(known)}", file=sys.stderr)  # noqa: T201
        return 2
    for name in arguments or [name for name in known if name not in LONG]:
        print(json.dumps(measure(name), ensure_ascii=False), flush=True)  # noqa: T201
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
