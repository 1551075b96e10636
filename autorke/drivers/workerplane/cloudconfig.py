"""The text of /etc/kubernetes/cloud-config as rke writes it from `rkeConfig.cloudProvider`.

Its MD5 is part of the kubelet's environment, so every byte counts. Keys come in the order of the state file, which is
the order in which rke itself writes them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from autorke.drivers.workerplane.registries import escape_as_go

_OPENSTACK_SECTIONS = {
    "global": "Global",
    "loadBalancer": "LoadBalancer",
    "blockStorage": "BlockStorage",
    "route": "Route",
    "metadata": "Metadata",
}
_AWS_NAMES = {
    "zone": "Zone",
    "vpc": "VPC",
    "subnet-id": "SubnetID",
    "routetable-id": "RouteTableID",
    "role-arn": "RoleARN",
    "kubernetes-cluster-tag": "KubernetesClusterTag",
    "kubernetes-cluster-id": "KubernetesClusterID",
    "disable-security-group-ingress": "DisableSecurityGroupIngress",
    "elb-security-group": "ElbSecurityGroup",
    "disable-strict-zone-check": "DisableStrictZoneCheck",
}


def provider_name(cloud: Mapping[str, Any]) -> str:
    """The provider's name; rke fills an empty one from the provider section that is present."""
    name = cloud.get("name") or ""
    if cloud.get("harvesterCloudProvider") and not cloud.get("customCloudProvider"):
        return "external"
    if name or cloud.get("customCloudProvider"):
        return str(name)
    for candidate in ("vsphere", "openstack", "azure", "aws"):
        if cloud.get(f"{candidate}CloudProvider") is not None:
            return candidate
    return ""


def cloud_config(cloud: Mapping[str, Any]) -> str:
    """The file's text; empty for a provider that needs none (external, aws without settings)."""
    if cloud.get("customCloudProvider"):
        return str(cloud["customCloudProvider"])
    if cloud.get("harvesterCloudProvider"):
        return str(cloud["harvesterCloudProvider"].get("cloudConfig") or "")
    if cloud.get("vsphereCloudProvider") is not None:
        return _vsphere(cloud["vsphereCloudProvider"])
    if cloud.get("openstackCloudProvider") is not None:
        settings = cloud["openstackCloudProvider"]
        return _ini({title: dict(settings.get(key) or {}) for key, title in _OPENSTACK_SECTIONS.items()})
    if cloud.get("azureCloudProvider") is not None:
        return _azure(cloud["azureCloudProvider"])
    if cloud.get("awsCloudProvider") is not None:
        settings = cloud["awsCloudProvider"].get("global") or {}
        return _ini({"Global": {name: settings.get(key) for key, name in _AWS_NAMES.items()}})
    return ""


def _ini(sections: Mapping[str, Mapping[str, Any]]) -> str:
    """INI with aligned equal signs; settings at their zero value are left out, an empty section keeps its title."""
    lines: list[str] = []
    for title, settings in sections.items():
        lines.append(f"[{title}]")
        present = {key: value for key, value in settings.items() if value}
        width = max(map(len, present), default=0)
        lines += [f"{key.ljust(width)} = {_ini_value(value)}" for key, value in present.items()]
        lines.append("")
    return "\n".join(lines) + "\n"


def _ini_value(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f'"""{text}"""' if "\n" in text or "`" in text else text


def _azure(settings: Mapping[str, Any]) -> str:
    """JSON whose indentation is an empty line: rke passes a line feed as the indent."""
    text = json.dumps(settings, indent="\n", ensure_ascii=False, separators=(",", ": "))
    return escape_as_go(text)


def _vsphere(settings: Mapping[str, Any]) -> str:
    lines = ["", "[Global]", *_vsphere_global(settings.get("global") or {}), "", ""]
    for name, center in sorted((settings.get("virtualCenter") or {}).items()):
        lines.append(f'[VirtualCenter "{name}"]')
        lines += _quoted(center, always=("user", "password"), indent=True)
        lines += _quoted(center, present=("port", "datacenters"), indent=True)
        lines.append(f'        soap-roundtrip-count = "{center.get("soap-roundtrip-count") or 0}"')
    workspace = ("server", "datacenter", "folder", "default-datastore", "resourcepool-path")
    lines += ["", "[Workspace]", *_quoted(settings.get("workspace") or {}, always=workspace, indent=True), "", "[Disk]"]
    controller = (settings.get("disk") or {}).get("scsicontrollertype")
    if controller:
        lines.append(f"        scsicontrollertype = {controller}")
    lines += ["", "[Network]", *_quoted(settings.get("network") or {}, present=("public-network",), indent=True)]
    return "\n".join(lines) + "\n"


def _vsphere_global(settings: Mapping[str, Any]) -> list[str]:
    return [
        *_quoted(settings, always=("user", "password")),
        *_quoted(settings, present=("server", "port")),
        f'insecure-flag = "{str(bool(settings.get("insecure-flag"))).lower()}"',
        *_quoted(settings, present=("datacenters", "datacenter", "datastore", "working-dir")),
        f'soap-roundtrip-count = "{settings.get("soap-roundtrip-count") or 0}"',
        *_quoted(settings, present=("vm-uuid", "vm-name")),
    ]


def _quoted(
    settings: Mapping[str, Any], *, always: tuple[str, ...] = (), present: tuple[str, ...] = (), indent: bool = False
) -> list[str]:
    names = [*always, *(name for name in present if settings.get(name))]
    return [f'{"        " if indent else ""}{name} = "{settings.get(name) or ""}"' for name in names]
