"""Canonical JSON and its SHA-256: the one form in which plans, flows and events are hashed."""

from __future__ import annotations

import hashlib
import json
from math import isfinite
from typing import Any


class NotCanonical(TypeError):
    """A value that has no single canonical form (a float, a set, an object)."""


def _refuse_floats(value: Any) -> None:
    if isinstance(value, float):
        raise NotCanonical(f"floats have no canonical form: {value!r}")
    if isinstance(value, dict):
        for item in value.values():
            _refuse_floats(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_floats(item)


def canonical(value: Any) -> bytes:
    """Sorted keys, no spaces, UTF-8, no floats (engine.md §3.9)."""
    _refuse_floats(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha256_hex(value: Any) -> str:
    """Hex digest of the canonical form; of the bytes themselves when given bytes."""
    data = value if isinstance(value, bytes) else canonical(value)
    return hashlib.sha256(data).hexdigest()


def without_floats(value: Any) -> Any:
    """The same JSON value with every float as its shortest decimal text, so that it can be hashed."""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, dict):
        return {key: without_floats(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_floats(item) for item in value]
    return value


def storable(value: Any) -> Any:
    """The same JSON value without what Postgres refuses in JSON: NUL characters, lone surrogates, NaN, infinities."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, float) and not isfinite(value):
        return repr(value)
    if isinstance(value, dict):
        return {storable(key if isinstance(key, str) else json.dumps(key)): storable(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    return value
