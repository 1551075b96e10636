"""Real Ansible speaks through a pseudo-terminal: where this machine has none, what runs it is skipped, and says so."""

from __future__ import annotations

import os

import pytest


def has_terminals() -> bool:
    try:
        for end in os.openpty():
            os.close(end)
    except OSError:
        return False
    return True


needs_terminal = pytest.mark.skipif(
    not has_terminals(), reason="SKIPPED: no pseudo-terminal here (mount devpts on /dev/pts), so no real Ansible"
)
