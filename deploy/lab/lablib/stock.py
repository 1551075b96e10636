"""Creates the lab's cluster with the user's own stock rke, where one is found."""

from functools import partial

from lablib import rkefiles
from lablib.machines import ssh_argv
from lablib.process import log, run, succeeds, wait_until
from lablib.settings import MEMBERS, Lab


def up(lab: Lab, rke: str, *options: str) -> str:
    """`rke up` in the cluster's directory, as an operator runs it; returns its log. Raises LabError if it fails.

    Safe to repeat: a run that stopped half-way goes on.
    """
    lab.cluster.mkdir(mode=0o700, parents=True, exist_ok=True)
    configuration = lab.cluster / "cluster.yml"
    if not configuration.exists():
        configuration.write_text(rkefiles.cluster_yml(lab))
    for machine in MEMBERS:
        reachable = partial(succeeds, [*ssh_argv(lab, machine), "docker version"])
        wait_until(f"Docker on {machine.name}", reachable, seconds=180)
    log.info("running %s up", rke)
    return run([rke, "up", "--config", "cluster.yml", *options], cwd=lab.cluster, seconds=1800)
