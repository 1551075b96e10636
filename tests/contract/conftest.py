"""Every contract test runs on every edge."""

from tests.contract.edges import edge
from tests.contract.kube_edges import kube_edge

__all__ = ["edge", "kube_edge"]
