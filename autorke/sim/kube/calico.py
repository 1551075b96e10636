"""Which kinds and fields a Calico version has (`calico.md` §1.3): the CRDs of a cluster, and what they prune."""

from __future__ import annotations

from typing import Any

from autorke.sim.kube.kinds import CALICO, CALICO_KINDS
from autorke.sim.kube.store import ApiError

STRING, BOOLEAN, INTEGER, ARRAY, OBJECT = "string", "boolean", "integer", "array", "object"
Version = tuple[int, int]

FIELDS: dict[str, dict[str, tuple[str, Version]]] = {
    "ippools": {
        "cidr": (STRING, (0, 0)),
        "blockSize": (INTEGER, (0, 0)),
        "ipipMode": (STRING, (0, 0)),
        "vxlanMode": (STRING, (0, 0)),
        "natOutgoing": (BOOLEAN, (0, 0)),
        "disabled": (BOOLEAN, (0, 0)),
        "nodeSelector": (STRING, (0, 0)),
        "ipip": (OBJECT, (0, 0)),
        "nat-outgoing": (BOOLEAN, (0, 0)),
        "allowedUses": (ARRAY, (3, 21)),
        "disableBGPExport": (BOOLEAN, (3, 21)),
    },
    "bgppeers": {
        "node": (STRING, (0, 0)),
        "nodeSelector": (STRING, (0, 0)),
        "peerIP": (STRING, (0, 0)),
        "peerSelector": (STRING, (0, 0)),
        "asNumber": (INTEGER, (0, 0)),
        "keepOriginalNextHop": (BOOLEAN, (3, 16)),
        "password": (OBJECT, (3, 16)),
        "sourceAddress": (STRING, (3, 18)),
        "maxRestartTime": (STRING, (3, 20)),
        "numAllowedLocalASNumbers": (INTEGER, (3, 23)),
        "reachableBy": (STRING, (3, 25)),
        "ttlSecurity": (INTEGER, (3, 25)),
        "filters": (ARRAY, (3, 26)),
    },
    "bgpconfigurations": {
        "asNumber": (INTEGER, (0, 0)),
        "nodeToNodeMeshEnabled": (BOOLEAN, (0, 0)),
        "logSeverityScreen": (STRING, (0, 0)),
        "serviceClusterIPs": (ARRAY, (0, 0)),
        "serviceExternalIPs": (ARRAY, (0, 0)),
        "communities": (ARRAY, (3, 16)),
        "prefixAdvertisements": (ARRAY, (3, 16)),
        "listenPort": (INTEGER, (3, 16)),
        "serviceLoadBalancerIPs": (ARRAY, (3, 18)),
        "bindMode": (STRING, (3, 23)),
        "nodeMeshPassword": (OBJECT, (3, 23)),
        "nodeMeshMaxRestartTime": (STRING, (3, 23)),
        "ignoredInterfaces": (ARRAY, (3, 25)),
    },
}
SINCE = {"ipreservations": (3, 21), "caliconodestatuses": (3, 21), "bgpfilters": (3, 26)}
TYPES: dict[str, tuple[type, ...]] = {
    STRING: (str,),
    BOOLEAN: (bool,),
    INTEGER: (int,),
    ARRAY: (list,),
    OBJECT: (dict,),
}


def served(version: Version) -> list[str]:
    """Plurals of the kinds that a Calico version has."""
    return [plural for plural in CALICO_KINDS if SINCE.get(plural, (0, 0)) <= version]


def schema(plural: str, version: Version) -> dict[str, str] | None:
    """Field to type of a kind's spec; None where the CRD leaves the spec open."""
    fields = FIELDS.get(plural)
    if fields is None:
        return None
    return {name: kind for name, (kind, since) in fields.items() if since <= version}


def prune(plural: str, obj: dict[str, Any], version: Version) -> dict[str, Any]:
    """What the API server stores: unknown fields dropped without a word (3.16 and later), wrong types refused."""
    fields = schema(plural, version)
    spec = obj.get("spec")
    if fields is None or not isinstance(spec, dict) or version < (3, 16):
        return obj
    for name, value in spec.items():
        if name in fields and value is not None and not _right(fields[name], value):
            raise ApiError(
                422,
                "Invalid",
                f'{CALICO_KINDS[plural].kind}.{CALICO} "{obj["metadata"].get("name")}" is invalid: spec.{name}: '
                f'Invalid value: "{type(value).__name__}": spec.{name} in body must be of type {fields[name]}',
            )
    return obj | {"spec": {name: value for name, value in spec.items() if name in fields}}


def _right(kind: str, value: object) -> bool:
    if isinstance(value, bool):
        return kind == BOOLEAN
    if kind == INTEGER and isinstance(value, int):
        return -(2**31) <= value < 2**31
    return isinstance(value, TYPES[kind])


def definitions(version: Version) -> list[dict[str, Any]]:
    """The CustomResourceDefinition objects."""
    out = []
    for plural in served(version):
        kind = CALICO_KINDS[plural]
        fields = schema(plural, version)
        spec: dict[str, Any] = {"type": "object"}
        if fields is None:
            spec["x-kubernetes-preserve-unknown-fields"] = True
        else:
            spec["properties"] = {name: {"type": of} for name, of in fields.items()}
        body = {"type": "object", "properties": {"metadata": {"type": "object"}, "spec": spec}}
        names = {"kind": kind.kind, "listKind": f"{kind.kind}List", "plural": plural, "singular": kind.kind.lower()}
        out.append({
            "metadata": {"name": f"{plural}.{CALICO}"},
            "spec": {
                "group": CALICO,
                "names": names,
                "scope": "Cluster",
                "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": body}}],
            },
        })  # fmt: skip
    return out
