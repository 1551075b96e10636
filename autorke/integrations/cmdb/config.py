"""How a CMDB is asked and how its rows become machines: configured by an admin, never coded."""

from __future__ import annotations

import ssl
from typing import Annotated, Literal, Self

import httpx
from pydantic import AfterValidator, Field, model_validator

from autorke.core.schemas import In
from autorke.integrations.cmdb.fields import FIELDS, REQUIRED

DottedPath = Annotated[str, Field(pattern=r"^$|^[^.\x00-\x1f]+(\.[^.\x00-\x1f]+)*$", max_length=200)]
Token = Annotated[str, Field(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", max_length=100)]


HeaderText = Annotated[str, Field(pattern=r"^[\x20-\x7e]*$", max_length=2000)]


def _url(value: str) -> str:
    try:
        url = httpx.URL(value)
    except (httpx.InvalidURL, UnicodeError) as error:
        raise ValueError("not a URL") from error
    if not url.host or not 0 < (url.port or 80) < 65536:
        raise ValueError("a URL with a host and a port from 1 to 65535 expected")
    return value


def _authority(value: str | None) -> str | None:
    try:
        ssl.create_default_context(cadata=value)
    except (ssl.SSLError, ValueError, TypeError) as error:
        raise ValueError("not a PEM certificate") from error
    return value


class FieldRule(In):
    """Where one of our fields is found in a row, and how its value is translated."""

    path: DottedPath = Field(description="Dotted path inside the row; digits index a list: `ips.0.addr`")
    values: dict[str, str] = Field(default={}, description="Translate exact values, e.g. {'1': 'north'}")
    default: str | None = Field(None, description="Used when the path is absent or null")
    scale: int = Field(1, ge=1, le=1_048_576, description="Multiply numbers, e.g. 1024 for GB to MB")


class Mapping(In):
    """Our field → where to find it. `cmdb_id`, `sn`, `hostname` and `address` must be mapped."""

    fields: dict[str, FieldRule]
    extra: dict[str, DottedPath] = Field(default={}, description="Further values kept as they are, shown in the drawer")

    @model_validator(mode="after")
    def _known_and_complete(self) -> Self:
        unknown = sorted(set(self.fields) - set(FIELDS))
        missing = sorted(REQUIRED - set(self.fields))
        if unknown:
            raise ValueError(f"unknown fields: {', '.join(unknown)}")
        if missing:
            raise ValueError(f"fields that must be mapped: {', '.join(missing)}")
        if len(self.extra) > 50:
            raise ValueError("at most 50 extra values")
        return self


class NoAuth(In):
    kind: Literal["none"] = "none"


class BearerAuth(In):
    kind: Literal["bearer"]


class BasicAuth(In):
    kind: Literal["basic"]
    username: str = Field(max_length=200)


class HeaderAuth(In):
    kind: Literal["header"]
    name: Token = Field(description="The header that carries the secret, e.g. X-Api-Key")


Auth = Annotated[NoAuth | BearerAuth | BasicAuth | HeaderAuth, Field(discriminator="kind")]


class OnePage(In):
    """Everything in one answer."""

    kind: Literal["none"] = "none"


class PageNumbers(In):
    """`?page=3&size=500`. Reading ends at an empty page, so a server that caps the size loses no rows."""

    kind: Literal["page"]
    page: str = Field("page", max_length=100)
    size: str = Field("size", max_length=100)
    rows: int = Field(500, ge=1, le=10_000)
    first: int = Field(1, ge=0, le=1)


class Offsets(In):
    """`?offset=1500&limit=500`; the offset advances by the rows really received."""

    kind: Literal["offset"]
    offset: str = Field("offset", max_length=100)
    limit: str = Field("limit", max_length=100)
    rows: int = Field(500, ge=1, le=10_000)


class Cursor(In):
    """Each answer carries the cursor of the next page; none or an empty one ends the reading."""

    kind: Literal["cursor"]
    param: str = Field("cursor", max_length=100)
    next: DottedPath


class NextLink(In):
    """Each answer carries the URL of the next page; it must stay on the same origin."""

    kind: Literal["link"]
    next: DottedPath


Paging = Annotated[OnePage | PageNumbers | Offsets | Cursor | NextLink, Field(discriminator="kind")]


class HttpSource(In):
    """A CMDB with an HTTP API that answers in JSON. The secret comes from a credential, never from here."""

    kind: Literal["http"]
    url: Annotated[str, Field(pattern=r"^https?://[^\s@]+$", max_length=2000), AfterValidator(_url)]
    method: Literal["GET", "POST"] = "GET"
    query: dict[str, str] = Field(default={})
    headers: dict[Token, HeaderText] = Field(default={}, description="Sent as they are; a secret belongs into `auth`")
    body: dict[str, object] | None = Field(None, description="JSON body of a POST; paging parameters are added to it")
    auth: Auth = NoAuth()
    items: DottedPath = Field("", description="Path to the list of rows; empty when the answer is the list")
    total: DottedPath | None = Field(None, description="Path to the announced row count; a mismatch fails the sync")
    paging: Paging = OnePage()
    timeout_seconds: int = Field(30, ge=1, le=300)
    max_pages: int = Field(2_000, ge=1, le=100_000)
    max_rows: int = Field(500_000, ge=1, le=2_000_000)
    max_page_bytes: int = Field(50_000_000, ge=1_000, le=200_000_000)
    ca_pem: Annotated[str | None, AfterValidator(_authority)] = Field(
        None, max_length=100_000, description="PEM of the authority that signed the CMDB's certificate"
    )
    allow_loopback: bool = Field(False, description="Only for a CMDB on this very machine (demo, tests)")


def _inside(value: str) -> str:
    if ".." in value.split("/"):
        raise ValueError("a path inside the CMDB directory expected, without '..'")
    return value


RelativePath = Annotated[str, Field(pattern=r"^[^/\x00][^\x00]*$", max_length=500), AfterValidator(_inside)]


class CsvSource(In):
    """A CSV file with a header row, in the directory that the operator of the platform set aside (AUTORKE_CMDB_DIR)."""

    kind: Literal["csv"]
    path: RelativePath
    delimiter: Literal[",", ";", "\t", "|"] = ","
    encoding: Literal["utf-8", "gb18030"] = "utf-8"
    max_bytes: int = Field(200_000_000, ge=1, le=1_000_000_000)


class JsonSource(In):
    """A JSON file with a list of rows."""

    kind: Literal["json"]
    path: RelativePath
    items: DottedPath = ""
    max_bytes: int = Field(200_000_000, ge=1, le=1_000_000_000)


class UploadSource(In):
    """Nothing to ask: people import files, whose content comes with the request."""

    kind: Literal["upload"]


Source = Annotated[HttpSource | CsvSource | JsonSource | UploadSource, Field(discriminator="kind")]


class CmdbConfig(In):
    """One CMDB: how to ask it, how to read it."""

    source: Source
    mapping: Mapping
