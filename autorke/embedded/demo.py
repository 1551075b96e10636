"""`python -m autorke demo`: the product with a simulated fleet around it, filled through its own API.

The simulated machines and the database outlive a stop together; `--fresh` begins anew, and so does a start whose
predecessor was stopped before everything was filled.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from autorke.core.settings import Settings
from autorke.embedded.datadir import DataDirectory
from autorke.embedded.errors import SeedFailed
from autorke.embedded.product import base_url
from autorke.embedded.service import Service
from autorke.embedded.supervisor import FIRST_ADMIN, Show, run

PEOPLE = (
    ("requester", "申请人 Requester", "requester"),
    ("approver", "审批人 Approver", "approver"),
    ("approver2", "审批人二 Second approver", "approver"),
    ("network", "网络管理员 Network admin", "network-admin"),
    ("auditor", "审计员 Auditor", "auditor"),
)
WELCOME = "welcome.txt"
"""Written last, mode 0600: while it is missing, the directory is not filled."""
SYNC_PATIENCE = 120.0
"""Seconds for the CMDB sync; its worker may still be starting."""


@dataclass(frozen=True)
class Login:
    name: str
    role: str
    password: str = field(repr=False)


def run_demo(settings: Settings, preset: str, *, fresh: bool) -> int:
    """The whole life of `demo`; returns the exit code. Each preset has a data directory apart from that of `up`."""
    directory = settings.data_dir / f"sim-{preset}"
    apart = settings.model_copy(update={"data_dir": directory, "environment": "demo"})

    def kept(data: DataDirectory) -> list[str] | None:
        path = data.path / WELCOME
        return path.read_text().splitlines() if path.exists() and not fresh else None

    def fill(data: DataDirectory, password: str, wanted: Callable[[], bool]) -> list[str]:
        logins = seed(apart, data, Login(FIRST_ADMIN, "admin", password), wanted)
        lines = welcome(apart, logins)
        if wanted():
            data.make_secret(WELCOME, lambda: "\n".join(lines))
        return lines

    return run(apart, Show(lambda data: [simulator(apart, data, preset)], kept, fill))


def simulator(settings: Settings, data: DataDirectory, preset: str) -> Service:
    """The simulated outside: SSH hosts, Docker, Kubernetes, CMDB. Started by name; nothing here imports it.

    Its own services take the four ports after the api's, the same at each start: the CMDB's address is in the database.
    """
    log = data.log("sim")
    options = ("--preset", preset, "--state-dir", str(_simulation(data)), "--port", str(settings.port + 1))
    return Service(
        name="sim",
        argv=(sys.executable, "-m", "autorke.sim", *options),
        log=log,
        ready=lambda _pid: b"sim ready" in log.read_bytes(),
        environ=os.environ,
    )


def _simulation(data: DataDirectory) -> Path:
    return data.path / "sim"


def seed(settings: Settings, data: DataDirectory, admin: Login, wanted: Callable[[], bool]) -> list[Login]:
    """People, a credential, the CMDB and the clusters, all over the API. Returns the logins to print.

    Ends early when `wanted` turns False. Raises SeedFailed with the first request that the product refused.
    """
    index = json.loads((_simulation(data) / "index.json").read_text())
    with httpx.Client(base_url=base_url(settings), timeout=60) as client:
        api = Api(client)
        api.sign_in(admin)
        logins = [admin, *_people(api)]
        key = _credentials(api, index)
        _machines(api, index, key, wanted)
        for entry in index["clusters"]:
            if wanted():
                _cluster(api, entry)
    return logins


class Api:
    """The few calls that seeding needs, each refused answer turned into one sentence."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def sign_in(self, login: Login) -> None:
        self.post("/session", name=login.name, password=login.password)
        self._client.headers["X-CSRF-Token"] = self._client.cookies["autorke_csrf"]

    def post(self, path: str, **body: Any) -> Any:
        return self._answer(self._client.post(f"/api/v1{path}", json=body))

    def get(self, path: str) -> Any:
        return self._answer(self._client.get(f"/api/v1{path}"))

    @staticmethod
    def _answer(response: httpx.Response) -> Any:
        if response.is_error:
            where = f"{response.request.method} {response.request.url.path}"
            raise SeedFailed(where=where, answer=response.status_code, reason=response.text[:500])
        return response.json() if response.content else None


def _people(api: Api) -> list[Login]:
    logins = []
    for name, shown, role in PEOPLE:
        login = Login(name, role, secrets.token_urlsafe(12))
        user = api.post("/users", name=name, display_name=shown, password=login.password)
        api.post(f"/users/{user['id']}/bindings", role=role)
        logins.append(login)
    return logins


def _credentials(api: Api, index: dict[str, Any]) -> str:
    private_key = Path(index["ssh"]["private_key_path"]).read_text()
    secret = {"kind": "ssh_key", "user": index["ssh"]["user"], "private_key": private_key}
    made = api.post("/credentials", name="fleet key", note="opens every simulated machine", secret=secret)
    return str(made["id"])


def _machines(api: Api, index: dict[str, Any], key: str, wanted: Callable[[], bool]) -> None:
    cmdb = index["cmdb"]
    token = api.post("/credentials", name="cmdb token", secret={"kind": "token", "token": cmdb["token"]})
    source = api.post(
        "/cmdb/sources",
        name="cmdb",
        config={"source": cmdb["source"], "mapping": cmdb["mapping"]},
        credential_id=token["id"],
        machine_credential_id=key,
        machine_ssh_user=index["ssh"]["user"],
        interval_seconds=900,
    )
    deadline = time.monotonic() + SYNC_PATIENCE
    while wanted():
        runs = api.get(f"/cmdb/sources/{source['id']}/runs")["items"]
        outcome = runs[0]["outcome"] if runs else "none yet"
        if outcome == "ok":
            return
        if outcome == "failed" or time.monotonic() > deadline:
            raise SeedFailed(where="CMDB sync", answer=outcome, reason=str(runs[0]["error"] if runs else ""))
        time.sleep(0.2)


def _cluster(api: Api, entry: dict[str, Any]) -> None:
    api.post(
        "/clusters",
        name=entry["name"],
        description="simulated",
        cluster_yml=Path(entry["config"]).read_text(),
        rkestate=Path(entry["state"]).read_text(),
        kubeconfig=Path(entry["kubeconfig"]).read_text(),
        flat_network=entry["flat_network"],
    )


def welcome(settings: Settings, logins: list[Login]) -> list[str]:
    """What the person at the terminal needs: the address, and who may sign in with what."""
    width = max(len(login.name) for login in logins)
    return [
        f"Open {base_url(settings)}  (API description: {base_url(settings)}/api/v1/openapi.json)",
        "Logins of this demo:",
        *(f"  {login.name:<{width}}  {login.password:<24}  {login.role}" for login in logins),
    ]
