"""kubectl against the lab's cluster, with the administrator's kubeconfig."""

import json

from lablib.process import run
from lablib.settings import Lab


def kubectl(lab: Lab, *args: str) -> list[str]:
    """Arguments of one kubectl call."""
    return [str(lab.binaries / "kubectl"), "--kubeconfig", str(lab.kubeconfig), "--request-timeout=60s", *args]


def ask(lab: Lab, *args: str, seconds: float = 180) -> str:
    """Run kubectl, return its output. Raises LabError with its message."""
    return run(kubectl(lab, *args), seconds=seconds)


def apply(lab: Lab, manifest: str) -> None:
    """Create or update the objects of `manifest` (YAML or JSON), server-side: no annotation limits their size."""
    run(kubectl(lab, "apply", "--server-side", "--force-conflicts", "-f", "-"), stdin=manifest)


def ready_nodes(lab: Lab) -> set[str]:
    """Names of the nodes that are Ready."""
    items = json.loads(ask(lab, "get", "nodes", "-o", "json"))["items"]
    return {
        item["metadata"]["name"]
        for item in items
        if any(c["type"] == "Ready" and c["status"] == "True" for c in item["status"]["conditions"])
    }
