"""From what people type (names, numbers, addresses) to the ids that the API takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from autorke.cli.client import Api
from autorke.cli.errors import NoSuchThing, SeveralMatch
from autorke.cli.output import word


def is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def named(api: Api, path: str, key: str, *, field: str, what: str) -> dict[str, Any]:
    """The row of a list whose name is `key`. Raises NoSuchThing."""
    found = api.get(path, filter=f"name:eq:{key}", limit=1)["items"]
    if not found:
        raise NoSuchThing(field=field, what=what, key=key)
    row: dict[str, Any] = found[0]
    return row


def cluster(api: Api, key: str) -> dict[str, Any]:
    """A cluster by name or id. Raises NoSuchThing, Refused."""
    if is_id(key):
        found: dict[str, Any] = api.get(f"/clusters/{key}")
        return found
    return named(api, "/clusters", key, field="CLUSTER", what=word("集群", "cluster"))


def credential_id(api: Api, key: str) -> str:
    if is_id(key):
        return key
    return str(named(api, "/credentials", key, field="--credential", what=word("凭据", "credential"))["id"])


def source(api: Api, key: str) -> dict[str, Any]:
    """A CMDB source by name or id."""
    if is_id(key):
        found: dict[str, Any] = api.get(f"/cmdb/sources/{key}")
        return found
    return named(api, "/cmdb/sources", key, field="SOURCE", what=word("CMDB 来源", "CMDB source"))


def machines(api: Api, keys: Sequence[str]) -> list[dict[str, Any]]:
    """Machines by id, host name, address or serial number, each once, in the order of the keys.

    Raises NoSuchThing, SeveralMatch: nothing is done with half of a list.
    """
    asked = [key for key in keys if not is_id(key)]
    answer = api.post("/machines/find", {"keys": asked}) if asked else {"matches": [], "missing": [], "ambiguous": []}
    if answer["missing"]:
        raise NoSuchThing(field="MACHINE", what=word("机器", "machine"), key=", ".join(answer["missing"][:10]))
    by_key: dict[str, list[dict[str, Any]]] = {}
    for match in answer["matches"]:
        by_key.setdefault(match["key"], []).append(match["machine"])
    found: dict[str, dict[str, Any]] = {}
    for key in keys:
        rows = [api.get(f"/machines/{key}")] if is_id(key) else by_key.get(key.strip(), [])
        if not rows:
            raise NoSuchThing(field="MACHINE", what=word("机器", "machine"), key=key)
        if len(rows) > 1 and key.strip() in answer["ambiguous"]:
            raise SeveralMatch(field="MACHINE", key=key, what=word("机器", "machine"))
        found.update({row["id"]: row for row in rows})
    return list(found.values())


def machine(api: Api, key: str) -> dict[str, Any]:
    """One machine with all its details."""
    if is_id(key):
        found: dict[str, Any] = api.get(f"/machines/{key}")
        return found
    rows = machines(api, [key])
    if len(rows) != 1:
        raise SeveralMatch(field="MACHINE", key=key, what=word("机器", "machine"))
    detail: dict[str, Any] = api.get(f"/machines/{rows[0]['id']}")
    return detail


def ticket_id(api: Api, key: str) -> str:
    """A ticket by number (`12`, `#12`) or id. Raises NoSuchThing."""
    number = key.removeprefix("#")
    if is_id(key):
        return key
    found = []
    if number.isascii() and number.isdigit() and len(number) < 19:
        found = api.get("/tickets", filter=f"number:eq:{number}", limit=1)["items"]
    if not found:
        raise NoSuchThing(field="TICKET", what=word("工单", "ticket"), key=key)
    return str(found[0]["id"])


def ticket(api: Api, key: str) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"/tickets/{ticket_id(api, key)}")
    return found


def node_ids(nodes: Sequence[dict[str, Any]], names: Sequence[str]) -> list[str]:
    """Ids of a ticket's nodes by name or id. Raises NoSuchThing, SeveralMatch."""
    found = []
    for name in names:
        rows = [node["node_id"] for node in nodes if name in (node["name"], node["node_id"])]
        if not rows:
            raise NoSuchThing(field="--node", what=word("节点", "node"), key=name)
        if len(rows) > 1:
            raise SeveralMatch(field="--node", key=name, what=word("节点", "node"))
        found += rows
    return found
