"""What routes ask for: the request's transaction and its page of a list."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Query
from sqlalchemy.orm import Session

from autorke.core import db
from autorke.web.paging import PageQuery


def get_session() -> Iterator[Session]:
    """One transaction per request: commits when the route has returned, rolls back when it raised."""
    with db.transaction() as session:
        yield session


# scope="function" ends the dependency before the answer is sent. With FastAPI's default the client would read 200
# while the commit can still fail (a deferred constraint, a lost connection).
#
# A request keeps its connection while it waits for a thread (between two dependencies, for its answer's validation),
# and a thread that waits for a connection is one less: with more requests under way than connections nothing would
# move until the pool gives up. So no more than AT_ONCE have a transaction; the others wait without a thread. The pool
# has more connections for what opens a second, short transaction: event streams, sign-ins, routes that ask the outside.
AT_ONCE = 8
SessionDep = Annotated[Session, Depends(get_session, scope="function", max_concurrency=AT_ONCE)]


_FILTER_HELP = "`column:operator:value`, repeatable; all must match"


def _filters(
    filter: Annotated[list[Annotated[str, Query(max_length=4000)]] | None, Query(description=_FILTER_HELP)] = None,
) -> tuple[str, ...]:
    return tuple(filter or ())


FiltersDep = Annotated[tuple[str, ...], Depends(_filters)]
"""For routes that ask for all rows of a list under the list's own filters, without its pages."""


def _page(
    limit: Annotated[int, Query(ge=1, le=500, description="Rows per page")] = 50,
    cursor: Annotated[str | None, Query(max_length=4000, description="`next` of the page before")] = None,
    sort: Annotated[
        str | None, Query(max_length=200, description="Columns, comma separated; `-` in front sorts downwards")
    ] = None,
    filter: Annotated[
        list[Annotated[str, Query(max_length=4000)]] | None,
        Query(description=_FILTER_HELP),
    ] = None,
    total: Annotated[bool, Query(description="Also count all matches")] = False,
) -> PageQuery:
    return PageQuery(limit=limit, cursor=cursor, sort=sort, filters=tuple(filter or ()), total=total)


PageDep = Annotated[PageQuery, Depends(_page)]
