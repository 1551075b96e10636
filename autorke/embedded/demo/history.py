"""Making the past: every chapter's ticket is run through the product, chapters of different clusters side by side.

Stopped in the middle, it goes on at the next start: a chapter's ticket is found again by its idempotency key, and what
was done to it is seen from its state.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import httpx

from autorke.embedded.demo.chapters import LANES, Chapter
from autorke.embedded.demo.logbook import Logbook
from autorke.embedded.demo.people import Person
from autorke.embedded.demo.stage import Outside, Stage, Stuck
from autorke.embedded.errors import SeedFailed

log = logging.getLogger(__name__)
APPROVER = "approver"


def make_history(url: str, book: Logbook) -> dict[str, str]:
    """Play every chapter; chapter to the state in which its ticket was left. A lane ends where it gets stuck."""
    _compare(url, book)
    with ThreadPoolExecutor(len(LANES)) as pool:
        told = list(pool.map(lambda lane: _lane(url, book, lane), LANES))
    return {key: state for lane in told for key, state in lane.items()}


def _compare(url: str, book: Logbook) -> None:
    """Each cluster is looked at once, so that its pages show how its nodes are."""
    admin = next(login for login in book.logins() if login.name == "admin")
    with Person(url, admin) as person:
        for cluster in person.get("/clusters", limit="200")["items"]:
            try:
                person.post(f"/clusters/{cluster['id']}/verify")
            except (SeedFailed, httpx.HTTPError) as error:
                log.warning("cluster %s is not compared: %s", cluster["name"], error)


def _lane(url: str, book: Logbook, lane: Sequence[Chapter]) -> dict[str, str]:
    told: dict[str, str] = {}
    for chapter in lane:
        try:
            with _stage(url, book, chapter.requester) as stage:
                told[chapter.key] = _chapter(stage, chapter)
        except (SeedFailed, Stuck, httpx.HTTPError) as error:
            log.warning("chapter %s is left as it is: %s", chapter.key, error)
            told[chapter.key] = f"stopped: {error}"
            break
        log.info("chapter %s: %s", chapter.key, told[chapter.key])
    return told


def _chapter(stage: Stage, chapter: Chapter) -> str:
    ticket = stage.submit(chapter.key, chapter.cluster, chapter.machines, chapter.settings)
    if ticket is None:
        return "not in this fleet"
    present = stage.machines(chapter.machines)
    chapter.play(stage, ticket, [name for name in chapter.machines if name in present])
    return str(stage.look(ticket)["state"])


@contextmanager
def _stage(url: str, book: Logbook, requester: str) -> Iterator[Stage]:
    """The people signed in, for one chapter."""
    logins = {login.name: login for login in book.logins()}
    control = book.index()["control"]
    with ExitStack() as stack:
        asking, deciding, admin = (
            stack.enter_context(Person(url, logins[name])) for name in (requester, APPROVER, "admin")
        )
        client = stack.enter_context(httpx.Client(base_url=control, timeout=30, trust_env=False))
        yield Stage(asking, deciding, admin, Outside(client))
