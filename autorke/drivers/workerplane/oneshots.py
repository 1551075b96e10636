"""The short-lived containers that prepare a worker: certificates, files, log links (rke.md §4.5, §4.7).

Their environment carries keys and passwords. `ContainerSpec` leaves it out of repr(), and nothing here logs it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autorke.drivers.rkefiles.nodes import RkeNode
from autorke.drivers.workerplane.config import ClusterConfig, HostInfo, join_path
from autorke.drivers.workerplane.errors import CertificateMissing
from autorke.drivers.workerplane.facts import CLOUD_CONFIG_PATH, LOG_DIR, TYPE_LABEL, WEBHOOK_PATH
from autorke.drivers.workerplane.spec import ContainerSpec, serving_certificate_name

Bundle = Mapping[str, Mapping[str, Any]]

CERT_DEPLOYER = "cert-deployer"
FILE_DEPLOYER = "file-deployer"
LOG_LINKER = "rke-log-linker"
ONE_SHOTS = (CERT_DEPLOYER, FILE_DEPLOYER, LOG_LINKER)


def worker_certificates(config: ClusterConfig, nodes: Sequence[RkeNode]) -> tuple[str, ...]:
    """Names of the bundle entries that a worker gets: with serving certificates one of every node (rke.md §4.7)."""
    shared = ("kube-ca", "kube-proxy", "kube-node")
    if not config.serving_certificates:
        return shared
    return (*shared, *(serving_certificate_name(node) for node in nodes))


def cert_deployer(config: ClusterConfig, host: HostInfo, bundle: Bundle, names: Sequence[str]) -> ContainerSpec:
    """Writes each certificate, key and kubeconfig below /etc/kubernetes/ssl unless the file is there already.

    Raises CertificateMissing. The CA's key never leaves the state: a worker has no use for it.
    """
    env = [line for name in names for line in _certificate_env(name, bundle)]
    return ContainerSpec(
        name=CERT_DEPLOYER,
        image=config.certificate_image,
        cmd=("cert-deployer",),
        env=tuple(sorted(env)),
        binds=(_kubernetes_bind(config, host),),
        privileged=True,
    )


def _certificate_env(name: str, bundle: Bundle) -> list[str]:
    entry = bundle.get(name)
    if entry is None or not entry.get("certificatePEM") or not entry.get("envName"):
        raise CertificateMissing(field=f"certificatesBundle.{name}", name=name)
    env = [f"{entry['envName']}={entry['certificatePEM']}"]
    if name != "kube-ca":
        if not entry.get("keyPEM"):
            raise CertificateMissing(field=f"certificatesBundle.{name}.keyPEM", name=name)
        env.append(f"{entry['keyEnvName']}={entry['keyPEM']}")
    if entry.get("config") and entry.get("configEnvName"):
        env.append(f"{entry['configEnvName']}={entry['config']}")
    return env


def file_deployers(config: ClusterConfig, host: HostInfo) -> tuple[ContainerSpec, ...]:
    """The files that workers share with the control plane: cloud-config and the authentication webhook's config."""
    files: list[ContainerSpec] = []
    if config.cloud.name:
        files.append(_file_deployer(config, host, CLOUD_CONFIG_PATH, config.cloud.config))
    if config.webhook_config is not None:
        files.append(_file_deployer(config, host, WEBHOOK_PATH, config.webhook_config))
    return tuple(files)


def _file_deployer(config: ClusterConfig, host: HostInfo, path: str, content: str) -> ContainerSpec:
    """An empty content removes the file; only an empty cloud-config is written."""
    writes = bool(content) or path == CLOUD_CONFIG_PATH
    script = (
        f't=$(mktemp); echo -e "$FILE_DEPLOY" > $t && mv $t {path} && chmod 600 {path}' if writes else f"rm -f {path}"
    )
    labelled = config.strips_selinux_relabel and host.selinux
    return ContainerSpec(
        name=FILE_DEPLOYER,
        image=config.tools_image,
        cmd=("sh", "-c", script),
        env=(f"FILE_DEPLOY={content}",) if writes else None,
        binds=(_kubernetes_bind(config, host),),
        security_opt=(TYPE_LABEL,) if labelled else None,
    )


def log_linker(config: ClusterConfig, container: str, container_id: str, log_path: str) -> ContainerSpec:
    """Links a container's log into /var/lib/rancher/rke/log, where log collectors look for it.

    `container_id` and `log_path` are Docker's answers, not input of a person.
    """
    link = f"{LOG_DIR}/{container}_{container_id}.log"
    return ContainerSpec(
        name=LOG_LINKER,
        image=config.tools_image,
        cmd=("sh", "-c", f"mkdir -p {LOG_DIR} ; ln -s {log_path} {link}"),
        binds=("/var/lib:/var/lib",),
        privileged=True,
        tty=True,
    )


def _kubernetes_bind(config: ClusterConfig, host: HostInfo) -> str:
    bind = f"{join_path(config.prefix_on(host), '/etc/kubernetes')}:/etc/kubernetes"
    return bind if config.strips_selinux_relabel else f"{bind}:z"
