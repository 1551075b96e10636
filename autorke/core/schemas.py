"""Pydantic bases for what goes over the wire."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")


class In(BaseModel):
    """A request body: unknown keys and wrong types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, str_strip_whitespace=True)


class Out(BaseModel):
    """A response body, filled from an ORM object or a value; no defaults, so generated clients see every field."""

    model_config = ConfigDict(from_attributes=True)


class Page(BaseModel, Generic[T]):
    """One keyset page. `next` is an opaque cursor for the following page, null on the last one."""

    items: list[T]
    next: str | None = Field(description="Send it back as ?cursor=… for the next page")
    total: int | None = Field(None, description="Count of all matches, when it was asked for with ?total=true")


class Words(BaseModel):
    """A text in both languages of the product."""

    zh: str
    en: str


class Problem(BaseModel):
    """RFC 9457 problem details, with the field and remedy every refusal names."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str
    field: str | None = None
    cause: Words
    remedy: Words
    errors: list[dict[str, Any]] = []
