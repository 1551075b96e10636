"""Which release of rke looks after a cluster: its state does not say so, yet a few details of a worker depend on it.

Each Kubernetes line is listed by a span of releases (rke.md §5.4), and what a release writes into the state narrows it
down. The result is the oldest release that fits. Where that guess is wrong, the comparison with a running worker shows
the difference and stops the step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Release = tuple[int, int]
"""Minor and patch number: rke v1.5.11 is (5, 11)."""

SELINUX_BY_LONG_NAME: Release = (3, 0)  # before, rke spoke Docker API 1.24, which says `selinux`
TELLS_CRI_DOCKERD_OF_DUAL_STACK: Release = (5, 0)
TRIMS_LISTS: Release = (5, 11)

_FIRST_OF_LINE = {21: 3, 22: 3, 23: 3, 24: 3, 25: 5, 26: 5, 27: 5, 28: 5, 29: 6, 30: 6}
_NEW_IN_5_11 = {27: 15, 28: 11}


def release_of(rke_config: Mapping[str, Any], line: int, patch: int) -> Release:
    """The oldest release that can have written this rkeConfig for Kubernetes 1.`line`.`patch`.

    Of the lines 1.25 and 1.26, which rke 1.4 lists as well, 1.5 is taken: it is the last that does.
    """
    if rke_config.get("criDockerdStreamServerAddress") or rke_config.get("criDockerdStreamServerPort"):
        return (6, 0)
    if patch >= _NEW_IN_5_11.get(line, patch + 1):
        return (5, 11)
    return (max(_FIRST_OF_LINE.get(line, 2), _by_settings(rke_config)), 0)


def _by_settings(rke_config: Mapping[str, Any]) -> int:
    """Settings that a release fills in by itself or first understood, and the minor number of that release."""
    if (rke_config.get("cloudProvider") or {}).get("name") == "external-aws":
        return 5
    if ((rke_config.get("services") or {}).get("kubeApi") or {}).get("podSecurityConfiguration"):
        return 4
    return 3 if (rke_config.get("ingress") or {}).get("defaultIngressClass") is not None else 2
