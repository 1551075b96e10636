"""How each node stood at the last look at the live cluster: read from what `live.look` kept; connects to nothing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from autorke.clusters.live import NodeDown, NodeMissing
from autorke.clusters.models import Cluster

Health = Literal["ready", "not_ready", "missing", "unseen"]
_BY_CODE: dict[str, Health] = {NodeDown.code: "not_ready", NodeMissing.code: "missing"}


def of_nodes(cluster: Cluster, nodes: Iterable[tuple[str, datetime]]) -> dict[str, Health]:
    """Health by host name of (host name, since) pairs; empty when nobody ever looked. `unseen` joined after that."""
    looked = cluster.verified_at
    if looked is None:
        return {}
    found = {item["field"]: _BY_CODE[item["code"]] for item in cluster.drift if item["code"] in _BY_CODE}
    return {name: "unseen" if since > looked else found.get(f"nodes.{name}", "ready") for name, since in nodes}
