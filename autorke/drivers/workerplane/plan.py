"""What joining one worker will do, frozen before anything is done. It can be shown; its repr() holds no secret."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autorke.drivers.rkefiles.nodes import RkeNode
from autorke.drivers.rkefiles.rkestate import certificate_fingerprint
from autorke.drivers.workerplane.config import ClusterConfig, HostInfo, join_path
from autorke.drivers.workerplane.facts import CLOUD_CONFIG_PATH, SSL_DIR, WEBHOOK_PATH
from autorke.drivers.workerplane.masking import mask_text
from autorke.drivers.workerplane.oneshots import Bundle, cert_deployer, file_deployers, worker_certificates
from autorke.drivers.workerplane.registries import credentials_for, docker_config
from autorke.drivers.workerplane.spec import ContainerSpec, worker_containers


@dataclass(frozen=True)
class PlannedImage:
    name: str
    auth: Mapping[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class JoinPlan:
    """Images, certificates, files and containers of one new worker.

    `certificate_hashes` maps file names in `ssl_dir` to the SHA-256 of the certificate that must be in them;
    `secret_files` are further files that must exist there, `authority` is the cluster's CA certificate.
    """

    node: RkeNode
    config: ClusterConfig = field(repr=False)
    images: tuple[PlannedImage, ...]
    certificate_names: tuple[str, ...]
    certificate_hashes: Mapping[str, str]
    secret_files: tuple[str, ...]
    authority: str = field(repr=False)
    ssl_dir: str
    cert_deployer: ContainerSpec
    file_deployers: tuple[ContainerSpec, ...]
    containers: tuple[ContainerSpec, ...]
    secrets: tuple[str, ...] = field(repr=False)

    def shown(self) -> dict[str, Any]:
        """For people and for the hash of a ticket's plan: names of certificates, digests of files, masked values."""
        return {
            "node": {
                "address": self.node.address,
                "internal_address": self.node.internal_address,
                "hostname": self.node.hostname,
                "labels": dict(self.node.labels),
                "taints": [f"{taint.key}={taint.value}:{taint.effect}" for taint in self.node.taints],
            },
            "images": [{"name": image.name, "with_credentials": image.auth is not None} for image in self.images],
            "certificates": list(self.certificate_names),
            "files": [{"path": path, "sha256": digest} for path, digest in self._files()],
            "containers": [
                {"name": spec.name, "order": order, "create": _masked(spec.create_body())}
                for order, spec in enumerate(self.containers, start=1)
            ],
        }

    def _files(self) -> list[tuple[str, str]]:
        files = []
        if self.config.cloud.name:
            files.append((CLOUD_CONFIG_PATH, _digest(self.config.cloud.config)))
        if self.config.webhook_config is not None:
            files.append((WEBHOOK_PATH, _digest(self.config.webhook_config)))
        return files


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _masked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item) for item in value]
    return mask_text(value) if isinstance(value, str) else value


def plan_join(
    config: ClusterConfig, node: RkeNode, host: HostInfo, bundle: Bundle, *, cluster_nodes: Sequence[RkeNode]
) -> JoinPlan:
    """Compute the plan. `bundle` is the state's certificatesBundle, with the node's serving certificate where the
    cluster has those; `cluster_nodes` are all nodes afterwards, the new one included.

    Raises CertificateMissing.
    """
    names = worker_certificates(config, cluster_nodes)
    deployer = cert_deployer(config, host, bundle, names)
    containers = worker_containers(config, node, host)
    deployed = [bundle[name] for name in names]
    return JoinPlan(
        node=node,
        config=config,
        images=_images(config, containers),
        certificate_names=names,
        certificate_hashes={f"{name}.pem": certificate_fingerprint(bundle[name]["certificatePEM"]) for name in names},
        secret_files=tuple(_secret_files(names, bundle)),
        authority=str(bundle["kube-ca"]["certificatePEM"]),
        ssl_dir=join_path(config.prefix_on(host), SSL_DIR),
        cert_deployer=deployer,
        file_deployers=file_deployers(config, host),
        containers=containers,
        secrets=_secrets(config, deployed),
    )


def _images(config: ClusterConfig, containers: Sequence[ContainerSpec]) -> tuple[PlannedImage, ...]:
    """Each once, in the order of need. The pause image is for the first pod; newer rke pulls it too."""
    names = [config.certificate_image, config.tools_image, *(spec.image for spec in containers), config.pause_image]
    return tuple(PlannedImage(name, credentials_for(name, config.registries)) for name in dict.fromkeys(names))


def _secret_files(names: Sequence[str], bundle: Bundle) -> list[str]:
    files = [f"{name}-key.pem" for name in names if name != "kube-ca"]
    return files + [f"kubecfg-{name}.yaml" for name in names if bundle[name].get("config")]


def _secrets(config: ClusterConfig, deployed: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """What must never appear in a line or an error: keys, registry passwords, the kubelet's docker config."""
    values = [str(entry.get("keyPEM") or "") for entry in deployed]
    values += [registry.password for registry in config.registries]
    values += [base64.b64encode(f"{r.user}:{r.password}".encode()).decode() for r in config.registries if r.password]
    if config.registries:
        values.append(base64.b64encode(docker_config(config.registries).encode()).decode())
    values.append(config.cloud.config)
    values.append(config.webhook_config or "")
    return tuple(value for value in values if value)
