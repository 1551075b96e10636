"""Faults of the cluster, its files and its control hosts: one change each, and the one message it must give."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

from autorke.checks.context import Limits, LiveNode
from autorke.checks.facts import (
    ControlHostFacts,
)
from autorke.checks.results import Level
from autorke.checks.settings import settings_in
from autorke.drivers.base import (
    Unreachable,
)
from tests.checks.breaking import (
    Fault,
    at,
    config,
    control_nodes_down,
    dead,
    drop_w2,
    live,
    other_dns,
    state,
    without_etcd,
)
from tests.checks.healthy import FIXTURES, MINE, OTHER_CA

TRUNCATED = (FIXTURES / "truncated.rkestate").read_text()
ERROR, WARNING, UNKNOWN = Level.ERROR, Level.WARNING, Level.UNKNOWN


STRAY = LiveNode("stray", "stray", "127.0.0.77", "127.0.0.77")
ALMOST_ENDED = datetime(2036, 10, 1, tzinfo=UTC)

CLUSTER_FAULTS: tuple[Fault, ...] = (
    # the cluster's files
    Fault("cluster.yml broken", "cluster-yml", ERROR, ("line 3",),
          lambda scene: scene.with_context(cluster_yml="nodes:\n- address: a\n  :\n - b"), node=""),
    Fault("unknown key", "cluster-yml", ERROR, ("kubernetes_versoin", "kubernetes_version"),
          config("kubernetes_version", "kubernetes_versoin"), node=""),
    Fault("no etcd", "roles-present", ERROR, ("etcd",),
          lambda scene: without_etcd(scene), node=""),
    Fault("version not pinned", "version-pinned", WARNING, ("kubernetes_version: v1.20.15-rancher2-1",),
          config("kubernetes_version: v1.20.15-rancher2-1\n", ""), node=""),
    Fault("upgrade not finished", "version-pinned", ERROR, ("v1.21.14-rancher1-1", "v1.20.15-rancher2-1"),
          lambda scene: scene.with_context(cluster_yml=at("v1.21.14-rancher1-1")), node=""),
    Fault("rkestate truncated", "rkestate", ERROR, ("not whole JSON", "new CA"),
          lambda scene: scene.with_context(rkestate=TRUNCATED, settings=settings_in(TRUNCATED)), node=""),
    Fault("rkestate of another cluster", "state-ca", ERROR, (OTHER_CA[:16], MINE[:16], "full-cluster-state"),
          lambda scene: scene.with_context(rkestate=(FIXTURES / "other-ca.rkestate").read_text()), node=""),
    Fault("kubeconfig of another cluster", "server-ca", ERROR, (OTHER_CA[:16], "kubeconfig"),
          lambda scene: scene.with_context(server_ca=OTHER_CA), node=""),
    Fault("rke ran elsewhere", "state-copy", ERROR, ("autorke cluster import prod-a",),
          lambda scene: scene.with_context(state_copy_sha256="77" * 32, earlier_copy_sha256="78" * 32), node=""),
    Fault("phantom node", "phantom-node", ERROR, ("127.0.0.29", "wipe"),
          lambda scene: scene.with_context(rkestate=(FIXTURES / "phantom-node.rkestate").read_text()), node=""),
    Fault("state lacks a node", "state-lacks-node", ERROR, ("w2 (127.0.0.22)",), state(drop_w2), node=""),
    Fault("deployed node renamed", "same-nodes", ERROR, ("127.0.0.22", "w2", "w2-new"),
          config("hostname_override: w2", "hostname_override: w2-new"), node=""),
    Fault("run not finished", "state-settled", ERROR, ("services",), state(other_dns), node=""),
    Fault("certificates end soon", "certificates", WARNING, ("kube-ca", "2036-11-19", "rotate-certificates"),
          lambda scene: scene.with_context(now=ALMOST_ENDED), node=""),
    Fault("certificates expired", "certificates", ERROR, ("have expired",),
          lambda scene: scene.with_context(now=datetime(2037, 1, 1, tzinfo=UTC)), node=""),
    Fault("state too large", "state-size", ERROR, ("1 KiB",),
          lambda scene: scene.with_context(limits=Limits(state_bytes=1024)), node=""),
    Fault("pods overlap services", "ranges", ERROR, ("10.43.0.0/16",),
          lambda scene: scene.with_settings(pod_cidrs=("10.43.0.0/16",)), node=""),
    Fault("dns outside the service range", "ranges", ERROR, ("10.96.0.10",),
          lambda scene: scene.with_settings(cluster_dns="10.96.0.10"), node=""),
    # the running cluster
    Fault("controlplane dead", "controlplane", ERROR, ("connection refused", "docker logs --tail 50 kube-apiserver"),
          lambda scene: dead(scene), node=""),
    Fault("control host down", "control-hosts", ERROR, ("cp1 (127.0.0.11)", "no answer within 10 s"),
          lambda scene: dataclasses.replace(scene, control_hosts=(ControlHostFacts("cp1", "127.0.0.11", Unreachable(
              name="cp1", address="127.0.0.11:22", reason="no answer within 10 s").as_json()),)), node=""),
    Fault("controlplane node not ready", "control-nodes", ERROR, ("cp1", "kubectl describe node cp1"),
          control_nodes_down, node=""),
    Fault("worker not ready", "nodes-ready", WARNING, ("w2", "not held up"), live(ready=False), node=""),
    Fault("state node never deployed", "undeployed-node", ERROR, ("w2 (127.0.0.22)",),
          lambda scene: scene.with_context(live=tuple(it for it in scene.live if it.name != "w2")), node=""),
    Fault("node that no file knows", "unmanaged-node", ERROR, ("stray (127.0.0.77)", "autorke cluster import prod-a"),
          lambda scene: scene.with_context(live=(*scene.live, STRAY)), node=""),
    Fault("another run", "other-runs", ERROR, ("ticket 41",),
          lambda scene: scene.with_context(other_runs=("ticket 41 (upgrade_cluster)",)), node=""),
)  # fmt: skip
