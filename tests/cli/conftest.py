"""An AutoRke for each test, and the people of a story at their terminals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api import Api, api, secret_key
from tests.cli.site import Person, Site, standing
from tests.sshd import sshd

__all__ = ["api", "secret_key", "sshd"]


@pytest.fixture(autouse=True)
def _piped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody watches: what is said is as wide as it wants, however wide the terminal is that started the tests."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def site(api: Api, tmp_path: Path) -> Iterator[Site]:
    with standing(api, tmp_path) as site:
        yield site


@pytest.fixture
def admin(site: Site) -> Person:
    return site.person("root", "admin")


@pytest.fixture
def requester(site: Site) -> Person:
    return site.person("wei", "requester")


@pytest.fixture
def approver(site: Site) -> Person:
    return site.person("li", "approver")
