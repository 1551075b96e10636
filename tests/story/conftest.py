"""No story leaves a runner or a tool behind."""

from __future__ import annotations

from tests.orphans import no_orphans

__all__ = ["no_orphans"]
