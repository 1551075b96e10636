"""What every part of the programme needs: a database of its own, and a seed that its failures name."""

from __future__ import annotations

import logging
import os
import random
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from sqlalchemy import Engine

from autorke.core import crypto, db
from autorke.core.settings import get_settings
from autorke.embedded import throwaway
from autorke.worker import process
from autorke.workflow import gates, outbox
from tests.databases import Template, text
from tests.workflow.conftest import LEASE, Desk
from tests.workflow.toy import WORLD

_lent: list[Template] = []
logging.getLogger("autorke").addHandler(logging.NullHandler())  # bugs that parts put in on purpose are not told


@contextmanager
def lend(template: Template) -> Iterator[None]:
    """All parts clone this template meanwhile: the test session's, or the one server of a whole programme."""
    _lent.append(template)
    try:
        yield
    finally:
        _lent.pop()


@contextmanager
def server() -> Iterator[Template]:
    """The template to clone: the one that was lent, or that of a server which lives as long as this."""
    if _lent:
        yield _lent[-1]
        return
    with throwaway.postgres() as url, Template(url) as template, lend(template):
        yield template


@contextmanager
def database(pool_size: int = 5, frozen_s: int = db.FROZEN_S) -> Iterator[Engine]:
    """A migrated database of one's own; `core.db`, the settings and child processes point at it. `frozen_s`: so long
    this process may stand still, for the machine may be busy with something else."""
    with ExitStack() as stack:
        url = stack.enter_context(stack.enter_context(server()).clone())
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="arke-", dir="/dev/shm"))
        environment = stack.enter_context(pytest.MonkeyPatch.context())
        environment.setenv("AUTORKE_DATABASE_URL", text(url))
        environment.setenv("AUTORKE_RUN_DIR", folder)
        environment.setenv("AUTORKE_SECRET_KEY", crypto.new_key())
        get_settings.cache_clear()
        engine = db.make_engine(text(url), pool_size=pool_size, frozen_s=frozen_s)
        db.configure(engine)
        try:
            yield engine
        finally:
            db._state.clear()
            engine.dispose()
    get_settings.cache_clear()


@contextmanager
def desk(approvers: int = 3, *, pool_size: int = 5) -> Iterator[Desk]:
    """People, tickets and a worker on a database of their own (tests/workflow), with the toy flow and nobody else."""
    with pytest.MonkeyPatch.context() as environment, database(pool_size, frozen_s=200):
        environment.setenv("AUTORKE_LEASE", os.environ.get("AUTORKE_LEASE", f"PT{LEASE.total_seconds():.0f}S"))
        get_settings.cache_clear()
        desk = Desk(approvers=[Desk().requester for _ in range(approvers)])
        desk.rights.update(desk.approvers)
        gates.configure_directory(desk.holds)
        outbox._transport.clear()
        WORLD.reset()
        try:
            yield desk
        finally:
            WORLD.reset()
            outbox._transport.clear()
            os.environ.pop(process.MARKER, None)


@contextmanager
def seeded(seed: int) -> Iterator[random.Random]:
    """The dice of a part; a violation says with which seed it comes again."""
    try:
        yield random.Random(seed)
    except AssertionError as violation:
        raise AssertionError(f"AUTORKE_SEED={seed}: {violation}") from violation
