"""Field types for request bodies.

`core.schemas.In` is strict, and FastAPI hands pydantic parsed JSON, in which an id, a time or a choice is still a text:
these types take the text, and nothing else becomes lax.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field

Lax = Field(strict=False)
"""For enums and nested dates: `state: Annotated[MachineState, Lax]`."""

Id = Annotated[UUID, Lax]
Moment = Annotated[AwareDatetime, Lax]
