"""Saved views on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import ConfigDict, Field

from autorke.core.schemas import In, Out

PAGE_PATTERN = r"^[a-z][a-z0-9-]{0,31}$"
PageKey = Annotated[str, Field(pattern=PAGE_PATTERN, examples=["machines"])]
ViewName = Annotated[str, Field(min_length=1, max_length=64)]
State = Annotated[dict[str, Any], Field(description="The page's own object, at most 16 kB as JSON")]


class ViewIn(In):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "page": "machines",
                    "name": "Free GPU machines",
                    "shared": True,
                    "state": {"filter": ["state:eq:free", "gpu_count:gt:0"], "sort": "rack", "hidden": ["network"]},
                }
            ]
        }
    )

    page: PageKey
    name: ViewName
    shared: bool = Field(False, description="Everybody may use it; only the owner changes it")
    state: State


class ViewPatch(In):
    """Only the fields that are sent change."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"shared": False}]})

    name: ViewName = ""
    shared: bool = False
    state: State = Field(default={})

    def changes(self) -> dict[str, Any]:
        return self.model_dump(exclude_unset=True)


class ViewOut(Out):
    id: UUID
    page: str
    name: str
    shared: bool
    owner_id: UUID
    owner_name: str
    state: dict[str, Any]
    updated_at: datetime
