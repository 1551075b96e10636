"""Credentials on the wire: secrets go in and never come out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import ConfigDict, Field

from autorke.core.schemas import In, Out
from autorke.credentials.kinds import Kind, SecretIn

Name = Annotated[str, Field(min_length=1, max_length=64, examples=["ops key"])]
Note = Annotated[str, Field(max_length=1000)]


class CredentialIn(In):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "ops login",
                    "note": "IDC north",
                    "secret": {"kind": "ssh_password", "user": "ops", "password": "only ever sent, never shown"},
                }
            ]
        }
    )

    name: Name
    note: Note = ""
    secret: SecretIn


class CredentialPatch(In):
    """Only what is sent changes."""

    name: Name | None = None
    note: Note | None = None


class ReplaceIn(In):
    version: Annotated[int, Field(ge=1, le=2**31 - 2, description="The version you saw; an older one is refused")]
    secret: SecretIn


class CredentialOut(Out):
    id: UUID
    name: str
    kind: Kind
    note: str
    public: dict[str, Any] = Field(description="What may be shown: user, public key and fingerprint, server, …")
    version: int
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime
    used_at: datetime | None
