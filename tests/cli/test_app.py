"""The program as a whole: it starts at once, imports no server, and its exit codes mean what they say."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from autorke.cli import output
from autorke.cli.app import app
from autorke.cli.errors import BadUsage, NotSignedIn, Refused, Unreachable, exit_code
from autorke.core.errors import Conflict, Forbidden, NotFound, Unprocessable
from tests.cli.site import RUNNER

SERVER = ("sqlalchemy", "fastapi", "celery", "paramiko", "kubernetes")


def modules_after(code: str) -> set[str]:
    """Names of the modules of a fresh Python that has run this."""
    shown = "\nimport sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code + shown], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_help_loads_neither_server_nor_http() -> None:
    loaded = modules_after(
        "from typer.testing import CliRunner\nfrom autorke.cli.app import app\nCliRunner().invoke(app, ['--help'])"
    )
    assert not loaded & {*SERVER, "httpx", "rich.markdown", "pydantic"}


def test_a_command_for_the_api_loads_no_server() -> None:
    code = (
        "from typer.testing import CliRunner\nfrom autorke.cli.app import app\n"
        "env = {'AUTORKE_URL': 'http://127.0.0.1:1', 'AUTORKE_TOKEN': 't'}\n"
        "for words in (['machine', 'list'], ['ticket', 'watch', '1']):\n"
        "    assert CliRunner().invoke(app, words, env=env).exit_code == 6"
    )
    loaded = modules_after(code)
    assert "httpx" in loaded
    assert not loaded & set(SERVER)


def test_every_group_is_there_and_has_help() -> None:
    shown = RUNNER.invoke(app, ["--help"]).stdout
    groups = ("token", "machine", "credential", "cmdb", "cluster", "flow", "ticket", "lock", "rke", "admin")
    for group in groups:
        assert group in shown
        assert RUNNER.invoke(app, [group, "--help"]).exit_code == 0
    assert "login" in shown
    assert RUNNER.invoke(app, ["--version"]).stdout.startswith("autorke ")
    assert RUNNER.invoke(app, []).exit_code == 2
    assert RUNNER.invoke(app, ["fly"]).exit_code == 2


def test_the_file_commands_are_mounted() -> None:
    shown = RUNNER.invoke(app, ["rke", "worker", "--help"])
    assert "spec" in shown.stdout
    missing = RUNNER.invoke(app, ["rke", "worker", "spec", "--config", "/none", "--json"])
    assert missing.exit_code == 2
    assert json.loads(missing.stderr)["code"] == "rke-file-unreadable"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Refused(422, {}), 1),
        (Refused(400, {}), 1),
        (Refused(429, {}), 1),
        (BadUsage(zh="", en=""), 2),
        (Refused(401, {}), 3),
        (NotSignedIn(), 3),
        (Forbidden(permission="x"), 3),
        (NotFound(what="x", key="y"), 4),
        (Conflict(reason="x"), 5),
        (Refused(500, {}), 6),
        (Unreachable(url="x", reason="y"), 6),
        (Unprocessable(reason_zh="", reason_en=""), 1),
    ],
)
def test_exit_codes(error: Refused, code: int) -> None:
    assert exit_code(error) == code


@contextmanager
def answering(status: int, kind: str, body: bytes) -> Iterator[str]:
    """Something else than AutoRke behind a port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Location", "http://127.0.0.1:1/")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        (200, "text/html", b"<html>"),
        (302, "text/html", b""),
        (502, "text/html", b"<html>bad gateway"),
        (404, "application/problem+json", b"[]"),
    ],
)
def test_an_answer_of_something_else_is_told(status: int, kind: str, body: bytes) -> None:
    with answering(status, kind, body) as url:
        done = RUNNER.invoke(app, ["whoami"], env={"AUTORKE_URL": url, "AUTORKE_TOKEN": "t", "LC_ALL": "en"})
    assert done.exit_code == 6
    assert f"does not answer like AutoRke ({status})" in done.stderr


def test_several_refused_fields_are_all_named() -> None:
    words = {"zh": "坏", "en": "bad"}
    items = [{"field": "a", "cause": words}, {"field": "b\x1b", "cause": words}]
    problem = {"field": "a", "cause": {"zh": "两处", "en": "two"}, "remedy": words, "errors": items}
    with answering(422, "application/problem+json", json.dumps(problem).encode()) as url:
        done = RUNNER.invoke(app, ["whoami"], env={"AUTORKE_URL": url, "AUTORKE_TOKEN": "t", "LC_ALL": "zh_CN.UTF-8"})
    assert done.stderr.splitlines() == ["a: 两处", "  a: 坏", r"  b\x1b: 坏", "→ 坏"]


@pytest.mark.parametrize(
    ("variables", "language"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "en_US.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LC_MESSAGES": "zh_TW", "LANG": "C"}, "zh"),
        ({}, "en"),
    ],
)
def test_language_of_the_terminal(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], language: str) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert output.language() == language


def test_cells_show_times_in_the_local_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(output.shown("2026-01-02T03:04:05.678Z")) == len("2026-01-02 03:04:05")
    assert output.shown("2026-01-02T03:04:05") == "2026-01-02T03:04:05"
    monkeypatch.setenv("LC_ALL", "zh_CN")
    assert [output.shown(value) for value in (None, True, False, 0, ["a\n", 1], {"k": "v"})] == [
        "",
        "是",
        "否",
        "0",
        r"a\n, 1",
        "k=v",
    ]


def test_a_terminal_that_cannot_show_a_character_spells_it_out() -> None:
    command = [sys.executable, "-c", "from autorke.cli.app import main; main()", "--help"]
    done = subprocess.run(command, capture_output=True, env={"PYTHONIOENCODING": "latin-1"}, check=False)
    assert done.returncode == 0
    assert b"\\u673a\\u5668" in done.stdout


def test_a_closed_pipe_ends_quietly(tmp_path: Path) -> None:
    command = f"{sys.executable} -c 'from autorke.cli.app import main; main()' --help | true"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
