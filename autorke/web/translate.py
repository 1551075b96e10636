"""Foreign exceptions at the HTTP edge become our own: FastAPI's validation, Starlette's HTTP errors, the database's."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from autorke.core.errors import AutoRkeError, PayloadTooLarge, Unavailable
from autorke.web import errors

log = logging.getLogger(__name__)

ZH = {
    "missing": "缺少该字段",
    "extra_forbidden": "没有这个字段",
    "string_type": "应为字符串",
    "string_too_short": "至少 {min_length} 个字符",
    "string_too_long": "最多 {max_length} 个字符",
    "string_pattern_mismatch": "不符合格式 {pattern}",
    "int_type": "应为整数",
    "int_parsing": "应为整数",
    "int_from_float": "应为整数",
    "float_type": "应为数字",
    "bool_type": "应为 true 或 false",
    "bool_parsing": "应为 true 或 false",
    "list_type": "应为数组",
    "dict_type": "应为对象",
    "model_attributes_type": "应为对象",
    "model_type": "应为对象",
    "too_short": "至少 {min_length} 项",
    "too_long": "最多 {max_length} 项",
    "greater_than": "应大于 {gt}",
    "greater_than_equal": "应不小于 {ge}",
    "less_than": "应小于 {lt}",
    "less_than_equal": "应不大于 {le}",
    "uuid_parsing": "应为 UUID",
    "uuid_type": "应为 UUID",
    "enum": "应为其中之一：{expected}",
    "literal_error": "应为其中之一：{expected}",
    "union_tag_invalid": "应为其中之一：{expected_tags}",
    "union_tag_not_found": "缺少区分类型的字段",
    "datetime_from_date_parsing": "应为日期时间（ISO 8601）",
    "datetime_parsing": "应为日期时间（ISO 8601）",
    "timezone_aware": "日期时间应带时区",
}


def words(item: Mapping[str, Any]) -> dict[str, str]:
    """Cause of one pydantic error in both languages; never the offending value, which may be a secret.

    A validator of ours that raises `PydanticCustomError` brings both texts itself.
    """
    if {"zh", "en"} <= set(item.get("ctx", {})):
        return {"zh": item["ctx"]["zh"], "en": item["ctx"]["en"]}
    context = {key: value for key, value in item.get("ctx", {}).items() if key != "error"}
    template = ZH.get(item["type"])
    try:
        zh = template.format(**context) if template else f"值不合法（{item['msg']}）"
    except KeyError:
        zh = f"值不合法（{item['msg']}）"
    return {"zh": zh, "en": item["msg"]}


def _field(location: tuple[Any, ...]) -> str:
    """`body.nodes.0.role` → `nodes.0.role`: the name the caller wrote."""
    names = location[1:] if location and location[0] in ("body", "query", "path", "header", "cookie") else location
    return ".".join(str(name) for name in names) or "body"


def validation(error: RequestValidationError) -> tuple[AutoRkeError, list[dict[str, Any]]]:
    """Malformed JSON → 400 with its position; anything else → 422 with every refused field."""
    found = error.errors()
    if found[0]["type"] == "json_invalid":
        text, position = str(error.body or ""), int(found[0]["loc"][-1])
        line = text.count("\n", 0, position) + 1
        return errors.Malformed(field="body", line=line, column=position - text.rfind("\n", 0, position)), []
    items = [
        {"field": _field(item["loc"]), "loc": [str(part) for part in item["loc"]], "code": item["type"],
         "cause": words(item)}
        for item in found
    ]  # fmt: skip
    first = items[0]
    known = errors.InvalidRequest(
        field=first["field"], count=len(items), first=first["field"], zh=first["cause"]["zh"], en=first["cause"]["en"]
    )
    return known, items


def http(error: HTTPException) -> AutoRkeError:
    """What the framework itself raises: unknown route, wrong method, unreadable body."""
    match error.status_code:
        case 404:
            return errors.RouteNotFound()
        case 405:
            return errors.MethodNotAllowed()
        case 413:
            return PayloadTooLarge(limit="")
        case status if status >= 500:
            return Unavailable(what="api")
        case _:
            return errors.BadRequest()


def _integrity(state: str, diagnosis: Any) -> AutoRkeError:
    table, constraint = getattr(diagnosis, "table_name", None) or "", getattr(diagnosis, "constraint_name", None) or ""
    kinds: dict[str, type[AutoRkeError]] = {"23505": errors.AlreadyExists, "23503": errors.StillReferenced}
    # Naming convention of core.db: uq_<table>_<column>, fk_<table>_<column>.
    short = constraint.split("_", 1)[-1].removeprefix(f"{table}_")
    column = getattr(diagnosis, "column_name", None) or short or None
    return kinds.get(state, errors.RuleViolated)(field=column, what=constraint or table or state)


def database(error: SQLAlchemyError) -> AutoRkeError:
    """By SQLSTATE class. The text of the database is logged, never sent: it may quote values."""
    if isinstance(error, PoolTimeout):
        return errors.DatabaseUnavailable()
    if not isinstance(error, DBAPIError):
        log.error("database error without a mapping", exc_info=error)
        return AutoRkeError()
    state = getattr(error.orig, "sqlstate", None) or ""
    match state[:2], state:
        case "23", _:
            return _integrity(state, getattr(error.orig, "diag", None))
        case "40", _:
            return errors.ConcurrentChange()
        case _, "55P03" | "57014":
            return errors.ConcurrentChange()
        case "22", _:
            return errors.ValueNotStorable()
        case (("08" | "57" | "53" | "25"), _):
            return errors.DatabaseFull() if state == "53100" else errors.DatabaseUnavailable()
    if error.connection_invalidated or type(error.orig).__name__ == "OperationalError":
        return errors.DatabaseUnavailable()
    if type(error.orig).__name__ == "DataError":  # psycopg refuses NUL before the server sees it: no SQLSTATE
        return errors.ValueNotStorable()
    log.error("database error without a mapping", exc_info=error)
    return AutoRkeError()
