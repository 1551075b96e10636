"""Sign in and out, the file that keeps the token, tokens, and the codes that scripts read."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from autorke.cli import profile
from tests.api import PASSWORD
from tests.cli.site import Person, Site


def kept(home: Path) -> Path:
    return home / "autorke" / "config.json"


def test_login_keeps_a_token_that_only_the_owner_can_read(site: Site, tmp_path: Path) -> None:
    site.api.user("wei", "requester")
    done = site.run("login", site.url, "--user", "wei", "--password-stdin", text=PASSWORD + "\n", home=tmp_path)
    assert done.exit_code == 0, done.stderr
    stored = json.loads(kept(tmp_path).read_text())
    assert stored["url"] == site.url
    assert stored["user"] == "wei"
    assert stat.S_IMODE(kept(tmp_path).stat().st_mode) == 0o600
    assert PASSWORD not in kept(tmp_path).read_text() + done.output
    assert stored["token"] not in done.output
    me = site.run("whoami", "--json", home=tmp_path)
    assert json.loads(me.stdout)["method"] == "token"
    names = json.loads(site.run("token", "list", "--json", home=tmp_path).stdout)["items"]
    assert [row["name"].startswith("cli ") for row in names] == [True]


def test_login_again_replaces_its_own_token_and_logout_revokes_it(site: Site, tmp_path: Path) -> None:
    site.api.user("wei", "requester")
    for _ in range(2):
        typed = f"wei\n{PASSWORD}\n"
        assert site.run("login", site.url, text=typed, home=tmp_path).exit_code == 0
    token = json.loads(kept(tmp_path).read_text())["token"]
    assert len(json.loads(site.run("token", "list", "--json", home=tmp_path).stdout)["items"]) == 1
    assert site.run("logout", home=tmp_path).exit_code == 0
    assert not kept(tmp_path).exists()
    refused = site.run("whoami", home=tmp_path, AUTORKE_URL=site.url, AUTORKE_TOKEN=token)
    assert refused.exit_code == 3
    assert "Sign in first" in refused.stderr
    assert site.run("logout", home=tmp_path).exit_code == 0


def test_a_token_from_stdin_signs_in(site: Site, tmp_path: Path, requester: Person) -> None:
    done = site.run("login", site.url, "--token-stdin", text=requester.token + "\n", home=tmp_path)
    assert done.exit_code == 0, done.stderr
    assert "wei" in done.stderr
    shown = site.run("whoami", home=tmp_path)
    assert "requester" in shown.stdout
    assert "ticket:create" in shown.stdout


@pytest.mark.parametrize(("password", "token"), [("wrong", None), (None, "ark_nonsense"), (None, "令牌")])
def test_a_wrong_password_or_token_is_refused_and_nothing_is_kept(
    site: Site, tmp_path: Path, password: str | None, token: str | None
) -> None:
    site.api.user("wei", "requester")
    how = ["--user", "wei", "--password-stdin"] if password else ["--token-stdin"]
    done = site.run("login", site.url, *how, text=f"{password or token}\n", home=tmp_path)
    assert done.exit_code == 3
    assert done.stderr
    assert not kept(tmp_path).exists()


@pytest.mark.parametrize("url", ["ftp://x", "x", "http://", "http://me:secret@host", "http://h:99999", "http://a b"])
def test_an_address_that_cannot_be_one_is_wrong_usage(site: Site, tmp_path: Path, url: str) -> None:
    done = site.run("login", url, "--token-stdin", text="t\n", home=tmp_path)
    assert done.exit_code == 2
    assert "URL: " in done.stderr


def test_nothing_on_stdin_is_wrong_usage(site: Site, tmp_path: Path) -> None:
    done = site.run("login", site.url, "--token-stdin", home=tmp_path)
    assert done.exit_code == 2
    assert "stdin" in done.stderr


def test_refusals_are_in_the_language_of_the_terminal_or_json(site: Site, tmp_path: Path) -> None:
    assert "请先登录" in site.run("whoami", home=tmp_path, lang="zh_CN.UTF-8").stderr
    told = site.run("whoami", "--json", home=tmp_path)
    assert told.exit_code == 3
    assert json.loads(told.stderr)["code"] == "not-signed-in"
    assert told.stdout == ""


def test_a_file_that_others_can_read_is_refused(site: Site, tmp_path: Path, requester: Person) -> None:
    site.run("login", site.url, "--token-stdin", text=requester.token + "\n", home=tmp_path)
    kept(tmp_path).chmod(0o644)
    done = site.run("whoami", home=tmp_path)
    assert done.exit_code == 2
    assert "0644" in done.stderr


@pytest.mark.parametrize("content", ["", "[]", '{"url": 1', '{"surprise": true}'])
def test_a_damaged_file_is_told(site: Site, tmp_path: Path, content: str) -> None:
    kept(tmp_path).parent.mkdir(parents=True)
    kept(tmp_path).write_text(content)
    kept(tmp_path).chmod(0o600)
    done = site.run("whoami", home=tmp_path)
    assert done.exit_code == 2
    assert "config.json" in done.stderr


def test_a_stored_token_goes_to_no_other_address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv(profile.TOKEN_VARIABLE, raising=False)
    profile.keep(profile.Profile("https://autorke.example", "ark_secret", "wei", "id"))
    monkeypatch.setenv(profile.URL_VARIABLE, "https://autorke.example/")
    assert profile.current().token == "ark_secret"
    assert "ark_secret" not in repr(profile.current())
    monkeypatch.setenv(profile.URL_VARIABLE, "https://elsewhere.example")
    with pytest.raises(profile.NotSignedIn):
        profile.current()


def test_an_address_where_nobody_answers(site: Site, requester: Person) -> None:
    done = requester.run("whoami", AUTORKE_URL="http://127.0.0.1:1")
    assert done.exit_code == 6
    assert "Cannot reach http://127.0.0.1:1" in done.stderr


def test_plain_http_to_another_machine_is_warned_of(site: Site, tmp_path: Path) -> None:
    done = site.run("login", "http://autorke.invalid", "--token-stdin", text="t\n", home=tmp_path)
    assert "without https" in done.stderr
    assert done.exit_code == 6


def test_tokens_are_made_with_the_password_and_revoked(site: Site, requester: Person) -> None:
    words = ("token", "create", "ci", "--days", "3", "--scope", "machine:read", "--password-stdin")
    made = requester.ok(*words, text=PASSWORD + "\n")
    token = made.stdout.strip()
    narrow = Person(site, token, requester.home, requester.user_id)
    assert narrow.run("machine", "list").exit_code == 0
    assert narrow.run("ticket", "list").exit_code == 3
    listed = requester.ok("token", "list").stdout
    assert "ci" in listed
    assert token not in listed
    again = requester.run(*words, text=PASSWORD + "\n")
    assert again.exit_code == 5
    assert "already have a token named ci" in again.stderr
    unknown = requester.run(
        "token", "create", "x", "--scope", "fly", "--password-stdin", "--json", text=PASSWORD + "\n"
    )
    assert unknown.exit_code == 1
    assert json.loads(unknown.stderr)["field"].startswith("scopes")
    assert requester.ok("token", "revoke", "ci").exit_code == 0
    assert narrow.run("machine", "list").exit_code == 3
    assert requester.run("token", "revoke", "ci").exit_code == 4
    assert requester.run("token", "revoke", " ").exit_code == 2
