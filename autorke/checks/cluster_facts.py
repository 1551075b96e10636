"""The cluster's files and control hosts, read once before the rules of the cluster run."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime

from autorke.checks.context import ClusterContext
from autorke.checks.facts import ControlHostFacts
from autorke.core.errors import AutoRkeError
from autorke.drivers.rkefiles.cluster_yml import ClusterYml
from autorke.drivers.rkefiles.rkestate import RkeState

_UTC_TIME, _VERSION = 0x17, 0xA0


@dataclass(frozen=True)
class Certificate:
    name: str
    not_after: datetime


@dataclass(frozen=True)
class ClusterFacts:
    """cluster.yml and rkestate, or why they cannot be used; what the control hosts answered."""

    config: ClusterYml | None = None
    config_error: AutoRkeError | None = None
    state: RkeState | None = None
    state_error: AutoRkeError | None = None
    certificates: tuple[Certificate, ...] = ()
    control_hosts: tuple[ControlHostFacts, ...] = ()


def read_cluster(context: ClusterContext, control_hosts: tuple[ControlHostFacts, ...] = ()) -> ClusterFacts:
    """Parse the texts of the context. Nothing is raised: a file that cannot be used is a fact."""
    config, config_error = None, None
    try:
        config = context.files.config(context.cluster_yml)
    except AutoRkeError as error:
        config_error = error
    state, state_error = None, None
    try:
        state = context.files.state(context.rkestate)
    except AutoRkeError as error:
        state_error = error
    certificates = _certificates(state) if state is not None else ()
    return ClusterFacts(config, config_error, state, state_error, certificates, control_hosts)


def _certificates(state: RkeState) -> tuple[Certificate, ...]:
    found = []
    for name, entry in sorted(state.certificates.items()):
        pem = entry.get("certificatePEM")
        if isinstance(pem, str) and pem:
            found.append(Certificate(name, not_after(pem)))
    return tuple(found)


def not_after(pem: str) -> datetime:
    """When a certificate ends.

    Read straight from the DER form: rke's CA has serial number 0, which X.509 libraries warn about or refuse (rke.md
    §13). TBSCertificate is: [0] version, serial, signature, issuer, validity (two times), …
    """
    der = ssl.PEM_cert_to_DER_cert(pem.strip())
    _, certificate, _ = _element(der)
    _, rest, _ = _element(certificate)
    tag, _, after = _element(rest)
    if tag == _VERSION:
        rest = after
    for _skipped in ("serial", "signature", "issuer"):
        _, _, rest = _element(rest)
    _, validity, _ = _element(rest)
    _, _, second = _element(validity)
    tag, value, _ = _element(second)
    form = "%y%m%d%H%M%SZ" if tag == _UTC_TIME else "%Y%m%d%H%M%SZ"
    return datetime.strptime(value.decode("ascii"), form).replace(tzinfo=UTC)


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """(tag, content, what follows) of the first DER element."""
    tag, length, start = data[0], data[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
    return tag, data[start : start + length], data[start + length :]
