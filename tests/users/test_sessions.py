"""Signing in, staying signed in, being thrown out."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from autorke.core import db
from autorke.users import throttle
from autorke.users.deps import CSRF_COOKIE, CSRF_HEADER, SESSION_COOKIE
from autorke.users.models import AuditEntry, LoginAttempts, UserSession
from tests.api import PASSWORD, V1, Api


def _log_in(api: Api, name: str, password: str = PASSWORD) -> int:
    return api.anonymous.post(f"{V1}/session", json={"name": name, "password": password}).status_code


def test_a_sign_in_sets_a_hidden_session_cookie_and_a_readable_csrf_cookie(api: Api) -> None:
    api.user("wei", "requester")
    answer = api.anonymous.post(f"{V1}/session", json={"name": "wei", "password": PASSWORD})
    cookies = {line.split("=")[0]: line for line in answer.headers.get_list("set-cookie")}
    assert "HttpOnly" in cookies[SESSION_COOKIE]
    assert "SameSite=lax" in cookies[SESSION_COOKIE]
    assert "HttpOnly" not in cookies[CSRF_COOKIE]
    me = answer.json()
    assert me["name"] == "wei"
    assert me["permissions"]["ticket:create"] is None
    assert "user:write" not in me["permissions"]


def test_the_cookie_token_is_not_in_the_database(api: Api, session: Session) -> None:
    api.user("wei")
    client = api.signed_in("wei")
    stored = session.execute(select(UserSession.token_sha256)).scalar_one()
    assert client.cookies[SESSION_COOKIE].encode() not in stored
    assert len(stored) == 32


def test_wrong_name_wrong_password_and_disabled_account_get_the_same_answer(api: Api) -> None:
    api.user("wei")
    gone = api.user("gone")
    with db.transaction() as session:
        session.execute(text("UPDATE user_account SET disabled = true WHERE id = :id"), {"id": gone})
    answers = []
    for name, password in (("nobody", PASSWORD), ("wei", "wrong password"), ("gone", PASSWORD)):
        answer = api.anonymous.post(f"{V1}/session", json={"name": name, "password": password})
        assert answer.status_code == 401
        body = answer.json()
        body.pop("instance")
        answers.append(body)
    assert answers[0] == answers[1] == answers[2]
    assert answers[0]["code"] == "login-refused"


def test_a_refused_sign_in_is_audited_although_its_request_rolls_back(api: Api, session: Session) -> None:
    user_id = api.user("wei")
    _log_in(api, "wei", "wrong password")
    entry = session.execute(select(AuditEntry).where(AuditEntry.action == "session.refuse")).scalar_one()
    assert entry.object_id == str(user_id)


def test_sign_ins_are_throttled_per_name_and_address(api: Api) -> None:
    api.user("wei")
    codes = [_log_in(api, "wei", "wrong password") for _ in range(throttle.PER_NAME_AND_IP)]
    assert set(codes) == {401}
    answer = api.anonymous.post(f"{V1}/session", json={"name": "wei", "password": PASSWORD})
    assert answer.status_code == 429, "even the right password has to wait"
    assert 0 < int(answer.headers["retry-after"]) <= throttle.WINDOW.total_seconds()
    api.user("li")
    assert _log_in(api, "li") == 200, "another name at the same address is not affected yet"


def test_sign_ins_are_throttled_per_address(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "PER_IP", 3)
    assert [_log_in(api, f"guess{number}") for number in range(4)] == [401, 401, 401, 429]


def test_the_window_passes(api: Api) -> None:
    api.user("wei")
    for _ in range(throttle.PER_NAME_AND_IP + 1):
        _log_in(api, "wei", "wrong password")
    with db.transaction() as session:
        session.execute(text("UPDATE login_attempt SET started_at = started_at - interval '16 minutes'"))
    assert _log_in(api, "wei") == 200


def test_a_sign_in_that_works_clears_its_counter(api: Api, session: Session) -> None:
    api.user("wei")
    for _ in range(3):
        _log_in(api, "wei", "wrong password")
    assert _log_in(api, "wei") == 200
    assert session.execute(select(LoginAttempts.count)).scalars().all() == [4], "only the address counter is left"


def test_parallel_guesses_cannot_slip_through_the_throttle(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "PER_NAME_AND_IP", 3)
    passed: list[int] = []

    def guess() -> None:
        try:
            with db.transaction() as own:
                throttle.count(own, name="wei", ip="192.0.2.1")
            passed.append(1)
        except throttle.TooManyLogins:
            pass

    threads = [threading.Thread(target=guess) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(passed) == 3


def test_an_expired_session_is_nobody(api: Api) -> None:
    api.user("wei")
    client = api.signed_in("wei")
    assert client.get(f"{V1}/me").status_code == 200
    with db.transaction() as session:
        session.execute(text("UPDATE user_session SET expires_at = now() - interval '1 second'"))
    assert client.get(f"{V1}/me").status_code == 401


def test_use_moves_the_expiry_but_not_beyond_the_longest_life(api: Api, session: Session) -> None:
    api.user("wei")
    client = api.signed_in("wei")
    with db.transaction() as own:
        own.execute(
            text(
                "UPDATE user_session SET last_seen_at = now() - interval '2 minutes',"
                " expires_at = now() + interval '1 minute'"
            )
        )
    assert client.get(f"{V1}/me").status_code == 200
    left = text("SELECT extract(epoch FROM expires_at - now()) FROM user_session")
    assert session.execute(left).scalar_one() > 11 * 3600
    session.rollback()
    with db.transaction() as own:
        own.execute(
            text(
                "UPDATE user_session SET last_seen_at = now() - interval '2 minutes',"
                " created_at = now() - interval '167 hours'"
            )
        )
    assert client.get(f"{V1}/me").status_code == 200
    assert session.execute(left).scalar_one() <= 3600


def test_sign_out_ends_the_session_on_the_server(api: Api) -> None:
    api.user("wei")
    client = api.signed_in("wei")
    stolen = client.cookies[SESSION_COOKIE]
    assert client.delete(f"{V1}/session").status_code == 204
    thief = api.anonymous
    thief.cookies.set(SESSION_COOKIE, stolen)
    assert thief.get(f"{V1}/me").status_code == 401


def test_a_disabled_user_is_out_at_once_with_session_and_token(api: Api) -> None:
    admin = api.caller("admin")
    wei = api.user("wei", "requester")
    client, token = api.signed_in("wei"), api.token(wei)
    assert admin.patch(f"{V1}/users/{wei}", json={"disabled": True}).status_code == 200
    assert client.get(f"{V1}/me").status_code == 401
    assert api.anonymous.get(f"{V1}/me", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_a_role_taken_away_counts_in_the_next_request(api: Api) -> None:
    admin = api.caller("admin")
    wei = api.user("wei", "auditor")
    client = api.signed_in("wei")
    assert client.get(f"{V1}/audit").status_code == 200
    binding = admin.get(f"{V1}/users/{wei}").json()["bindings"][0]["id"]
    assert admin.delete(f"{V1}/users/{wei}/bindings/{binding}").status_code == 204
    assert client.get(f"{V1}/audit").status_code == 403


@pytest.mark.parametrize("header", [None, "", "wrong", "ü"])
def test_a_write_by_cookie_without_its_csrf_token_is_refused(api: Api, header: str | None) -> None:
    api.user("wei")
    client = api.signed_in("wei")
    del client.headers[CSRF_HEADER]
    headers = {} if header is None else {CSRF_HEADER: header.encode()}
    answer = client.patch(f"{V1}/me", json={"locale": "en"}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf-refused")
    assert client.get(f"{V1}/me").json()["locale"] == "zh", "nothing was written"


def test_the_csrf_token_of_one_session_does_not_fit_another(api: Api) -> None:
    api.user("wei")
    first, second = api.signed_in("wei"), api.signed_in("wei")
    answer = first.patch(f"{V1}/me", json={"locale": "en"}, headers={CSRF_HEADER: second.headers[CSRF_HEADER]})
    assert answer.status_code == 403


def test_a_bearer_token_needs_no_csrf_token(api: Api) -> None:
    assert api.caller("viewer").patch(f"{V1}/me", json={"locale": "en"}).status_code == 200


def test_a_wrong_bearer_token_is_not_rescued_by_a_cookie(api: Api) -> None:
    api.user("wei")
    client = api.signed_in("wei")
    assert client.get(f"{V1}/me", headers={"Authorization": "Bearer ark_wrong"}).status_code == 401


def test_an_expired_token_is_nobody(api: Api) -> None:
    client = api.caller("viewer")
    with db.transaction() as session:
        session.execute(text("UPDATE api_token SET expires_at = now()"))
    assert client.get(f"{V1}/me").status_code == 401
