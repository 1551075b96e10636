"""cluster.rkestate: read and validate it, tell whose it is, and add workers to it (rke.md §2).

rke drops read errors of this file and then makes a new CA, so everything here refuses early and says why.
"""

from __future__ import annotations

import hashlib
import json
import ssl
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from autorke.drivers.rkefiles.cluster_yml import ClusterYml
from autorke.drivers.rkefiles.errors import (
    ChangePending,
    FileTooLarge,
    PhantomNode,
    StateIncomplete,
    StateLacksNode,
    StateNotJson,
    StateOfOtherCluster,
)
from autorke.drivers.rkefiles.nodes import RkeNode, node_from_state

SIZE_LIMIT = 64 * 1024 * 1024
STATES = ("desiredState", "currentState")
CA_NAME = "kube-ca"
_NEEDED_CERTIFICATES = (CA_NAME, "kube-node", "kube-proxy", "kube-apiserver", "kube-admin")


@dataclass(frozen=True)
class RkeState:
    """A whole state file, never changed. Keys and passwords are in `document`, so it has no repr()."""

    document: Mapping[str, Any] = field(repr=False)

    @property
    def desired_config(self) -> Mapping[str, Any]:
        return _config(self.document, "desiredState")

    @property
    def current_config(self) -> Mapping[str, Any]:
        return _config(self.document, "currentState")

    @property
    def certificates(self) -> Mapping[str, Mapping[str, Any]]:
        bundle: Mapping[str, Mapping[str, Any]] = self.document["currentState"]["certificatesBundle"]
        return bundle

    @cached_property
    def nodes(self) -> tuple[RkeNode, ...]:
        """The nodes that the last successful run deployed."""
        return tuple(node_from_state(entry) for entry in self.current_config["nodes"])

    @cached_property
    def desired_nodes(self) -> tuple[RkeNode, ...]:
        return tuple(node_from_state(entry) for entry in self.desired_config["nodes"])

    @property
    def ca_fingerprint(self) -> str:
        return certificate_fingerprint(str(self.certificates[CA_NAME]["certificatePEM"]))


def _config(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    config: Mapping[str, Any] = document[name]["rkeConfig"]
    return config


def read_state(text: str) -> RkeState:
    """Parse and validate a state that is to be used for a change.

    Raises StateNotJson (also for a truncated file), StateIncomplete (no rkeConfig, no certificates, no nodes) or
    FileTooLarge.
    """
    document = _parse(text)
    for name in STATES:
        state = document.get(name)
        if not isinstance(state, dict):
            raise StateIncomplete(field=name, what=name)
        _check_config(state.get("rkeConfig"), f"{name}.rkeConfig")
        _check_certificates(state.get("certificatesBundle"), f"{name}.certificatesBundle")
    state = RkeState(document)
    bundles = {
        certificate_fingerprint(document[name]["certificatesBundle"][CA_NAME]["certificatePEM"]) for name in STATES
    }
    if len(bundles) != 1:
        raise StateOfOtherCluster(
            field="desiredState.certificatesBundle.kube-ca",
            what="kube-ca",
            expected=state.ca_fingerprint[:16],
            actual="desiredState",
        )
    return state


def read_rke_config(text: str) -> Mapping[str, Any]:
    """Only the rkeConfig (of desiredState, else of currentState): enough to compute containers, no certificates."""
    document = _parse(text)
    for name in STATES:
        state = document.get(name)
        if isinstance(state, dict) and state.get("rkeConfig"):
            _check_config(state["rkeConfig"], f"{name}.rkeConfig")
            config: Mapping[str, Any] = state["rkeConfig"]
            return config
    raise StateIncomplete(field="desiredState.rkeConfig", what="desiredState.rkeConfig")


def _parse(text: str) -> dict[str, Any]:
    size = len(text.encode(errors="replace"))
    if size > SIZE_LIMIT:
        raise FileTooLarge(field="cluster.rkestate", file="cluster.rkestate", size=size, limit=SIZE_LIMIT)
    try:
        document = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise StateNotJson(field="cluster.rkestate", line=error.lineno, column=error.colno) from error
    except (RecursionError, ValueError) as error:
        raise StateNotJson(field="cluster.rkestate", line=1, column=1) from error
    if not isinstance(document, dict):
        raise StateIncomplete(field="cluster.rkestate", what="desiredState")
    return document


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _check_config(config: object, path: str) -> None:
    if not isinstance(config, dict):
        raise StateIncomplete(field=path, what=path)
    nodes = config.get("nodes")
    if not isinstance(nodes, list) or not nodes:
        raise StateIncomplete(field=f"{path}.nodes", what=f"{path}.nodes")
    for index, node in enumerate(nodes):
        if (
            not isinstance(node, dict)
            or not isinstance(node.get("address"), str)
            or not _is_role_list(node.get("role"))
        ):
            raise StateIncomplete(field=f"{path}.nodes[{index}]", what=f"{path}.nodes[{index}].address/role")
    if not isinstance(config.get("services"), dict) or not config.get("kubernetesVersion"):
        raise StateIncomplete(field=path, what=f"{path}.services/kubernetesVersion")


def _is_role_list(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(role, str) for role in value)


def _check_certificates(bundle: object, path: str) -> None:
    if not isinstance(bundle, dict):
        raise StateIncomplete(field=path, what=path)
    for name in _NEEDED_CERTIFICATES:
        entry = bundle.get(name)
        if not isinstance(entry, dict) or not isinstance(entry.get("certificatePEM"), str):
            raise StateIncomplete(field=f"{path}.{name}", what=f"{path}.{name}")
        certificate_fingerprint(entry["certificatePEM"], path=f"{path}.{name}")


def certificate_fingerprint(pem: str, *, path: str = "certificatePEM") -> str:
    """SHA-256 of the certificate's DER bytes, in hex.

    rke's CA certificates have the serial number 0, which X.509 libraries warn about or refuse (rke.md §13); a
    fingerprint needs no parsing of the certificate, only of the PEM armour.
    """
    try:
        der = ssl.PEM_cert_to_DER_cert(pem.strip())
    except (ValueError, UnicodeError) as error:
        raise StateIncomplete(field=path, what=path) from error
    if der[:1] != b"\x30":
        raise StateIncomplete(field=path, what=path)
    return hashlib.sha256(der).hexdigest()


def check_belongs(state: RkeState, cluster: ClusterYml, *, ca_fingerprint: str | None = None) -> None:
    """The state is of this cluster.yml: same nodes by address and hostname, and the CA where one is known.

    Raises StateOfOtherCluster, PhantomNode (rke would wipe that machine) or StateLacksNode.
    """
    if ca_fingerprint is not None and state.ca_fingerprint != ca_fingerprint:
        raise StateOfOtherCluster(
            field="certificatesBundle.kube-ca",
            what="CA",
            expected=ca_fingerprint[:16],
            actual=state.ca_fingerprint[:16],
        )
    in_state = {node.address: node for node in state.nodes}
    in_yaml = {node.address: node for node in cluster.nodes}
    if in_yaml and not in_state.keys() & in_yaml.keys():
        raise StateOfOtherCluster(
            field="rkeConfig.nodes", what="nodes", expected=_listed(in_yaml), actual=_listed(in_state)
        )
    phantoms = [address for address in in_state if address not in in_yaml]
    if phantoms:
        raise PhantomNode(field="currentState.rkeConfig.nodes", nodes=_listed(phantoms))
    missing = [address for address in in_yaml if address not in in_state]
    if missing:
        raise StateLacksNode(field="nodes", nodes=_listed(missing))
    for address, node in in_yaml.items():
        _check_same_node(node, in_state[address])


def _check_same_node(node: RkeNode, deployed: RkeNode) -> None:
    for what in ("hostname", "internal_address", "roles"):
        expected, actual = getattr(node, what), getattr(deployed, what)
        if set(expected) != set(actual) if what == "roles" else expected != actual:
            raise StateOfOtherCluster(
                field=f"nodes[{node.address}].{what}",
                what=f"{node.address} {what}",
                expected=_plain(expected),
                actual=_plain(actual),
            )


def _plain(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else ",".join(value)


def _listed(addresses: Iterable[str]) -> str:
    """At most ten of them, for an error text."""
    names = list(addresses)
    return ", ".join(names[:10]) + (" …" if len(names) > 10 else "")


def check_settled(state: RkeState) -> None:
    """desiredState and currentState agree: no earlier run stopped half-way. Raises ChangePending naming the fields.

    The upgrade strategy does not count: it says how to change things, and rke fills it in on its way.
    """
    desired, current = state.desired_config, state.current_config
    keys = sorted({*desired, *current} - {"upgradeStrategy"})
    differing = [key for key in keys if _settled(desired, key) != _settled(current, key)]
    if differing:
        raise ChangePending(field="desiredState.rkeConfig", fields=", ".join(differing))


def _settled(config: Mapping[str, Any], key: str) -> Any:
    """A setting without what rke itself writes into the current state only: checksums in `extraEnv`."""
    value = config.get(key)
    if key != "services" or not isinstance(value, Mapping):
        return value
    return {name: _without_checksums(service) for name, service in value.items()}


def _without_checksums(service: Mapping[str, Any]) -> dict[str, Any]:
    kept: Sequence[str] = [line for line in service.get("extraEnv") or () if "_CHECKSUM=" not in line]
    rest = {key: value for key, value in service.items() if key != "extraEnv"}
    return {**rest, "extraEnv": kept} if kept else rest
