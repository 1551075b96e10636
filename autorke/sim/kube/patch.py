"""The three patch forms of the Kubernetes API."""

from __future__ import annotations

from typing import Any

from autorke.sim.kube.store import ApiError, clone

MERGE_KEYS = {
    "conditions": "type",
    "taints": "key",
    "addresses": "type",
    "containers": "name",
    "env": "name",
    "ownerReferences": "uid",
}
"""Lists that a strategic merge joins by a key; other lists are replaced."""


def apply(content_type: str, obj: dict[str, Any], change: Any) -> dict[str, Any]:
    """The object with a patch applied; the given object stays as it is. Raises ApiError for what the API refuses."""
    kind = content_type.partition(";")[0].strip()
    out = clone(obj)
    if kind == "application/json-patch+json" and isinstance(change, list):
        for step in change:
            _step(out, step)
        return out
    if not isinstance(change, dict):
        raise ApiError(400, "BadRequest", "the patch is not an object")
    if kind in {"application/merge-patch+json", "application/apply-patch+yaml"}:
        return _merge(out, change)
    if kind == "application/strategic-merge-patch+json":
        return _strategic(out, change)
    raise ApiError(415, "UnsupportedMediaType", f"the body of the request was in an unknown format - {kind}")


def _merge(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    for key, value in change.items():
        if value is None:
            base.pop(key, None)
        elif isinstance(value, dict):
            base[key] = _merge(base[key] if isinstance(base.get(key), dict) else {}, value)
        else:
            base[key] = value
    return base


def _strategic(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    if change.get("$patch") == "replace":
        return {key: value for key, value in change.items() if key != "$patch"}
    for key, value in change.items():
        if key.startswith("$"):
            continue
        if value is None:
            base.pop(key, None)
        elif isinstance(value, dict):
            base[key] = _strategic(base[key] if isinstance(base.get(key), dict) else {}, value)
        elif isinstance(value, list) and key in MERGE_KEYS:
            base[key] = _join(base.get(key) or [], value, MERGE_KEYS[key])
        else:
            base[key] = value
    return base


def _join(old: list[dict[str, Any]], new: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    if any(entry.get("$patch") == "replace" for entry in new):
        return [entry for entry in new if "$patch" not in entry]
    out = {entry.get(key): entry for entry in old}
    for entry in new:
        if entry.get("$patch") == "delete":
            out.pop(entry.get(key), None)
        else:
            out[entry.get(key)] = _strategic(out.get(entry.get(key), {}), entry)
    return list(out.values())


def _step(root: dict[str, Any], step: dict[str, Any]) -> None:
    try:
        parts = [part.replace("~1", "/").replace("~0", "~") for part in step["path"].split("/")[1:]]
        parent: Any = root
        for part in parts[:-1]:
            parent = parent[int(part)] if isinstance(parent, list) else parent[part]
        _edit(parent, parts[-1], step)
    except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
        raise ApiError(
            422, "Invalid", f"the server rejected our request due to an error in our request: {error}"
        ) from error


def _edit(parent: Any, last: str, step: dict[str, Any]) -> None:
    index: Any = (len(parent) if last == "-" else int(last)) if isinstance(parent, list) else last
    if step["op"] == "test":
        if parent[index] != step["value"]:
            raise ApiError(422, "Invalid", f"the test of {step['path']} failed")
    elif step["op"] == "remove":
        del parent[index]
    elif step["op"] == "replace":
        parent[index]
        parent[index] = step["value"]
    elif step["op"] == "add":
        if isinstance(parent, list):
            parent.insert(index, step["value"])
        else:
            parent[index] = step["value"]
    else:
        raise ValueError(step["op"])
