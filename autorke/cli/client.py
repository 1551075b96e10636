"""The API over HTTP: one call, one answer, every failure an error with a cause and a remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from autorke.cli import profile
from autorke.cli.errors import NotAutoRke, Refused, Unreachable
from autorke.cli.output import language

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 60.0
QUIET_SECONDS = 45.0
"""A stream that says nothing for this long is dead: the server sends a sign of life every 15 seconds."""
PAGE_LIMIT = 500


class Dropped(Unreachable):
    """A stream that was open has broken off; it can be resumed."""


class Api:
    """One signed-in caller of one AutoRke. Close it, or use it as a context manager."""

    def __init__(self, url: str, token: str | None = None) -> None:
        import httpx

        headers = {"Accept-Language": language(), "User-Agent": "autorke-cli"}
        if token:
            headers["Authorization"] = f"Bearer {_ascii(token)}"
        self.url = url
        self.http = httpx.Client(
            base_url=f"{url}/api/v1",
            headers=headers,
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """The JSON of the answer, None for an empty one. Raises Refused, Unreachable, NotAutoRke."""
        response = self.raw(method, path, body, query=query, headers=headers)
        if not response.content:
            return None
        try:
            return response.json()
        except ValueError as error:
            raise NotAutoRke(field="URL", url=self.url, status=response.status_code) from error

    def raw(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """The answer itself, when it is not JSON. Raises Refused, Unreachable, NotAutoRke."""
        import httpx

        asked = {key: value for key, value in (query or {}).items() if value is not None}
        try:
            response = self.http.request(method, path, json=body, params=asked, headers=dict(headers or {}))
        except httpx.RequestError as error:
            raise self._unreachable(error) from error
        self._check(response)
        return response

    def get(self, path: str, **query: Any) -> Any:
        return self.call("GET", path, query=query)

    def post(self, path: str, body: Any = None) -> Any:
        return self.call("POST", path, body)

    def items(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Every row of a list, page after page."""
        cursor = None
        while True:
            page = self.get(path, limit=PAGE_LIMIT, cursor=cursor, **query)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    @contextmanager
    def stream(self, path: str, *, query: Mapping[str, Any], last_id: str | None) -> Iterator[Iterator[bytes]]:
        """An open event stream, as pieces of bytes; its iterator raises Dropped when it breaks off.

        Opening raises Refused, Unreachable.
        """
        import httpx

        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_id} if last_id else {})
        timeout = httpx.Timeout(QUIET_SECONDS, connect=CONNECT_SECONDS)
        request = self.http.build_request("GET", path, params=dict(query), headers=headers, timeout=timeout)
        try:
            response = self.http.send(request, stream=True)
        except httpx.RequestError as error:
            raise self._unreachable(error) from error
        try:
            if response.is_error:
                response.read()
            self._check(response)
            yield self._pieces(response)
        finally:
            response.close()

    def _pieces(self, response: httpx.Response) -> Iterator[bytes]:
        import httpx

        try:
            yield from response.iter_bytes()
        except httpx.RequestError as error:
            raise Dropped(field="URL", url=self.url, reason=type(error).__name__) from error

    def _unreachable(self, error: httpx.RequestError) -> Unreachable:
        return Unreachable(field="URL", url=self.url, reason=str(error) or type(error).__name__)

    def _check(self, response: httpx.Response) -> None:
        if response.is_success:
            return
        problem = None
        if response.headers.get("content-type", "").startswith("application/problem+json"):
            problem = response.json()
        if not isinstance(problem, dict):
            raise NotAutoRke(field="URL", url=self.url, status=response.status_code)
        raise Refused(response.status_code, problem)


def _ascii(token: str) -> str:
    """A header carries ASCII only; anything else is no token of ours and would be refused as such."""
    return token if token.isascii() and token.isprintable() else "-"


def connect() -> Api:
    """The API, as the person who is signed in. Raises NotSignedIn."""
    who = profile.current()
    return Api(who.url, who.token)
