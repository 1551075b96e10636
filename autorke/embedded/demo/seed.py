"""Bringing people, credentials, the CMDB's machines and the clusters in, all over the API."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import Any

from autorke.embedded.demo.logbook import Logbook, Login
from autorke.embedded.demo.people import PEOPLE, Person
from autorke.embedded.errors import SeedFailed

SYNC_PATIENCE = 240.0
"""Seconds for the CMDB sync; its worker may still be starting."""
REPAIRS = ("memory errors, DIMM ordered", "no answer since Tuesday, vendor called", "RAID battery dead, being replaced")


def seed(url: str, book: Logbook, admin: Login) -> list[Login]:
    """Fill an empty product; returns the logins to print. Raises SeedFailed with the first request refused."""
    index = book.index()
    with Person(url, admin) as api:
        logins = [admin, *_people(api)]
        key = _credentials(api, index)
        _machines(api, index, key)
        for entry in index["clusters"]:
            _cluster(api, entry)
        _faults(api)
    return logins


def _people(api: Person) -> list[Login]:
    logins = []
    for name, shown, role in PEOPLE:
        login = Login(name, role, secrets.token_urlsafe(12))
        user = api.post("/users", name=name, display_name=shown, password=login.password)
        api.post(f"/users/{user['id']}/bindings", role=role)
        logins.append(login)
    return logins


def _credentials(api: Person, index: dict[str, Any]) -> str:
    private_key = Path(index["ssh"]["private_key_path"]).read_text()
    secret = {"kind": "ssh_key", "user": index["ssh"]["user"], "private_key": private_key}
    made = api.post("/credentials", name="fleet key", note="opens every simulated machine", secret=secret)
    return str(made["id"])


def _machines(api: Person, index: dict[str, Any], key: str) -> None:
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
    while True:
        runs = api.get(f"/cmdb/sources/{source['id']}/runs")["items"]
        outcome = runs[0]["outcome"] if runs else "none yet"
        if outcome == "ok":
            return
        if outcome == "failed" or time.monotonic() > deadline:
            raise SeedFailed(where="CMDB sync", answer=outcome, reason=str(runs[0]["error"] if runs else ""))
        time.sleep(0.2)


def _cluster(api: Person, entry: dict[str, Any]) -> None:
    api.post(
        "/clusters",
        name=entry["name"],
        description="simulated",
        cluster_yml=Path(entry["config"]).read_text(),
        rkestate=Path(entry["state"]).read_text(),
        kubeconfig=Path(entry["kubeconfig"]).read_text(),
        flat_network=entry["flat_network"],
    )


def _faults(api: Person) -> None:
    """What the CMDB calls faulty is set aside by a person, with a reason: no ticket may take it."""
    found = api.get("/machines", filter="cmdb_status:eq:fault", limit="200")["items"]
    for n, machine in enumerate(found):
        api.post(f"/machines/{machine['id']}/state", state="fault", reason=REPAIRS[n % len(REPAIRS)])
