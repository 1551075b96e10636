"""What people, sessions, tokens and roles look like on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, SecretStr

from autorke.core.schemas import In, Out
from autorke.users.access import Permission, Role
from autorke.users.passwords import MAX_LENGTH, MIN_LENGTH
from autorke.web.fields import Id, Moment

UserName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._@-]{0,63}$", examples=["wei.zhang"])]
DisplayName = Annotated[str, Field(min_length=1, max_length=128, examples=["张伟"])]
Locale = Literal["zh", "en"]


def _distinct(values: list[Permission]) -> list[Permission]:
    if len(set(values)) != len(values):
        raise ValueError("each scope once")
    return values


NewPassword = Annotated[SecretStr, Field(min_length=MIN_LENGTH, max_length=MAX_LENGTH)]


class LogIn(In):
    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "wei.zhang", "password": "a long pass phrase"}]})

    name: Annotated[str, Field(min_length=1, max_length=64)]
    password: Annotated[SecretStr, Field(min_length=1, max_length=MAX_LENGTH)]


class BindingOut(Out):
    id: UUID
    role: str
    cluster_id: UUID | None = Field(description="null = all clusters and the platform itself")


class Me(Out):
    """The caller: what the page needs to decide which buttons to show (the api decides again)."""

    id: UUID
    name: str
    display_name: str
    locale: str
    method: str
    bindings: list[BindingOut]
    permissions: dict[str, list[UUID] | None] = Field(description="permission → clusters; null = everywhere")


class MeIn(In):
    display_name: DisplayName | None = None
    locale: Locale | None = None


class PasswordIn(In):
    current: Annotated[SecretStr, Field(min_length=1, max_length=MAX_LENGTH)]
    new: NewPassword


class TokenIn(In):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "ci", "expires_at": "2027-01-01T00:00:00Z", "scopes": ["machine:read"]}]
        }
    )

    name: Annotated[str, Field(min_length=1, max_length=64)]
    expires_at: Moment
    scopes: Annotated[list[Permission], AfterValidator(_distinct), Field(min_length=1)] | None = Field(
        None, description="Narrow the token to these permissions; null = all that you may do"
    )


class TokenOut(Out):
    id: UUID
    name: str
    scopes: list[str] | None
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime


class TokenCreated(TokenOut):
    token: str = Field(description="Shown this once; only its hash is kept")


class UserIn(In):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"name": "wei.zhang", "display_name": "张伟", "password": "a long pass phrase", "locale": "zh"}
            ]
        }
    )

    name: UserName
    display_name: DisplayName
    email: Annotated[str, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")] | None = None
    locale: Locale = "zh"
    password: NewPassword | None = Field(None, description="null: the user signs in by SSO only")
    oidc_subject: Annotated[str, Field(min_length=1, max_length=512)] | None = Field(
        None, description="`<issuer> <subject>` of the SSO account"
    )


class UserPatch(In):
    """Only the fields that are sent change; null clears email and oidc_subject."""

    display_name: DisplayName | None = None
    email: Annotated[str, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")] | None = None
    locale: Locale | None = None
    password: NewPassword | None = None
    oidc_subject: Annotated[str, Field(min_length=1, max_length=512)] | None = None
    disabled: bool | None = None

    def changes(self) -> dict[str, Any]:
        """What was sent, without nulls that mean nothing; the password in clear for the service to hash."""
        sent = self.model_dump(exclude_unset=True, exclude={"password"})
        found = {name: value for name, value in sent.items() if value is not None or name in ("email", "oidc_subject")}
        return found | ({"password": self.password.get_secret_value()} if self.password else {})


class UserOut(Out):
    id: UUID
    name: str
    display_name: str
    email: str | None
    locale: str
    disabled: bool
    oidc_subject: str | None
    created_at: datetime
    updated_at: datetime
    bindings: list[BindingOut]


class BindingIn(In):
    model_config = ConfigDict(json_schema_extra={"examples": [{"role": "approver", "cluster_id": None}]})

    role: Role
    cluster_id: Id | None = Field(None, description="null = all clusters and the platform itself")


class RoleOut(Out):
    name: str
    permissions: list[str]


class AuditOut(Out):
    id: UUID
    at: datetime
    actor_id: UUID | None
    actor_name: str
    method: str
    action: str
    object_type: str
    object_id: str
    detail: dict[str, Any]
    ip: str | None


class PersonOut(Out):
    """A person as everybody may see them: the name that stands beside an id."""

    id: UUID
    name: str
    display_name: str


class LoginMethods(Out):
    """What the sign-in page offers."""

    password: bool
    oidc: str | None = Field(description="Label of the SSO button, null when SSO is not configured")
