"""Every failure leaves as RFC 9457 problem+json: one shape, both languages, no stack, no SQL."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.types import Scope

from autorke.core.errors import AutoRkeError
from autorke.web import translate
from autorke.web.errors import MethodNotAllowed

log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"


def language(header: str) -> str:
    """`zh` or `en`, whichever the Accept-Language header prefers; `en` when it names neither."""
    best, weight = "en", 0.0
    for part in header.split(","):
        name, _, parameters = part.strip().partition(";")
        short = name.strip().lower().split("-")[0]
        try:
            quality = float(parameters.partition("=")[2]) if "q=" in parameters else 1.0
        except ValueError:
            continue
        if short in ("zh", "en") and quality > weight:
            best, weight = short, quality
    return best


def body(error: AutoRkeError, *, instance: str, lang: str, errors: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """The fields of `core.schemas.Problem` for one error."""
    cause = error.message.as_json()
    return {
        "type": f"/problems/{error.code}",
        "title": error.code.replace("-", " ").capitalize(),
        "status": error.status,
        "detail": cause[lang],
        "code": error.code,
        "instance": instance,
        "field": error.field,
        "cause": cause,
        "remedy": error.hint.as_json(),
        "errors": list(errors),
    }


def response(scope: Scope, error: AutoRkeError, *, errors: Sequence[Mapping[str, Any]] = ()) -> JSONResponse:
    """The answer to the request of this ASGI scope; usable from middleware, before any route is known."""
    headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope.get("headers", [])}
    lang = language(headers.get("accept-language", ""))
    content = body(error, instance=scope.get("state", {}).get("request_id", ""), lang=lang, errors=errors)
    extra = {"Content-Language": lang, "Cache-Control": "no-store"}
    if error.status == 401:
        extra["WWW-Authenticate"] = 'Bearer realm="autorke"'
    if error.status in (429, 503):
        extra["Retry-After"] = str(error.values.get("retry_after", 1))
    return JSONResponse(content, status_code=error.status, headers=extra, media_type=MEDIA_TYPE)


def _on_known(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AutoRkeError)  # noqa: S101  registered for this class only
    if error.status >= 500:
        log.error("request failed", extra={"code": error.code, "cause": error.message.en})
    return response(request.scope, error, errors=error.errors)


def _on_validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    known, items = translate.validation(error)
    return response(request.scope, known, errors=items)


def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    known = translate.http(error)
    answer = response(request.scope, known)
    if isinstance(known, MethodNotAllowed) and error.headers:
        answer.headers["Allow"] = error.headers.get("Allow", "")
    return answer


def _on_database(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, SQLAlchemyError)  # noqa: S101
    return _on_known(request, translate.database(error))


def install(app: FastAPI) -> None:
    """Register the handlers; what none of them knows is caught by `middleware.RequestContext` as internal-error."""
    app.add_exception_handler(AutoRkeError, _on_known)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(SQLAlchemyError, _on_database)
