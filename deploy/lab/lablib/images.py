"""The images of the lab: built once on the lab's own engine, kept as archives in the cache, named by their content."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from lablib import packages
from lablib.engine import docker
from lablib.process import log, run
from lablib.settings import (
    CLUSTER_IMAGES,
    CNI,
    ETCD,
    HERE,
    HYPERKUBE,
    KUBERNETES_BUILD,
    MACHINE,
    PAUSE,
    RKE_TOOLS,
    Lab,
    LabError,
)

BASE = "autorke-lab/base"
ROOT = "autorke-lab/debootstrap"
BUILDS = {
    "base": BASE,
    "machine": MACHINE,
    "pause": PAUSE,
    "etcd": ETCD,
    "rke-tools": RKE_TOOLS,
    "hyperkube": HYPERKUBE,
    "cni": CNI,
}
"""Directory below images/ -> image name, in build order."""


def ensure_kubernetes(lab: Lab) -> None:
    """Build the Kubernetes components if the cache lacks them (about 6 minutes on two idle cores)."""
    if (lab.binaries / "hyperkube").exists():
        return
    packages.ensure(packages.FOR_KUBERNETES)
    log.info("building Kubernetes %s from Debian's source package into %s", KUBERNETES_BUILD, lab.binaries)
    work = lab.cache / "build" / f"kubernetes-{KUBERNETES_BUILD}"
    run(["nice", HERE / "build-kubernetes.sh", KUBERNETES_BUILD, work, lab.binaries], seconds=3600)
    shutil.rmtree(work)


def ensure(lab: Lab) -> None:
    """Have the archives of all images in the cache; build what is missing."""
    machine, cluster = archives(lab)
    if machine.exists() and cluster.exists():
        return
    packages.ensure(packages.FOR_IMAGES)
    _import_root(lab)
    for directory, name in BUILDS.items():
        log.info("building image %s", name)
        _build(lab, HERE / "images" / directory, name)
    machine.parent.mkdir(parents=True, exist_ok=True)
    _save(lab, machine, (MACHINE,))
    _save(lab, cluster, CLUSTER_IMAGES)
    for old in machine.parent.glob("*.tar"):
        if old not in (machine, cluster):
            old.unlink()


def archives(lab: Lab) -> tuple[Path, Path]:
    """Archive of the machine image and archive of the cluster images, named by the content they are built from."""
    digest = hashlib.sha256(KUBERNETES_BUILD.encode())
    for file in sorted((HERE / "images").rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            digest.update(file.relative_to(HERE).as_posix().encode() + b"\0" + file.read_bytes())
    key = digest.hexdigest()[:12]
    return lab.cache / "lab" / f"machine-{key}.tar", lab.cache / "lab" / f"cluster-{key}.tar"


def load_machine(lab: Lab) -> None:
    """Load the machine image into the lab's engine, unless it is this very build already."""
    machine, _ = archives(lab)
    mark = lab.state / "engine" / "machine-image"
    if not mark.exists() or mark.read_text() != machine.name:
        docker(lab, "load", "--input", machine, seconds=900)
        mark.write_text(machine.name)


def _import_root(lab: Lab) -> None:
    """A Debian minbase as image, through an archive in the cache. Raises LabError if debootstrap fails."""
    archive = lab.cache / "lab" / "debian-bookworm-minbase"
    archive.parent.mkdir(parents=True, exist_ok=True)
    if not archive.exists():
        log.info("making a Debian root file system with debootstrap")
        with tempfile.TemporaryDirectory(dir=lab.state) as directory:
            root = Path(directory, "root")
            run(["debootstrap", "--variant=minbase", "bookworm", root], seconds=1800)
            for unneeded in ("var/cache/apt/archives", "var/lib/apt/lists"):
                shutil.rmtree(root / unneeded)
            part = archive.with_suffix(".part")
            run(["tar", "-C", root, "-cf", part, "."], seconds=900)
            part.rename(archive)
    docker(lab, "import", archive, ROOT, seconds=900)


def _build(lab: Lab, context: Path, name: str) -> None:
    """Build one image with the computer's own network, under `name` and, for use in FROM, its name without tag."""
    with tempfile.TemporaryDirectory(dir=lab.state) as directory:
        copy = Path(directory, "context")
        shutil.copytree(context, copy)
        if name == HYPERKUBE:
            shutil.copy2(lab.binaries / "hyperkube", copy / "hyperkube")
        argv = ["docker", "-H", lab.socket, "build", "-q", "--network", "host", "-t", name, "-t", name.split(":")[0]]
        run([*argv, copy], env={**os.environ, "DOCKER_BUILDKIT": "0"}, seconds=1800)


def _save(lab: Lab, archive: Path, names: tuple[str, ...]) -> None:
    """Write the images to `archive`, complete or not at all."""
    part = archive.with_suffix(".part")
    docker(lab, "save", "--output", part, *names, seconds=900)
    part.rename(archive)


def load_into(ssh: list[str], archive: Path) -> None:
    """`docker load` on a machine, the archive streamed over `ssh` (an argument list up to the host)."""
    with archive.open("rb") as stream:
        done = subprocess.run([*ssh, "docker load --quiet"], stdin=stream, capture_output=True, timeout=900)
    if done.returncode:
        raise LabError(f"docker load over SSH: {done.stderr.decode(errors='replace')[-500:]}")
