"""The certificates on the target: whose they are, and putting in place what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from autorke.drivers.rkefiles.errors import StateIncomplete
from autorke.drivers.rkefiles.rkestate import certificate_fingerprint
from autorke.drivers.workerplane.certificates import first_certificate, issued_by
from autorke.drivers.workerplane.errors import CertificateMissing, ForeignCluster
from autorke.drivers.workerplane.machine import Machine
from autorke.drivers.workerplane.plan import JoinPlan
from autorke.drivers.workerplane.spec import ContainerSpec, serving_certificate_name

_READER = "autorke-certificate-reader"
_MARK = "=== "
_SCRIPT = f'cd /ssl && for f in "$@"; do echo "{_MARK}$f"; cat "$f"; done'


def refuse_other_certificates(machine: Machine, plan: JoinPlan, *, through_docker: bool) -> frozenset[str]:
    """Stop at a certificate of another cluster: a join never overwrites files, so the kubelet would use the old ones
    (rke.md §0.9). Raises ForeignCluster.

    A login user who may neither read them nor use sudo can still read them with Docker, once the image is there;
    before that (`through_docker=False`) unreadable files are left for the second look. Returns the names of this node's
    own serving certificate if an earlier attempt at this join left another one of our CA.
    """
    files = ssl_files(machine, plan)
    present = [name for name in plan.certificate_hashes if name in files]
    texts = {name: machine.read_file(f"{plan.ssl_dir}/{name}") for name in present}
    unreadable = [name for name, text in texts.items() if text is None]
    if unreadable and through_docker:
        texts = _read_through_docker(machine, plan, present)
    elif unreadable:
        present = [name for name in present if name not in unreadable]
    differing = [name for name in present if _fingerprint(texts.get(name)) != plan.certificate_hashes[name]]
    for name in differing:
        if name != f"{serving_certificate_name(plan.node)}.pem" or not _is_ours(texts.get(name), plan):
            raise ForeignCluster(field=f"{plan.ssl_dir}/{name}", node=machine.name, what=name)
    return frozenset(differing)


def _is_ours(text: str | None, plan: JoinPlan) -> bool:
    certificate = first_certificate(text or "")
    return certificate is not None and issued_by(certificate, plan.authority)


def _fingerprint(text: str | None) -> str | None:
    certificate = first_certificate(text or "")
    try:
        return certificate_fingerprint(certificate) if certificate else None
    except StateIncomplete:
        return None


def _read_through_docker(machine: Machine, plan: JoinPlan, names: Sequence[str]) -> dict[str, str | None]:
    """Certificates only, never keys: what a container prints lands in a log file of the machine."""
    reader = ContainerSpec(
        name=_READER,
        image=plan.cert_deployer.image,
        cmd=("sh", "-c", _SCRIPT, "sh", *names),
        binds=(f"{plan.ssl_dir}:/ssl:ro",),
        privileged=True,
    )
    if machine.docker.inspect(_READER) is not None:
        machine.remove(_READER)
    output = machine.output_of(reader)
    parts = (part.partition("\n") for part in output.split(_MARK))
    return {name.strip(): text for name, _, text in parts}


def ssl_files(machine: Machine, plan: JoinPlan) -> set[str]:
    """Names in the certificate directory; empty when it does not exist."""
    answer = machine.read(["ls", "-1", plan.ssl_dir])
    return set(answer.stdout.split()) if answer.ok else set()


def deploy_certificates(machine: Machine, plan: JoinPlan) -> None:
    """Run cert-deployer unless every file is there; then look that they are, since its exit code says nothing.

    Raises ForeignCluster, CertificateMissing.
    """
    outdated = refuse_other_certificates(machine, plan, through_docker=True)
    expected = {*plan.certificate_hashes, *plan.secret_files}
    if not outdated and expected <= ssl_files(machine, plan):
        machine.say("certificates are in place")
        return
    exit_code = machine.run_once(_forced(plan.cert_deployer) if outdated else plan.cert_deployer)
    missing = sorted(expected - ssl_files(machine, plan))
    if not missing:
        missing = sorted(refuse_other_certificates(machine, plan, through_docker=True))
    if missing:
        machine.say(f"cert-deployer ended with {exit_code}; missing: {', '.join(missing[:5])}")
        raise CertificateMissing(field=plan.ssl_dir, name=f"{plan.ssl_dir}/{missing[0]}")


def _forced(deployer: ContainerSpec) -> ContainerSpec:
    """Overwrites .pem files: only after all of them but the node's own were found to be equal."""
    return replace(deployer, env=(*(deployer.env or ()), "FORCE_DEPLOY=true"))
