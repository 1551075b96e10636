"""Machines, credentials and CMDB sources on the command line."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from autorke.cmdb import sync
from autorke.core import db
from autorke.core.settings import get_settings
from autorke.machines import service
from tests.cli.site import Person
from tests.credentials.keys import PASSPHRASE
from tests.credentials.keys import text as key_text
from tests.machines.make import HOST_KEY, machine
from tests.sshd import Sshd

CSV = "sn,hostname,address,rack,memory_mb,hall\nS1,bm-1,10.0.0.1,B1,1024,x\nS2,bm-2,10.0.0.2,B2,2048,x\n"


def fleet(*machines: dict[str, Any]) -> None:
    with db.transaction() as session:
        for fields in machines:
            machine(session, **fields)


def test_list_filters_sorts_and_pages(requester: Person) -> None:
    fleet(*({"hostname": f"gpu-{n}", "address": f"10.9.0.{n}", "rack": f"B{n % 2}"} for n in range(1, 6)))
    fleet({"hostname": "db-1", "address": "10.8.0.1"})
    page = requester.json("machine", "list", "--within", "10.9.0.0/16", "--filter", "rack:eq:B1", "--sort", "-hostname")
    assert [row["hostname"] for row in page["items"]] == ["gpu-5", "gpu-3", "gpu-1"]
    first = requester.ok("machine", "list", "--search", "gpu", "--limit", "2", "--columns", "hostname,rack")
    assert "gpu-2" in first.stdout
    assert "gpu-3" not in first.stdout
    assert "10.9.0.1" not in first.stdout
    cursor = first.stderr.split("--cursor ")[1].strip()
    assert "gpu-3" in requester.ok("machine", "list", "--search", "gpu", "--limit", "2", "--cursor", cursor).stdout
    whole = requester.json("machine", "list", "--all", "--state", "free")
    assert (len(whole["items"]), whole["next"], whole["total"]) == (6, None, 6)


def test_all_reads_every_page(requester: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autorke.cli.lists.PAGE_LIMIT", 2)
    fleet(*({"hostname": f"bm-{n}"} for n in range(1, 6)))
    assert requester.ok("machine", "list", "--all").stdout.count("bm-") == 5


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--filter", "rack:near:B1"), 1, "filter: The filter rack:near:B1 is not valid"),
        (("--sort", "speed"), 1, "sort: Cannot sort by speed"),
        (("--columns", "speed"), 2, "--columns: "),
        (("--cursor", "x"), 1, "cursor: "),
        (("--limit", "0"), 2, "limit"),
    ],
)
def test_list_refuses_what_it_cannot_mean(requester: Person, words: tuple[str, ...], code: int, told: str) -> None:
    done = requester.run("machine", "list", *words)
    assert done.exit_code == code
    assert told in done.stderr


def test_show_by_any_name(requester: Person) -> None:
    fleet({"hostname": "gpu-1", "address": "10.9.0.1", "sn": "J30A1XK", "rack": "B12"})
    found = requester.json("machine", "show", "gpu-1")
    for key in ("10.9.0.1", "J30A1XK", found["id"]):
        assert requester.json("machine", "show", key)["id"] == found["id"]
    assert "B12" in requester.ok("machine", "show", "gpu-1").stdout
    missing = requester.run("machine", "show", "gpu-9", lang="zh_CN.UTF-8")
    assert missing.exit_code == 4
    assert "没有这个机器：gpu-9" in missing.stderr
    assert requester.run("machine", "show", "0190f000-0000-7000-8000-000000000000").exit_code == 4


def test_find_tells_what_is_there_missing_and_repeated(requester: Person) -> None:
    fleet({"hostname": "gpu-1", "address": "10.9.0.1"}, {"hostname": "gpu-2", "address": "10.9.0.2"})
    done = requester.run("machine", "find", text="gpu-1\n10.9.0.2，nothing\t gpu-1\n")
    assert done.exit_code == 4
    assert "10.9.0.2" in done.stdout
    assert "Not found (1): nothing" in done.stderr
    assert "Pasted twice (1): gpu-1" in done.stderr
    assert requester.json("machine", "find", "10.9.0.0/24")["missing"] == []
    assert requester.run("machine", "find", text=" \n").exit_code == 2


def test_a_host_name_cannot_act_on_the_terminal(requester: Person, tmp_path: Path) -> None:
    pasted = tmp_path / "list"
    pasted.write_text("[red]evil[/red]\x1b[31m\u202e\n$(reboot)\n")
    done = requester.run("machine", "find", "--from", str(pasted))
    assert r"[red]evil[/red]\x1b[31m\u202e" in done.stderr
    assert "$(reboot)" in done.stderr
    assert "\x1b" not in done.output
    as_json = requester.run("machine", "find", "--json", "x\u202ey\x9b", "a\U000e0001")
    assert json.loads(as_json.stdout)["missing"] == ["x\u202ey\x9b", "a\U000e0001"]
    assert as_json.stdout.isascii()
    assert requester.run("machine", "find", "--from", str(tmp_path / "none")).exit_code == 2


def test_credentials_come_from_files_stdin_or_a_hidden_prompt(admin: Person, tmp_path: Path) -> None:
    key = tmp_path / "id"
    key.write_text(key_text("ed25519", "openssh", PASSPHRASE))
    made = admin.ok(
        "credential",
        "add",
        "ssh-key",
        "ops key",
        "--user",
        "ops",
        "--from",
        str(key),
        "--passphrase",
        text=f"{PASSPHRASE}\n",
    )
    assert "SHA256:" in made.stdout
    token = admin.json("credential", "add", "token", "cmdb token", "--from", "-", text="t0p-s3cret\n")
    assert token["kind"] == "token"
    typed = admin.ok("credential", "add", "ssh-password", "login", "--user", "ops", text="typed-s3cret\n")
    becoming = admin.json(
        *("credential", "add", "ssh-password", "with sudo", "--user", "ops", "--become-password"),
        text="typed-s3cret\nsudo-s3cret\n",
    )
    assert becoming["public"] == {"user": "ops", "become": True}
    registry = admin.ok("credential", "add", "registry", "images", text="typed-s3cret\nbot\nr.example\n")
    listed = admin.ok("credential", "list")
    assert {"ops key", "cmdb token", "login", "images"} <= {
        row["name"] for row in admin.json("credential", "list")["items"]
    }
    for said in (made, typed, registry, listed):
        assert "s3cret" not in said.output
        assert "PRIVATE" not in said.output


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("ssh-key", "k", "--user", "ops"), 2, "--from"),
        (("ssh-key", "k", "--user", "ops", "--from", "/none"), 2, "/none"),
        (("ssh-key", "k", "--user", "ops", "--from", "-"), 1, "private_key: "),
        (("token", "k", "--from", "-"), 1, "token"),
        (("magic", "k"), 2, "magic"),
    ],
)
def test_bad_credentials_name_the_field(admin: Person, words: tuple[str, ...], code: int, told: str) -> None:
    done = admin.run("credential", "add", *words)
    assert done.exit_code == code
    assert told in done.stderr
    assert admin.json("credential", "list")["items"] == []


def test_only_who_may_adds_credentials(requester: Person) -> None:
    done = requester.run("credential", "add", "token", "t", "--from", "-", text="x\n")
    assert done.exit_code == 3
    assert "credential:write" in done.stderr


def test_set_credential_on_several_machines(admin: Person) -> None:
    fleet({"hostname": "gpu-1"}, {"hostname": "gpu-2"})
    admin.ok("credential", "add", "ssh-password", "login", "--user", "ops", "--from", "-", text="pass-s3cret\n")
    changed = admin.json("machine", "set-credential", "gpu-1", "gpu-2", "-k", "login", "--ssh-user", "ops")
    assert {row["ssh_user"] for row in changed} == {"ops"}
    assert len({row["credential_id"] for row in changed}) == 1
    assert "gpu-1" in admin.ok("machine", "set-credential", "gpu-1", "-k", changed[0]["credential_id"]).stdout
    assert admin.run("machine", "set-credential", "gpu-1", "-k", "nobody").exit_code == 4
    assert admin.run("machine", "set-credential", "gpu-1", "gpu-7", "-k", "login").exit_code == 4


@pytest.mark.sshd
def test_pin_a_host_key_shows_its_fingerprint_and_asks(admin: Person, sshd: Sshd) -> None:
    fleet({"hostname": "bm", "address": "127.0.0.1", "ssh_port": sshd.port})
    declined = admin.run("machine", "pin-host-key", "bm", text="n\n")
    assert declined.exit_code == 1
    fingerprint = next(word for word in declined.stderr.split() if word.startswith("SHA256:"))
    wrong = admin.run("machine", "pin-host-key", "bm", "--fingerprint", "SHA256:other")
    assert wrong.exit_code == 5
    assert admin.json("machine", "show", "bm")["host_key"] == ""
    pinned = admin.json("machine", "pin-host-key", "bm", "--fingerprint", fingerprint)
    assert pinned["host_key_fingerprint"] == fingerprint
    assert "pinned already" in admin.ok("machine", "pin-host-key", "bm").stderr
    assert admin.json("machine", "pin-host-key", "bm")["host_key_fingerprint"] == fingerprint


@pytest.mark.sshd
def test_a_changed_host_key_takes_replace(admin: Person, sshd: Sshd) -> None:
    fleet({"hostname": "bm", "address": "127.0.0.1", "ssh_port": sshd.port})
    with db.transaction() as session:
        found = service.find_many(session, ["bm"]).matches[0][1]
        service.pin_host_key(session, found.id, host_key=HOST_KEY, pinned_by="test", replace=False)
    refused = admin.run("machine", "pin-host-key", "bm", "--yes")
    assert refused.exit_code == 5
    assert "another one is pinned" in refused.stderr
    assert "Pinned" in admin.ok("machine", "pin-host-key", "bm", "--yes", "--replace").stderr


@contextmanager
def syncing() -> Iterator[None]:
    """A worker's timer: every sync that was asked for begins soon."""
    over = threading.Event()

    def turn() -> None:
        while not over.wait(0.1):
            sync.run_due()

    thread = threading.Thread(target=turn)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.fixture
def cmdb_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("AUTORKE_DATA_DIR", str(tmp_path / "data"))
    get_settings.cache_clear()
    files = tmp_path / "data" / "cmdb"
    files.mkdir(parents=True)
    return files


def test_import_machines_from_a_file_of_this_computer(admin: Person, tmp_path: Path) -> None:
    file = tmp_path / "Hosts 1.csv"
    file.write_text(CSV)
    declined = admin.run("machine", "import", str(file), text="n\n")
    assert declined.exit_code == 1
    assert "bm-1" in declined.stdout
    assert "not used: hall" in declined.stderr
    assert admin.json("machine", "list")["items"] == []
    assert admin.json("cmdb", "source", "list")["items"] == []
    done = admin.ok("machine", "import", str(file), "--yes")
    assert "New" in done.stdout
    assert admin.json("machine", "show", "bm-2")["memory_mb"] == 2048
    file.write_text(CSV.replace("B1", "B9"))
    assert admin.json("machine", "import", str(file), "--yes")["counts"]["changed"] == 1
    assert admin.json("machine", "show", "bm-1")["rack"] == "B9"
    assert [row["name"] for row in admin.json("cmdb", "source", "list")["items"]] == ["hosts-1"]
    piped = admin.json("machine", "import", "-", "--name", "hosts-1", "--yes", text=CSV)
    assert piped["counts"]["changed"] == 1


def test_a_path_of_the_server_is_no_file_to_import(
    admin: Person, cmdb_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is the client's: one that only lies beside the server's data is not found."""
    (cmdb_files / "there.csv").write_text(CSV)
    monkeypatch.chdir(tmp_path)
    done = admin.run("machine", "import", "there.csv", "--yes")
    assert (done.exit_code, "there.csv" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("name", "content", "words", "code", "told"),
    [
        ("a.csv", b"sn,hostname\nS1,bm-1\n", (), 1, "no column for address"),
        ("a.csv", b"sn,hostname,ip\nS1,bm-1,10.0.0.1\n", ("--map", "address"), 2, "key=value expected"),
        ("a.csv", b"sn,hostname,ip\nS1,bm-1,10.0.0.1\n", ("--map", "speed=ip"), 1, "no such field"),
        ("a.csv", b"sn,hostname,address\nS1,bm-1\n", (), 1, "line 2, column address"),
        ("a.csv", b"sn,hostname,address\nS1,b m,x\nS2,bm-2,y\n", (), 1, "text.3.address: "),
        ("a.json", b"{", (), 1, "line 1, column 2"),
        ("a.csv", "sn,hostname,address,owner\nS1,bm-1,10.0.0.1,张三\n".encode("gb18030"), (), 2, "not utf-8 at byte"),
        ("a.csv", b"x", ("--encoding", "klingon"), 2, "no such encoding"),
        ("a.csv", b"x" * 8_000_001, (), 2, "larger than"),
    ],
)
def test_a_file_that_does_not_fit_writes_nothing(
    admin: Person, tmp_path: Path, name: str, content: bytes, words: tuple[str, ...], code: int, told: str
) -> None:
    (tmp_path / name).write_bytes(content)
    done = admin.run("machine", "import", str(tmp_path / name), "--yes", *words)
    assert told in done.stderr
    assert done.exit_code == code
    assert admin.json("cmdb", "source", "list")["items"] == []
    assert admin.json("machine", "list")["items"] == []


def test_import_json_with_renamed_columns(admin: Person, tmp_path: Path) -> None:
    rows = {"data": [{"serial": "S1", "hostname": "bm-1", "ip": "10.0.0.1"}]}
    (tmp_path / "h.json").write_text(json.dumps(rows))
    renamed = ("--items", "data", "--map", "sn=serial", "--map", "address=ip", "--yes")
    assert admin.json("machine", "import", str(tmp_path / "h.json"), *renamed)["counts"]["created"] == 1


def test_import_in_the_encoding_of_chinese_spreadsheets(admin: Person, tmp_path: Path) -> None:
    (tmp_path / "h.csv").write_bytes("sn,hostname,address,owner\nS1,bm-1,10.0.0.1,张三\n".encode("gb18030"))
    admin.ok("machine", "import", str(tmp_path / "h.csv"), "--encoding", "gb18030", "--yes")
    assert admin.json("machine", "show", "bm-1")["owner"] == "张三"


def test_cmdb_sources_are_added_synced_and_their_runs_listed(admin: Person, cmdb_files: Path, tmp_path: Path) -> None:
    admin.ok("credential", "add", "ssh-password", "login", "--user", "ops", "--from", "-", text="pass-s3cret\n")
    fields = {name: {"path": name} for name in ("sn", "hostname", "address")} | {"cmdb_id": {"path": "sn"}}
    config = tmp_path / "main.json"
    config.write_text(json.dumps({"source": {"kind": "csv", "path": "m.csv"}, "mapping": {"fields": fields}}))
    made = admin.ok(
        "cmdb", "source", "add", "main", "--config", str(config), "--interval", "0", "--machine-credential", "login"
    )
    assert "main" in made.stdout
    assert admin.run("cmdb", "source", "add", "main", "--config", str(config)).exit_code == 5
    with syncing():
        failed = admin.run("cmdb", "source", "sync", "main")
        assert failed.exit_code == 1
        assert "m.csv" in failed.stderr
        (cmdb_files / "m.csv").write_text(CSV)
        assert admin.json("cmdb", "source", "sync", "main")["created"] == 2
    waiting = admin.json("cmdb", "source", "sync", "main", "--no-wait")
    assert waiting["outcome"] == "queued"
    runs = admin.json("cmdb", "source", "runs", "main")["items"]
    assert [run["outcome"] for run in runs] == ["queued", "ok", "failed"]
    assert "failed" in admin.ok("cmdb", "source", "runs", runs[0]["source_id"]).stdout
    assert "main" in admin.ok("cmdb", "source", "list").stdout
    assert admin.run("cmdb", "source", "sync", "none").exit_code == 4


@pytest.mark.parametrize(("text", "code"), [("{", 2), ("[]", 2), ("{}", 1), ('{"source": {"kind": "ftp"}}', 1)])
def test_a_bad_source_configuration_names_the_field(admin: Person, text: str, code: int) -> None:
    done = admin.run("cmdb", "source", "add", "main", "--config", "-", text=text)
    assert done.exit_code == code
    assert done.stderr
