"""Query parameters that a route does not know are refused: a filter with a typo must not quietly show everything."""

from __future__ import annotations

from functools import lru_cache

from fastapi import FastAPI, Request

from autorke.web.errors import UnknownParameter

PREFIX = "/api/v1"


@lru_cache(maxsize=4)
def _known(app: FastAPI) -> dict[tuple[str, str], frozenset[str]]:
    """Names per method and path template, from the API description: what is documented is what is accepted."""
    return {
        (method.upper(), path.removeprefix(PREFIX)): frozenset(
            parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "query"
        )
        for path, operations in app.openapi()["paths"].items()
        for method, operation in operations.items()
        if not operation.get("x-any-query")
    }


def refuse_unknown(request: Request) -> None:
    """A dependency of the whole application. Raises UnknownParameter."""
    if not request.query_params:
        return
    known = _known(request.app).get((request.method, request.scope["route"].path_format.removeprefix(PREFIX)))
    if known is None:  # marked x-any-query: an outside system adds what it likes
        return
    for name in request.query_params:
        if name not in known:
            raise UnknownParameter(field=name[:100], name=name[:100], known=", ".join(sorted(known)) or "-")
