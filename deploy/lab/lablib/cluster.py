"""The cluster of the lab: made once, found again later, put back to its first state on request."""

import contextlib
import shutil
import time

from lablib import creation, machines, stock
from lablib.kubernetes import apply, ask, ready_nodes
from lablib.process import log, wait_until
from lablib.settings import FREE, HERE, MEMBERS, Lab, LabError, rke_binary

FILES = ("cluster.yml", "cluster.rkestate", "kube_config_cluster.yml")


def ensure(lab: Lab) -> None:
    """Have the cluster of m1 and m2, with its pod network and both nodes Ready.

    A creation that did not get to its end is begun again on fresh machines.
    """
    first = lab.state / "cluster-as-created"
    if not first.exists():
        begin = time.monotonic()
        rke = rke_binary()
        if rke:
            stock.up(lab, rke)
        else:
            if lab.cluster.exists():
                log.info("an earlier creation did not end: making the cluster's machines anew")
                machines.rebuild(lab, MEMBERS)
            creation.create(lab)
        _finish(lab, "rke" if rke else "lab")
        log.info("cluster ready after %.0f s", time.monotonic() - begin)
    else:
        _wait_ready(lab)


def created_by(lab: Lab) -> str:
    """`rke` if the user's stock rke made the cluster, `lab` if the lab's own code did."""
    return (lab.state / "cluster-as-created" / "creator").read_text()


def reset(lab: Lab) -> None:
    """Undo what a test did: fresh free machines, their nodes gone, cluster files and in-cluster state as created."""
    machines.rebuild(lab, FREE)  # before their nodes go: a running kubelet would register its node again
    for name in ask(lab, "get", "nodes", "-o", "jsonpath={.items[*].metadata.name}").split():
        if name in {machine.name for machine in FREE}:
            ask(lab, "delete", "node", name)
    shutil.rmtree(lab.cluster)
    lab.cluster.mkdir(mode=0o700)
    for name in FILES:
        shutil.copy2(lab.state / "cluster-as-created" / name, lab.cluster / name)
    creation.save_state(lab)
    _wait_ready(lab)


def _finish(lab: Lab, creator: str) -> None:
    """Pod network, readiness, then a copy of the files; the copy also marks the creation as complete."""
    apply(lab, (HERE / "cni.yml").read_text())
    _wait_ready(lab)
    part = lab.state / "cluster-as-created.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700)
    for name in FILES:
        shutil.copy2(lab.cluster / name, part / name)
    (part / "creator").write_text(creator)
    part.rename(lab.state / "cluster-as-created")


def _wait_ready(lab: Lab) -> None:
    """Machines that were started again bring their API server up a little later than their Docker Engine."""
    wanted = {machine.name for machine in MEMBERS}

    def ready() -> bool:
        with contextlib.suppress(LabError):
            return wanted <= ready_nodes(lab)
        return False

    wait_until("nodes Ready", ready, seconds=300, pause=1)
