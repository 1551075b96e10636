"""Parts of the programme share the session's server when pytest runs them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.databases import Template
from tests.faults import place
from tests.orphans import no_orphans

__all__ = ["no_orphans"]


@pytest.fixture(autouse=True)
def lent_server(database_template: Template) -> Iterator[None]:
    with place.lend(database_template):
        yield
