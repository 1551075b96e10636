"""The copy of rke's state inside a cluster: Secret or ConfigMap `full-cluster-state` in kube-system (rke.md §2.4)."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from autorke.drivers.base import KubeError
from autorke.drivers.kube.errors import KubeConflict, KubeNotFound
from autorke.drivers.kube.session import MERGE_PATCH, KubeSession, path
from autorke.drivers.rkefiles.errors import StateMoved
from autorke.drivers.rkefiles.fullstate import DATA_KEY, NAME, NAMESPACE, Kind

_PLURALS: dict[Kind, str] = {"Secret": "secrets", "ConfigMap": "configmaps"}


class StateCopy:
    """Implements `rkefiles.fullstate.StateStore` on a live cluster."""

    def __init__(self, session: KubeSession) -> None:
        self._session = session

    def read(self) -> tuple[Kind, str, str] | None:
        """(kind, text, resourceVersion); the Secret where both exist, None where neither does."""
        for kind in _PLURALS:
            try:
                body = self._session.get(_place(kind, NAME), what=f"read {kind} {NAME}")
            except KubeNotFound:
                continue
            return kind, _text(kind, body), str(body["metadata"]["resourceVersion"])
        return None

    def write(self, kind: Kind, text: str, resource_version: str | None) -> str:
        """Create it (no resource_version) or replace its text; labels and annotations that it has are kept.

        Returns the new resourceVersion. Raises StateMoved when it exists already, is gone, or was written meanwhile.
        """
        data = {DATA_KEY: base64.b64encode(text.encode()).decode() if kind == "Secret" else text}
        what = f"write {kind} {NAME}"
        try:
            if resource_version is None:
                named = {"name": NAME, "namespace": NAMESPACE}
                body = {"apiVersion": "v1", "kind": kind, "metadata": named, "data": data}
                after = self._session.change("POST", _place(kind), body, what=what)
            else:
                patch = {"metadata": {"resourceVersion": resource_version}, "data": data}
                after = self._session.change("PATCH", _place(kind, NAME), patch, what=what, content_type=MERGE_PATCH)
        except (KubeConflict, KubeNotFound) as error:
            raise StateMoved(field=NAME) from error
        return str(after["metadata"]["resourceVersion"])


def _place(kind: Kind, *name: str) -> str:
    return path("api", "v1", "namespaces", NAMESPACE, _PLURALS[kind], *name)


def _text(kind: Kind, body: dict[str, Any]) -> str:
    value = (body.get("data") or {}).get(DATA_KEY)
    try:
        if kind == "ConfigMap":
            return str(value or "")
        return base64.b64decode(value or "", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise KubeError(what=f"read {kind} {NAME}", reason="its data is not base64 of text") from error
