"""cluster.yml, rkeConfig and cluster.rkestate of a simulated cluster, in the shapes that stock rke leaves (`rke.md`
§1, §2).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autorke.sim.kube.cluster import Versions
from autorke.sim.rke.versions import line_of

SERVICE_RANGE = "10.43.0.0/16"
AUDIT_CHECKSUM = "RKE_AUDITLOG_CONFIG_CHECKSUM=856f426399fb14a50b78e721d15c168c"


@dataclass(frozen=True)
class Node:
    """One entry of `nodes`, as both files need it."""

    address: str
    port: int
    hostname: str
    roles: tuple[str, ...]
    user: str
    key_path: str
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Mapping[str, str], ...] = ()

    def state(self) -> dict[str, Any]:
        """In the state file: camelCase, every default filled in."""
        entry: dict[str, Any] = {
            "address": self.address,
            "port": str(self.port),
            "internalAddress": self.address,
            "role": list(self.roles),
            "hostnameOverride": self.hostname,
            "user": self.user,
            "sshKeyPath": self.key_path,
        }
        if self.labels:
            entry["labels"] = dict(self.labels)
        if self.taints:
            entry["taints"] = [dict(taint) for taint in self.taints]
        return entry


def rke_config(
    versions: Versions, nodes: Sequence[Node], cluster_cidr: str, cluster_name: str = "local"
) -> dict[str, Any]:
    """The fully defaulted rkeConfig of `desiredState`."""
    line = line_of(versions.rke)
    images = versions.images
    config = copy.deepcopy(_BASE)
    services = config["services"]
    for name in ("kubeApi", "kubeController", "scheduler", "kubelet", "kubeproxy"):
        services[name]["image"] = images["kubernetes"]
    services["etcd"]["image"] = images["etcd"]
    services["kubelet"]["infraContainerImage"] = images["podInfraContainer"]
    services["kubeController"]["clusterCidr"] = cluster_cidr
    config |= {
        "nodes": [node.state() for node in nodes],
        "network": {
            "plugin": "calico",
            "options": {
                "calico_cloud_provider": "none",
                "calico_flex_volume_plugin_dir": "/usr/libexec/kubernetes/kubelet-plugins/volume/exec/nodeagent~uds",
            },
            "updateStrategy": {"strategy": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
        },
        "systemImages": dict(images),
        "sshKeyPath": nodes[0].key_path,
        "kubernetesVersion": versions.rke,
        "clusterName": cluster_name,
    }
    if line >= 24:
        config["enableCriDockerd"] = True
    return config


def rke_state(config: Mapping[str, Any], certificates: Mapping[str, Any]) -> dict[str, Any]:
    """The state file after a successful run; currentState has picked up what the run computed on its way."""
    current = copy.deepcopy(dict(config))
    current["services"]["kubeApi"]["extraEnv"] = [AUDIT_CHECKSUM]
    current["upgradeStrategy"]["nodeDrainInput"] = {"ignoreDaemonSets": True, "gracePeriod": -1, "timeout": 120}
    return {
        "desiredState": {"rkeConfig": dict(config), "certificatesBundle": dict(certificates)},
        "currentState": {"rkeConfig": current, "certificatesBundle": dict(certificates)},
    }


def state_text(state: Mapping[str, Any]) -> str:
    """As rke writes it: JSON, two spaces."""
    return json.dumps(state, indent=2)


def cluster_yml(name: str, versions: Versions, nodes: Sequence[Node], cluster_cidr: str) -> str:
    """What an operator keeps in his repository, comments included."""
    lines = [f"# {name}: kept by hand, reviewed by the platform team", "nodes:"]
    for node in nodes:
        lines += [
            f"- address: {node.address}",
            f'  port: "{node.port}"',
            f"  user: {node.user}",
            "  role:",
            *(f"  - {role}" for role in node.roles),
            f"  hostname_override: {node.hostname}",
        ]
        if node.labels:
            lines += ["  labels:", *(f'    {key}: "{value}"' for key, value in node.labels.items())]
        if node.taints:
            lines.append("  taints:")
            lines += [f'  - {{key: {t["key"]}, value: "{t["value"]}", effect: {t["effect"]}}}' for t in node.taints]
    lines += [
        f"ssh_key_path: {nodes[0].key_path}",
        f"kubernetes_version: {versions.rke}",
        "network:",
        "  plugin: calico  # pods are routed, never overlaid",
    ]
    if line_of(versions.rke) >= 24:
        lines.append("enable_cri_dockerd: true")
    lines += ["services:", "  kube-controller:", f"    cluster_cidr: {cluster_cidr}"]
    lines += ["    service_cluster_ip_range: 10.43.0.0/16", "  kube-api:", "    service_cluster_ip_range: 10.43.0.0/16"]
    return "\n".join(lines) + "\n"


def state_object(state: Mapping[str, Any], line: int) -> tuple[str, dict[str, Any]]:
    """The copy kept in the cluster: kind and object. Newer rke keeps it in a Secret (`rke.md` §2.4)."""
    text = json.dumps(state)
    if line < 26:
        return "ConfigMap", {"metadata": {"name": "full-cluster-state"}, "data": {"full-cluster-state": text}}
    return "Secret", {
        "metadata": {"name": "full-cluster-state"},
        "type": "Opaque",
        "stringData": {"full-cluster-state": text},
    }


_ROLLING_ONE = {"strategy": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}
_AUDIT_LOG = {
    "enabled": True,
    "configuration": {
        "maxAge": 30,
        "maxBackup": 10,
        "maxSize": 100,
        "path": "/var/log/kube-audit/audit-log.json",
        "format": "json",
        "policy": {
            "kind": "Policy",
            "apiVersion": "audit.k8s.io/v1",
            "metadata": {"creationTimestamp": None},
            "rules": [{"level": "Metadata"}],
        },
    },
}
_BASE: dict[str, Any] = {
    "services": {
        "etcd": {
            "extraArgs": {"election-timeout": "5000", "heartbeat-interval": "500"},
            "snapshot": True,
            "retention": "72h",
            "creation": "12h",
        },
        "kubeApi": {
            "serviceClusterIpRange": SERVICE_RANGE,
            "serviceNodePortRange": "30000-32767",
            "auditLog": _AUDIT_LOG,
        },
        "kubeController": {"serviceClusterIpRange": SERVICE_RANGE},
        "scheduler": {},
        "kubelet": {"clusterDomain": "cluster.local", "clusterDnsServer": "10.43.0.10"},
        "kubeproxy": {},
    },
    "authentication": {"strategy": "x509"},
    "sshAgentAuth": False,
    "authorization": {"mode": "rbac"},
    "ignoreDockerVersion": False,
    "ingress": {
        "provider": "nginx",
        "updateStrategy": _ROLLING_ONE,
        "httpPort": 80,
        "httpsPort": 443,
        "networkMode": "hostNetwork",
        "defaultBackend": True,
    },
    "cloudProvider": {},
    "prefixPath": "/",
    "addonJobTimeout": 45,
    "bastionHost": {},
    "monitoring": {
        "provider": "metrics-server",
        "updateStrategy": {
            "strategy": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
        },
        "replicas": 1,
    },
    "restore": {},
    "rotateEncryptionKey": False,
    "dns": {
        "provider": "coredns",
        "updateStrategy": {"strategy": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
        "linearAutoscalerParams": {
            "coresPerReplica": 128,
            "nodesPerReplica": 4,
            "min": 1,
            "preventSinglePointFailure": True,
        },
    },
    "upgradeStrategy": {"maxUnavailableWorker": "10%", "maxUnavailableControlplane": "1"},
}
