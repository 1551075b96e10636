"""Accounts, roles and tokens over the API."""

from __future__ import annotations

import threading
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from autorke.core import db
from autorke.core.ids import new_id
from autorke.users import access, service
from autorke.users.access import Actor
from autorke.users.errors import LastAdmin
from autorke.users.models import AuditEntry, RoleBinding, User
from tests.api import PASSWORD, V1, Api

NEW_PASSWORD = "another long pass phrase"


def _refused(answer: Any, status: int, code: str) -> bool:
    return (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_user_is_created_without_roles_and_can_sign_in(api: Api) -> None:
    admin = api.caller("admin")
    body = {"name": "wei.zhang", "display_name": "张伟", "password": PASSWORD, "email": "wei@example.com"}
    answer = admin.post(f"{V1}/users", json=body)
    assert answer.status_code == 201
    assert answer.json()["bindings"] == []
    assert PASSWORD not in answer.text
    assert api.signed_in("wei.zhang").get(f"{V1}/me").json()["permissions"] == {}


def test_a_name_is_taken_once(api: Api) -> None:
    admin = api.caller("admin")
    body = {"name": "wei", "display_name": "Wei", "oidc_subject": "https://sso 1"}
    assert admin.post(f"{V1}/users", json=body).status_code == 201
    assert _refused(admin.post(f"{V1}/users", json=body), 409, "user-exists")
    assert _refused(admin.post(f"{V1}/users", json=body | {"name": "li"}), 409, "user-exists")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "Wei"),
        ("name", ""),
        ("name", "$(reboot)"),
        ("name", "wei\nadmin"),
        ("name", "a" * 65),
        ("display_name", ""),
        ("email", "nobody"),
        ("locale", "fr"),
        ("password", "short"),
        ("password", "a" * 257),
        ("disabled", True),
        ("id", str(UUID(int=1))),
    ],
)
def test_bad_fields_are_named(api: Api, field: str, value: object) -> None:
    body = {"name": "wei", "display_name": "Wei", "password": PASSWORD} | {field: value}
    answer = api.caller("admin").post(f"{V1}/users", json=body)
    assert _refused(answer, 422, "invalid-request")
    assert answer.json()["field"] == field


def test_only_what_is_sent_changes(api: Api) -> None:
    admin, wei = api.caller("admin"), api.user("wei")
    answer = admin.patch(f"{V1}/users/{wei}", json={"email": "wei@example.com"})
    assert (answer.json()["email"], answer.json()["display_name"]) == ("wei@example.com", "wei")
    assert admin.patch(f"{V1}/users/{wei}", json={"email": None}).json()["email"] is None
    assert admin.patch(f"{V1}/users/{wei}", json={"display_name": None}).json()["display_name"] == "wei"


def test_a_new_password_signs_the_user_out(api: Api) -> None:
    admin, wei = api.caller("admin"), api.user("wei")
    client = api.signed_in("wei")
    assert admin.patch(f"{V1}/users/{wei}", json={"password": NEW_PASSWORD}).status_code == 200
    assert client.get(f"{V1}/me").status_code == 401
    answer = api.anonymous.post(f"{V1}/session", json={"name": "wei", "password": NEW_PASSWORD})
    assert answer.status_code == 200


def test_changing_ones_own_password_keeps_this_session_only(api: Api) -> None:
    api.user("wei")
    here, there = api.signed_in("wei"), api.signed_in("wei")
    wrong = here.put(f"{V1}/me/password", json={"current": "not this one", "new": NEW_PASSWORD})
    assert _refused(wrong, 422, "wrong-password")
    assert here.put(f"{V1}/me/password", json={"current": PASSWORD, "new": NEW_PASSWORD}).status_code == 204
    assert (here.get(f"{V1}/me").status_code, there.get(f"{V1}/me").status_code) == (200, 401)


def test_an_unknown_user_is_not_found(api: Api) -> None:
    admin = api.caller("admin")
    for answer in (admin.get(f"{V1}/users/{new_id()}"), admin.delete(f"{V1}/users/{new_id()}")):
        assert _refused(answer, 404, "not-found")


def test_a_role_on_one_cluster_gives_nothing_on_another(api: Api, session: Session) -> None:
    north, south = api.cluster("north"), api.cluster("south")
    wei = api.user("wei", "approver", cluster_id=north)
    assert access.may(session, wei, "ticket:approve", north)
    assert not access.may(session, wei, "ticket:approve", south)
    assert not access.may(session, wei, "ticket:approve", None), "not on the platform itself"
    assert not access.may(session, wei, "ticket:create", north)
    assert access.has_role(session, wei, "approver", north)
    assert not access.has_role(session, wei, "approver", south)


def test_eligibility_is_asked_anew_when_it_counts(api: Api, session: Session) -> None:
    """A disabled user, a role taken away, a deleted user: none may approve any more (engine.md §3.9)."""
    wei, li = api.user("wei", "approver"), api.user("li", "approver")
    assert access.may(session, wei, "ticket:approve", new_id())
    session.get_one(User, wei).disabled = True
    session.flush()
    assert not access.may(session, wei, "ticket:approve", None)
    session.delete(session.execute(select(RoleBinding).where(RoleBinding.user_id == li)).scalar_one())
    session.flush()
    assert not access.may(session, li, "ticket:approve", None)
    assert not access.may(session, new_id(), "ticket:read", None)


def test_scope_narrows_a_list_in_sql(api: Api, session: Session) -> None:
    """On role bindings themselves, which have a cluster or none, as free machines do."""
    north, south = api.cluster("north"), api.cluster("south")
    user = api.user("wei", "viewer", cluster_id=north)
    api.user("li", "viewer", cluster_id=south)
    api.user("all", "viewer")

    def seen(*bindings: tuple[str, UUID | None], unowned: bool = False) -> set[UUID | None]:
        actor = Actor(user, "wei", frozenset(bindings), "password", new_id(), None)
        condition = access.scope(actor, "machine:read", RoleBinding.cluster_id, unowned=unowned)
        return set(session.execute(select(RoleBinding.cluster_id).where(condition)).scalars())

    assert seen() == seen(unowned=True) == set()
    assert seen(("viewer", north)) == {north}
    assert seen(("viewer", north), ("auditor", south)) == {north, south}
    assert seen(("viewer", north), unowned=True) == {north, None}
    assert seen(("viewer", None)) == {north, south, None}
    assert seen(("no such role", None)) == set()


def test_the_same_role_is_given_once(api: Api) -> None:
    admin, wei, north = api.caller("admin"), api.user("wei"), api.cluster()
    url = f"{V1}/users/{wei}/bindings"
    for body in ({"role": "viewer"}, {"role": "viewer", "cluster_id": str(north)}):
        assert admin.post(url, json=body).status_code == 201
        assert _refused(admin.post(url, json=body), 409, "binding-exists")
    answer = admin.post(url, json={"role": "viewer", "cluster_id": str(new_id())})
    assert _refused(answer, 409, "reference-conflict")
    assert answer.json()["field"] == "cluster_id"
    assert _refused(admin.post(url, json={"role": "root"}), 422, "invalid-request")


def test_me_tells_where_each_permission_holds(api: Api) -> None:
    north = api.cluster()
    api.user("wei", "approver", cluster_id=north)
    me = api.signed_in("wei").get(f"{V1}/me").json()
    assert me["permissions"]["ticket:approve"] == [str(north)]
    assert me["bindings"][0]["cluster_id"] == str(north)


def _sole_admin(api: Api) -> tuple[UUID, TestClient, str]:
    root = api.user("root", "admin")
    client = api.signed_in("root")
    return root, client, client.get(f"{V1}/users/{root}").json()["bindings"][0]["id"]


def test_the_last_admin_cannot_be_removed_in_any_way(api: Api) -> None:
    root, client, binding = _sole_admin(api)
    api.user("local", "admin", cluster_id=api.cluster())
    for answer in (
        client.delete(f"{V1}/users/{root}/bindings/{binding}"),
        client.patch(f"{V1}/users/{root}", json={"disabled": True}),
        client.delete(f"{V1}/users/{root}"),
    ):
        assert _refused(answer, 409, "last-admin")
    assert client.get(f"{V1}/users").status_code == 200, "nothing was changed"
    api.user("other", "admin")
    assert client.delete(f"{V1}/users/{root}/bindings/{binding}").status_code == 204


def test_two_admins_cannot_remove_each_other_at_the_same_moment(api: Api) -> None:
    people = [api.user(f"root{number}", "admin") for number in range(2)]
    actors = [
        Actor(user, "root", frozenset({("admin", None)}), "password", new_id(), None) for user in reversed(people)
    ]
    barrier, outcomes = threading.Barrier(2), []

    def disable(target: UUID, actor: Actor) -> None:
        try:
            with db.transaction() as session:
                barrier.wait(60)
                service.update(session, target, actor=actor, changes={"disabled": True})
            outcomes.append("done")
        except LastAdmin:
            outcomes.append("refused")

    threads = [threading.Thread(target=disable, args=pair) for pair in zip(people, actors, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["done", "refused"]


def test_a_user_to_whom_a_record_refers_is_disabled_not_deleted(api: Api) -> None:
    admin = api.caller("admin")
    wei = api.user("wei", "admin")
    token = {"name": "cmdb", "secret": {"kind": "token", "token": "t"}}
    assert api.signed_in("wei").post(f"{V1}/credentials", json=token).status_code == 201
    assert _refused(admin.delete(f"{V1}/users/{wei}"), 409, "user-in-use")
    li = api.user("li", "viewer")
    api.token(li)
    assert admin.delete(f"{V1}/users/{li}").status_code == 204


def test_a_token_is_shown_once_and_works(api: Api) -> None:
    api.user("wei", "auditor")
    client = api.signed_in("wei")
    body = {"name": "ci", "expires_at": "2099-01-01T00:00:00Z", "scopes": ["audit:read"]}
    made = client.post(f"{V1}/me/tokens", json=body)
    assert made.status_code == 201
    secret = made.json()["token"]
    listed = client.get(f"{V1}/me/tokens")
    assert [token["name"] for token in listed.json()["items"]] == ["ci"]
    assert secret not in listed.text
    machine = api.anonymous
    machine.headers["Authorization"] = f"Bearer {secret}"
    assert machine.get(f"{V1}/audit").status_code == 200
    assert machine.get(f"{V1}/users").status_code == 403, "outside its scopes"
    assert client.get(f"{V1}/me/tokens").json()["items"][0]["last_used_at"] is not None
    assert client.delete(f"{V1}/me/tokens/{made.json()['id']}").status_code == 204
    assert machine.get(f"{V1}/audit").status_code == 401


def test_a_token_cannot_mint_a_token_nor_change_the_password(api: Api) -> None:
    machine = api.caller("admin")
    body = {"name": "ci", "expires_at": "2099-01-01T00:00:00Z"}
    assert _refused(machine.post(f"{V1}/me/tokens", json=body), 403, "login-needed")
    change = machine.put(f"{V1}/me/password", json={"current": PASSWORD, "new": NEW_PASSWORD})
    assert _refused(change, 403, "login-needed")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "2099-01-01T00:00:00"}, "expires_at"),
        ({"expires_at": "soon"}, "expires_at"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes.0"),
        ({"scopes": ["audit:read", "audit:read"]}, "scopes"),
        ({"name": ""}, "name"),
    ],
)
def test_bad_tokens_are_refused(api: Api, changes: dict[str, Any], field: str) -> None:
    api.user("wei")
    body = {"name": "ci", "expires_at": "2099-01-01T00:00:00Z"} | changes
    answer = api.signed_in("wei").post(f"{V1}/me/tokens", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_ones_tokens_are_ones_own(api: Api) -> None:
    api.user("wei")
    api.user("li")
    wei, li = api.signed_in("wei"), api.signed_in("li")
    body = {"name": "ci", "expires_at": "2099-01-01T00:00:00Z"}
    made = wei.post(f"{V1}/me/tokens", json=body).json()
    assert _refused(wei.post(f"{V1}/me/tokens", json=body), 409, "token-exists")
    assert li.get(f"{V1}/me/tokens").json()["items"] == []
    assert _refused(li.delete(f"{V1}/me/tokens/{made['id']}"), 404, "not-found")


def test_the_first_admin_gets_a_random_password_and_there_is_only_one_first(session: Session) -> None:
    password = service.create_first_admin(session)
    assert password is not None
    assert len(password) >= 24
    assert service.create_first_admin(session) is None
    user = session.execute(select(User)).scalar_one()
    assert access.may(session, user.id, "user:write", None)


def test_what_is_done_to_people_is_audited(api: Api, session: Session) -> None:
    root = api.user("root", "admin")
    client = api.signed_in("root")
    wei = client.post(f"{V1}/users", json={"name": "wei", "display_name": "W", "password": PASSWORD}).json()["id"]
    client.post(f"{V1}/users/{wei}/bindings", json={"role": "viewer"})
    client.patch(f"{V1}/users/{wei}", json={"password": NEW_PASSWORD, "locale": "en"})
    entries = session.execute(select(AuditEntry).where(AuditEntry.object_id == wei).order_by(AuditEntry.at)).scalars()
    rows = [(entry.action, entry.actor_id, entry.detail) for entry in entries]
    assert rows == [
        ("user.create", root, {"name": "wei"}),
        ("role.grant", root, {"role": "viewer", "cluster_id": None}),
        ("user.update", root, {"fields": ["locale", "password"]}),
    ]
    listed = client.get(f"{V1}/audit?filter=object_id:eq:{wei}&sort=at").json()["items"]
    assert [item["action"] for item in listed] == ["user.create", "role.grant", "user.update"]
    assert listed[0]["actor_name"] == "root"


def test_the_directory_names_people_and_nothing_else_of_them(api: Api) -> None:
    li, wang = api.user("li", "admin"), api.user("wang")
    client = api.caller(name="zhao")
    everybody = client.get(f"{V1}/directory").json()
    assert [person["name"] for person in everybody] == ["li", "wang", "zhao"]
    assert set(everybody[0]) == {"id", "name", "display_name"}
    assert client.get(f"{V1}/directory", params={"id": [str(wang), str(new_id())]}).json() == [everybody[1]]
    assert [row["id"] for row in client.get(f"{V1}/directory", params={"search": "L"}).json()] == [str(li)]
    assert client.get(f"{V1}/directory", params={"search": "%"}).json() == []
