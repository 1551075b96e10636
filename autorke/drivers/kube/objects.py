"""Objects of any kind, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autorke.drivers.kube.errors import KubeNotFound
from autorke.drivers.kube.session import MERGE_PATCH, KubeSession, path


class Resource:
    """The objects of one kind, in one namespace or cluster-wide. Raises what every call of `Kube` raises."""

    def __init__(self, session: KubeSession, group: str, version: str, plural: str, namespace: str | None) -> None:
        self._session = session
        self._kind = plural
        prefix = ["apis", group, version] if group else ["api", version]
        place = ["namespaces", namespace] if namespace else []
        self._segments = [*prefix, *place, plural]

    def list(self, *, label_selector: str = "") -> list[dict[str, Any]]:
        query = {"labelSelector": label_selector} if label_selector else {}
        return [*self._session.items(path(*self._segments), what=f"list {self._kind}", **query)]

    def get(self, name: str) -> dict[str, Any] | None:
        """None when there is no such object."""
        try:
            found: dict[str, Any] = self._session.get(self._path(name), what=f"read {self._kind} {name}")
        except KubeNotFound:
            return None
        return found

    def create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Raises KubeConflict when it exists."""
        return self._session.change("POST", path(*self._segments), body, what=f"create {self._kind} {_name(body)}")

    def replace(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """By the body's own name; with a resourceVersion in it, only that version is replaced (else KubeConflict)."""
        return self._session.change("PUT", self._path(_name(body)), body, what=f"replace {self._kind} {_name(body)}")

    def patch(self, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """A JSON merge patch."""
        what = f"change {self._kind} {name}"
        return self._session.change("PATCH", self._path(name), body, what=what, content_type=MERGE_PATCH)

    def delete(self, name: str) -> None:
        """An object that is gone already is fine."""
        try:
            self._session.change("DELETE", self._path(name), None, what=f"delete {self._kind} {name}")
        except KubeNotFound:
            return

    def _path(self, name: str) -> str:
        return path(*self._segments, name)


def _name(body: Mapping[str, Any]) -> str:
    return str((body.get("metadata") or {}).get("name", ""))
