"""Texts of a cluster's files as values, each read once."""

from __future__ import annotations

from functools import lru_cache

from autorke.drivers.rkefiles.cluster_yml import read_cluster_yml
from autorke.drivers.rkefiles.rkestate import read_state


class Files:
    """Reads like `read_cluster_yml` and `read_state`, and remembers the last few texts whole: a thousand nodes take
    40 ms to read. The values hold secrets, so one object serves one attempt or request and goes with it.
    """

    def __init__(self) -> None:
        self.config = lru_cache(maxsize=2)(read_cluster_yml)
        self.state = lru_cache(maxsize=4)(read_state)
