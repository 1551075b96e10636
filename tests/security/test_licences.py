"""Every locked package has a licence that we accept, by lock files and installed metadata; nothing is fetched.

A new package without one, or under another one, fails here. Read its licence, then extend a list below, and
docs/adr/0008-libraries.md.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
ACCEPTED = frozenset(
    {"MIT", "MIT-0", "BSD", "BSD-2-CLAUSE", "BSD-3-CLAUSE", "0BSD", "APACHE-2.0", "ISC", "PSF-2.0", "PYTHON-2.0"}
    | {"MPL-2.0", "UNLICENSE", "CC0-1.0", "BLUEOAK-1.0.0"}
)
"""As SPDX has them, in capitals. They ask for their text and a name to be kept; MPL also for changes to its files."""
EXCEPTIONS = {
    "ansible-core": "GPLv3: a program of its own that runs beside us; never imported, installed as an extra",
    "asyncssh": "EPL-2.0: imported as it is, by the simulator alone, installed as an extra",
    "paramiko": "LGPL-2.1: imported as it is, not changed",
    "psycopg": "LGPL-3.0: imported as it is, not changed",
    "psycopg-binary": "LGPL-3.0: imported as it is, not changed",
    "psycopg-pool": "LGPL-3.0: imported as it is, not changed",
}
ELSEWHERE = {"async-timeout": "Apache-2.0", "colorama": "BSD-3-Clause", "httpx2-jsfetch": "BSD-3-Clause"} | {
    "tzdata": "Apache-2.0"
}
"""Locked for other platforms or Pythons, so not installed here: as read at the source."""
WORDS = {
    "MIT LICENSE": "MIT",
    "BSD LICENSE": "BSD",
    "APACHE SOFTWARE LICENSE": "APACHE-2.0",
    "ISC LICENSE (ISCL)": "ISC",
    "MOZILLA PUBLIC LICENSE 2.0 (MPL 2.0)": "MPL-2.0",
    "PYTHON SOFTWARE FOUNDATION LICENSE": "PSF-2.0",
}
_PERMISSION = "Permission is hereby granted, free of charge, to any person obtaining a copy"


def accepted(expression: str) -> bool:
    """SPDX: of `A OR B` one must be accepted, of `A AND B` both."""
    plain = expression.strip()
    if plain.upper() in WORDS:
        return WORDS[plain.upper()] in ACCEPTED
    if " OR " in plain:
        return any(map(accepted, plain.split(" OR ")))
    if " AND " in plain:
        return all(map(accepted, plain.split(" AND ")))
    return plain.strip("() ").upper() in ACCEPTED


def said_by(name: str) -> str:
    """What an installed Python package says: its expression, its classifiers, or its text."""
    metadata = importlib.metadata.metadata(name)
    listed = [value.split(" :: ")[-1] for value in metadata.get_all("Classifier", []) if value.startswith("License ::")]
    known = [value for value in listed if value.upper() in WORDS or "GPL" in value]
    text = metadata.get("License-Expression") or " AND ".join(known) or metadata.get("License") or ""
    return "MIT" if _PERMISSION in re.sub(r"\s+", " ", text) else text


def python_packages() -> dict[str, str]:
    locked = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    names = [package["name"] for package in locked if "registry" in package["source"]]
    return {name: ELSEWHERE.get(name) or said_by(name) for name in names}


def console_packages() -> dict[str, str]:
    locked = json.loads((ROOT / "frontend/package-lock.json").read_text())["packages"]
    return {path.split("node_modules/")[-1]: str(entry.get("license", "")) for path, entry in locked.items() if path}


def test_every_python_package_has_an_accepted_licence() -> None:
    found = python_packages()
    assert len(found) > 80
    wrong = {name: said[:60] for name, said in found.items() if not accepted(said) and name not in EXCEPTIONS}
    assert wrong == {}
    assert [name for name in EXCEPTIONS if accepted(found[name])] == [], "no exception any more"


def test_every_package_of_the_console_has_an_accepted_licence() -> None:
    found = console_packages()
    assert len(found) > 200
    assert {name: said for name, said in found.items() if not accepted(said)} == {}


def test_what_is_not_accepted_is_noticed() -> None:
    for text in ("", "GPL-3.0-only", "SSPL-1.0", "MIT AND GPL-2.0-only", "Proprietary", "UNLICENSED", "Custom"):
        assert not accepted(text), text
    for text in ("MIT", "(MIT OR CC0-1.0)", "Apache-2.0 AND MIT", "GPL-2.0-only OR MIT"):
        assert accepted(text), text


def test_the_product_imports_nothing_under_the_gpl() -> None:
    importing = re.compile(r"^\s*(from|import) ansible(\.|\s|$)", re.MULTILINE)
    assert [str(path) for path in (ROOT / "autorke").rglob("*.py") if importing.search(path.read_text())] == []
