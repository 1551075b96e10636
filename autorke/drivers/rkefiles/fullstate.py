"""The copy of the state inside Kubernetes, `full-cluster-state`: a Secret or a ConfigMap (rke.md §2.4)."""

from __future__ import annotations

import re
from typing import Literal, Protocol

from autorke.drivers.rkefiles.errors import StateMoved, StateOfOtherCluster, StateTooLarge
from autorke.drivers.rkefiles.merge import compact_text
from autorke.drivers.rkefiles.rkestate import RkeState, read_state

Kind = Literal["Secret", "ConfigMap"]

NAMESPACE = "kube-system"
NAME = DATA_KEY = "full-cluster-state"
OBJECT_LIMIT = 1024 * 1024

_RKE_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")


class StateStore(Protocol):
    """The object in one cluster. `drivers.kube` implements it."""

    def read(self) -> tuple[Kind, str, str] | None:
        """(kind, the state's text, resourceVersion); the Secret where both exist; None where neither does."""
        ...

    def write(self, kind: Kind, text: str, resource_version: str | None) -> str:
        """Create (no resource_version) or replace the object; returns the new resourceVersion.

        Raises `StateMoved` when the object has another resourceVersion by now.
        """
        ...


def kind_for(rke_version: str) -> Kind:
    """Which kind a release of rke writes: a Secret from v1.4.19, v1.5.10 and v1.6.0 on."""
    match = _RKE_VERSION.match(rke_version)
    if match is None:
        return "ConfigMap"
    major, minor, patch = map(int, match.groups())
    first_patch = {4: 19, 5: 10}.get(minor)
    newer = (major, minor) >= (1, 6)
    return "Secret" if newer or (major == 1 and first_patch is not None and patch >= first_patch) else "ConfigMap"


def check_copy(store: StateStore, state: RkeState) -> str | None:
    """The copy belongs to the same cluster and deployed the same nodes. Returns its resourceVersion, None without one.

    Raises StateOfOtherCluster when CA or nodes differ: somebody ran rke elsewhere.
    """
    found = store.read()
    if found is None:
        return None
    copy = read_state(found[1])
    if copy.ca_fingerprint != state.ca_fingerprint:
        raise _differs("CA", state.ca_fingerprint[:16], copy.ca_fingerprint[:16])
    here, there = sorted(node.address for node in state.nodes), sorted(node.address for node in copy.nodes)
    if here != there:
        raise _differs(
            "nodes", ", ".join(sorted({*here} - {*there})) or "-", ", ".join(sorted({*there} - {*here})) or "-"
        )
    return found[2]


def _differs(what: str, expected: str, actual: str) -> StateOfOtherCluster:
    return StateOfOtherCluster(
        field="full-cluster-state", what=f"full-cluster-state {what}", expected=expected, actual=actual
    )


def push_state(
    store: StateStore, state: RkeState, *, resource_version: str | None, rke_version: str | None = None
) -> tuple[Kind, str]:
    """Replace the copy that had `resource_version` when it was read; the kind that exists is kept.

    Where no copy exists, the kind follows the release of rke that looks after the cluster. Raises StateTooLarge (1 MiB)
    before anything is sent, StateMoved when somebody wrote in between. Returns (kind, new resourceVersion).
    """
    text = compact_text(state)
    size = len(text.encode())
    if size > OBJECT_LIMIT:
        raise StateTooLarge(field="full-cluster-state", size=size, limit=OBJECT_LIMIT)
    found = store.read()
    if (found[2] if found else None) != resource_version:
        raise StateMoved(field="full-cluster-state")
    kind = found[0] if found else kind_for(rke_version or "")
    return kind, store.write(kind, text, resource_version)
