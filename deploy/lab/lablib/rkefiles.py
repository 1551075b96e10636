"""cluster.yml as a user of the lab's cluster would write it, and the same configuration with rke's defaults.

The defaults are those that stock rke v1.2.23 writes into `rkeConfig` of its state file for this cluster.yml
(rke.md §1.1, §2.1).
"""

import copy
from typing import Any

import yaml

from lablib.settings import ETCD, HYPERKUBE, MEMBERS, PAUSE, RKE_KUBERNETES_VERSION, RKE_TOOLS, SSH_USER, Lab

KUBELET_ARGS = {
    # Nested machines: the kubelet neither owns nor may partition the cgroup tree.
    "cgroups-per-qos": "false",
    "enforce-node-allocatable": "",
    # The disk is this computer's; how full that is must not decide about the lab's node or its unpullable images.
    "eviction-hard": "memory.available<100Mi",
    "image-gc-high-threshold": "100",
}
KUBEPROXY_ARGS = {
    # Connection tracking limits belong to this computer's kernel; a nested machine cannot write them.
    "conntrack-max-per-core": "0",
    "conntrack-tcp-timeout-established": "0s",
    "conntrack-tcp-timeout-close-wait": "0s",
}
LEADER_ARGS = {
    # A busy computer: one that cannot renew its lease for 10 s would end and be started again, which tests count.
    "leader-elect-lease-duration": "60s",
    "leader-elect-renew-deadline": "50s",
}
IMAGES = {
    "etcd": ETCD,
    "alpine": RKE_TOOLS,
    "nginx_proxy": RKE_TOOLS,
    "cert_downloader": RKE_TOOLS,
    "kubernetes_services_sidecar": RKE_TOOLS,
    "kubernetes": HYPERKUBE,
    "pod_infra_container": PAUSE,
}
HEAD = "# Cluster of the lab: one controlplane and etcd node, one worker.\n"
AUDIT = {
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
}
AUDIT_CHECKSUM = "RKE_AUDITLOG_CONFIG_CHECKSUM=856f426399fb14a50b78e721d15c168c"
"""MD5 of AUDIT as rke serialises it."""


def cluster_yml(lab: Lab) -> str:
    """The text of cluster.yml: m1 and m2, local images, no add-ons, the pod network left to the lab."""
    document: dict[str, Any] = {
        "nodes": [
            {
                "address": machine.address,
                "user": SSH_USER,
                "role": list(machine.roles),
                "hostname_override": machine.name,
            }
            for machine in MEMBERS
        ],
        "ssh_key_path": str(lab.ssh_key),
        "kubernetes_version": RKE_KUBERNETES_VERSION,
        "system_images": IMAGES,
        "services": {
            "kube-controller": {"extra_args": dict(LEADER_ARGS)},  # one object twice would become a YAML alias
            "scheduler": {"extra_args": dict(LEADER_ARGS)},
            "kubelet": {"extra_args": KUBELET_ARGS},
            "kubeproxy": {"extra_args": KUBEPROXY_ARGS},
        },
        "network": {"plugin": "none"},
        "dns": {"provider": "none"},
        "ingress": {"provider": "none"},
        "monitoring": {"provider": "none"},
    }
    return HEAD + yaml.safe_dump(document, sort_keys=False)


def rke_config(lab: Lab) -> dict[str, Any]:
    """`rkeConfig` of currentState: camelCase, all defaults set."""
    rolling_one = {"strategy": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}
    rolling_quarter = {"strategy": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}
    return {
        "nodes": [_node(lab, machine.address, machine.name, machine.roles) for machine in MEMBERS],
        "services": _services(),
        "network": {"plugin": "none", "updateStrategy": rolling_one},
        "authentication": {"strategy": "x509"},
        "systemImages": {_camel(name): image for name, image in IMAGES.items()},
        "sshKeyPath": str(lab.ssh_key),
        "sshAgentAuth": False,
        "authorization": {"mode": "rbac"},
        "ignoreDockerVersion": False,
        "kubernetesVersion": RKE_KUBERNETES_VERSION,
        "ingress": {"provider": "none", "updateStrategy": rolling_one, "defaultBackend": True},
        "clusterName": "local",
        "cloudProvider": {},
        "prefixPath": "/",
        "addonJobTimeout": 45,
        "bastionHost": {},
        "monitoring": {"provider": "none", "updateStrategy": rolling_quarter, "replicas": 1},
        "restore": {},
        "rotateEncryptionKey": False,
        "dns": {"provider": "none"},
        "upgradeStrategy": {
            "maxUnavailableWorker": "10%",
            "maxUnavailableControlplane": "1",
            "nodeDrainInput": {"ignoreDaemonSets": True, "gracePeriod": -1, "timeout": 120},
        },
    }


def desired(config: dict[str, Any]) -> dict[str, Any]:
    """`rkeConfig` of desiredState: written before the run fills in drain input and the audit checksum."""
    earlier = copy.deepcopy(config)
    del earlier["upgradeStrategy"]["nodeDrainInput"]
    del earlier["services"]["kubeApi"]["extraEnv"]
    return earlier


def _node(lab: Lab, address: str, hostname: str, roles: tuple[str, ...]) -> dict[str, Any]:
    return {
        "address": address,
        "port": "22",
        "internalAddress": address,
        "role": list(roles),
        "hostnameOverride": hostname,
        "user": SSH_USER,
        "sshKeyPath": str(lab.ssh_key),
    }


def _services() -> dict[str, Any]:
    return {
        "etcd": {
            "image": ETCD,
            "extraArgs": {"election-timeout": "5000", "heartbeat-interval": "500"},
            "snapshot": True,
            "retention": "72h",
            "creation": "12h",
        },
        "kubeApi": {
            "image": HYPERKUBE,
            "extraEnv": [AUDIT_CHECKSUM, AUDIT_CHECKSUM],  # rke adds it once per pass over the configuration: twice
            "serviceClusterIpRange": "10.43.0.0/16",
            "serviceNodePortRange": "30000-32767",
            "auditLog": {"enabled": True, "configuration": AUDIT},
        },
        "kubeController": {
            "image": HYPERKUBE,
            "extraArgs": LEADER_ARGS,
            "clusterCidr": "10.42.0.0/16",
            "serviceClusterIpRange": "10.43.0.0/16",
        },
        "scheduler": {"image": HYPERKUBE, "extraArgs": LEADER_ARGS},
        "kubelet": {
            "image": HYPERKUBE,
            "extraArgs": KUBELET_ARGS,
            "clusterDomain": "cluster.local",
            "infraContainerImage": PAUSE,
            "clusterDnsServer": "10.43.0.10",
        },
        "kubeproxy": {"image": HYPERKUBE, "extraArgs": KUBEPROXY_ARGS},
    }


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
