"""The Kubernetes API of a cluster. The kubeconfig stays in memory and is never trusted to name files or programs."""

from autorke.drivers.kube.client import Kube
from autorke.drivers.kube.errors import (
    KubeCaMismatch,
    KubeconfigUnusable,
    KubeConflict,
    KubeForbidden,
    KubeNotFound,
    KubeOutcomeUnknown,
    NodeNotReady,
)
from autorke.drivers.kube.health import ComponentHealth
from autorke.drivers.kube.kubeconfig import read_kubeconfig
from autorke.drivers.kube.nodes import KubeNode, KubePod, NodeTaint
from autorke.drivers.kube.objects import Resource
from autorke.drivers.kube.state_copy import StateCopy

__all__ = [
    "ComponentHealth",
    "Kube",
    "KubeCaMismatch",
    "KubeConflict",
    "KubeForbidden",
    "KubeNode",
    "KubeNotFound",
    "KubeOutcomeUnknown",
    "KubePod",
    "KubeconfigUnusable",
    "NodeNotReady",
    "NodeTaint",
    "Resource",
    "StateCopy",
    "read_kubeconfig",
]
