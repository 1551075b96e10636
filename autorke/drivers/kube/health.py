"""Whether a cluster's control plane works, judged by what it serves and not by ports that newer releases closed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from autorke.drivers.kube.errors import KubeNotFound
from autorke.drivers.kube.session import KubeSession, path

_CHECK = re.compile(r"^\[([+-])\](\S+) (.*)$", re.MULTILINE)
_LEADERS = ("kube-scheduler", "kube-controller-manager")
_LEASE_SECONDS = 60.0
"""A leader renews every 2 s and loses its lease after 15; a minute leaves room for a busy etcd."""


@dataclass(frozen=True)
class ComponentHealth:
    name: str
    healthy: bool
    message: str


def component_health(session: KubeSession) -> list[ComponentHealth]:
    """The API server with its own checks (etcd among them), and the leaders of scheduler and controller manager.

    A leader's lease is compared with the server's clock, so ours may be wrong.
    """
    reply = session.send("GET", "/readyz?verbose", what="readyz", accept_failure=True)
    text = reply.body.decode(errors="replace")
    failed = [f"{name} {message}" for sign, name, message in _CHECK.findall(text) if sign == "-"]
    healthy = reply.status == 200
    found = [ComponentHealth("kube-apiserver", healthy, "" if healthy else "; ".join(failed) or text[:300])]
    found.append(ComponentHealth("etcd", healthy and not any(it.startswith("etcd") for it in failed), ""))
    now = _server_time(reply.headers.get("Date"))
    return found + [_leader(session, name, now) for name in _LEADERS]


def _leader(session: KubeSession, name: str, now: datetime) -> ComponentHealth:
    where = path("apis", "coordination.k8s.io", "v1", "namespaces", "kube-system", "leases", name)
    try:
        spec = session.get(where, what=f"read lease {name}").get("spec") or {}
        age = (now - datetime.fromisoformat(str(spec.get("renewTime")))).total_seconds()
    except KubeNotFound:
        return ComponentHealth(name, False, "it never took its lease")
    except (ValueError, TypeError):
        return ComponentHealth(name, False, "its lease has no readable renewTime")
    return ComponentHealth(name, age <= _LEASE_SECONDS, "" if age <= _LEASE_SECONDS else f"silent for {age:.0f} s")


def _server_time(date: str | None) -> datetime:
    try:
        return parsedate_to_datetime(date or "")
    except ValueError:
        return datetime.now(UTC)
