"""Every contract test runs on every edge."""

from tests.contract.edges import edge

__all__ = ["edge"]
