"""Saved views: one's own and shared ones are seen, only one's own are changed."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from autorke.core import db
from autorke.core.ids import new_id
from autorke.users.models import AuditEntry, User
from autorke.views import service
from tests.api import V1, Api

URL = f"{V1}/views"
STATE: dict[str, Any] = {"filter": ["state:eq:free"], "columns": ["hostname", "机架"], "width": {"hostname": 180.5}}


def save(client: TestClient, name: str, **body: Any) -> Any:
    answer = client.post(URL, json={"page": "machines", "name": name, "state": STATE, **body})
    assert answer.status_code == 201, answer.text
    return answer.json()


def names(client: TestClient, page: str = "machines") -> list[str]:
    return [view["name"] for view in client.get(URL, params={"page": page}).json()]


def test_a_view_is_kept_as_it_was_sent(api: Api) -> None:
    li = api.caller("viewer", name="li")
    made = save(li, "free 机器")
    assert (made["state"], made["shared"], made["owner_name"]) == (STATE, False, "li")
    assert li.get(URL, params={"page": "machines"}).json() == [made]


def test_shared_views_are_seen_by_all_and_changed_by_their_owner(api: Api) -> None:
    li, wang = api.caller("viewer", name="li"), api.caller("viewer", name="wang")
    shared, own = save(li, "b", shared=True), save(li, "c")
    save(wang, "d")
    save(wang, "other page", page="tickets", shared=True)
    assert (names(li), names(wang)) == (["b", "c"], ["d", "b"]), "one's own come first"
    for call in (
        lambda: wang.patch(f"{URL}/{shared['id']}", json={"name": "x"}),
        lambda: wang.delete(f"{URL}/{shared['id']}"),
    ):
        answer = call()
        assert (answer.status_code, answer.json()["code"]) == (403, "view-of-somebody-else")
        assert "li" in answer.json()["cause"]["en"]
    for view_id in (own["id"], str(new_id())):
        assert wang.patch(f"{URL}/{view_id}", json={"name": "x"}).status_code == 404
        assert wang.delete(f"{URL}/{view_id}").status_code == 404
    changed = li.patch(f"{URL}/{shared['id']}", json={"shared": False, "state": {}}).json()
    assert (changed["name"], changed["shared"], changed["state"]) == ("b", False, {})
    assert changed["updated_at"] > shared["updated_at"]
    assert names(wang) == ["d"]
    assert li.delete(f"{URL}/{own['id']}").status_code == 204
    assert names(li) == ["b"]


def test_a_name_is_ones_own_once_on_a_page(api: Api) -> None:
    li = api.caller(name="li")
    save(li, "a")
    other = save(li, "b")
    save(li, "a", page="tickets")
    save(api.caller(name="wang"), "a")
    again = li.post(URL, json={"page": "machines", "name": "a", "state": {}})
    assert (again.status_code, again.json()["code"], again.json()["field"]) == (409, "view-exists", "name")
    assert li.patch(f"{URL}/{other['id']}", json={"name": "a"}).status_code == 409
    assert li.patch(f"{URL}/{other['id']}", json={"name": "b", "shared": True}).status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"name": "a\u0000"}, "name"),
        ({"page": "Machines; drop"}, "page"),
        ({"state": []}, "state"),
        ({"state": {"x": "机" * 5_500}}, "state"),
        ({"shared": "yes"}, "shared"),
        ({"owner_id": "0190f000-0000-7000-8000-000000000000"}, "owner_id"),
    ],
)
def test_bad_views_are_refused_at_their_field(api: Api, body: dict[str, Any], field: str) -> None:
    li = api.caller()
    answer = li.post(URL, json={"page": "machines", "name": "a", "state": {}, **body})
    assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text
    assert names(li) == []


def test_a_large_state_is_refused_on_a_change_too(api: Api) -> None:
    li = api.caller()
    made = save(li, "a", state={"x": "y" * 16_000})
    answer = li.patch(f"{URL}/{made['id']}", json={"state": {"x": "y" * 16_400}})
    assert (answer.status_code, answer.json()["code"]) == (422, "view-too-large")


def test_there_is_an_end_to_views(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MAX_OWN", 2)
    li = api.caller()
    save(li, "a")
    save(li, "b")
    answer = li.post(URL, json={"page": "machines", "name": "c", "state": {}})
    assert (answer.status_code, answer.json()["code"]) == (409, "too-many-views")
    save(li, "c", page="tickets")


def test_changes_are_on_the_record_and_views_go_with_their_owner(api: Api) -> None:
    li = api.caller(name="li")
    made = save(li, "a", shared=True)
    li.patch(f"{URL}/{made['id']}", json={"name": "b"})
    with db.transaction() as session:
        actions = list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))
        assert actions == ["view.create", "view.update"]
        session.delete(session.scalars(select(User).where(User.name == "li")).one())
    assert names(api.caller()) == []
