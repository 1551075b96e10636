"""The people of the demo, as they use the product: signed in, over its API, every refusal turned into one sentence."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import httpx

from autorke.embedded.demo.logbook import Login
from autorke.embedded.errors import SeedFailed

PEOPLE = (
    ("requester", "申请人 Requester", "requester"),
    ("requester2", "申请人二 Second requester", "requester"),
    ("approver", "审批人 Approver", "approver"),
    ("approver2", "审批人二 Second approver", "approver"),
    ("network", "网络管理员 Network admin", "network-admin"),
    ("auditor", "审计员 Auditor", "auditor"),
)


class Person:
    """One signed-in person. Raises SeedFailed with the request that the product refused."""

    def __init__(self, url: str, login: Login) -> None:
        self.name = login.name
        self._client = httpx.Client(base_url=f"{url}/api/v1", timeout=60, trust_env=False)
        self.post("/session", name=login.name, password=login.password)
        self._client.headers["X-CSRF-Token"] = self._client.cookies["autorke_csrf"]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def get(self, path: str, **query: str) -> Any:
        return self._answer(self._client.get(path, params=query))

    def post(self, path: str, *, once: str | None = None, **body: Any) -> Any:
        """`once` is an idempotency key: the same request again gives the first answer."""
        headers = {"Idempotency-Key": once} if once else None
        return self._answer(self._client.post(path, json=body, headers=headers))

    @staticmethod
    def _answer(response: httpx.Response) -> Any:
        if response.is_error:
            where = f"{response.request.method} {response.request.url.path}"
            raise SeedFailed(where=where, answer=response.status_code, reason=response.text[:500])
        return response.json() if response.content else None
