"""The API description: every refusal is a Problem, and what FastAPI would say instead is removed."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from autorke.core.schemas import Problem
from autorke.web.problems import MEDIA_TYPE

DESCRIPTION = """Change platform for bare-metal Kubernetes fleets built with rke.

Sign in with `POST /api/v1/session` (cookie, and header `X-CSRF-Token` on writes), or send `Authorization: Bearer …`.
Lists are keyset pages: `limit`, `cursor`, `sort=-column`, `filter=column:operator:value` with the operators eq, ne, in,
contains, prefix, lt, gt, le, ge, null. Every refusal is `application/problem+json` with cause and remedy in zh and en.
"""


def _with_problems(schema: dict[str, Any]) -> dict[str, Any]:
    components = schema.setdefault("components", {}).setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components.update(problem.pop("$defs"))
    components["Problem"] = problem
    refusal = {
        "description": "Refused, with cause and remedy",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for path in schema["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
            operation["responses"]["4XX"] = refusal
            operation["responses"]["5XX"] = refusal
    for name in ("HTTPValidationError", "ValidationError"):
        components.pop(name, None)
    return schema


def install(app: FastAPI) -> None:
    """Replace `app.openapi` by one that describes refusals as they are; computed once."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            plain = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            app.openapi_schema = _with_problems(plain)
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]
