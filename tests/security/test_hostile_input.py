"""What comes from outside is hostile: files that people send, answers of other systems, addresses that somebody typed,
machines that never stop talking. Each test bears the name of its hazard; a bomb that goes off takes hours. Names of
hosts, labels and commands have theirs in tests/checks/test_hostile.py, tests/tickets/test_add_workers_api.py and
tests/drivers/ssh.
"""

from __future__ import annotations

import gzip
import http.server
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import select

from autorke.core import names, outside, plainyaml
from autorke.core.db import transaction
from autorke.core.errors import AutoRkeError
from autorke.core.redact import Secrets
from autorke.core.settings import get_settings
from autorke.credentials import kubeconfig
from autorke.drivers.ansible.inventory import _unsafe_free
from autorke.drivers.kube.kubeconfig import read_kubeconfig
from autorke.drivers.rkefiles.cluster_yml import read_cluster_yml
from autorke.drivers.rkefiles.rkestate import read_state
from autorke.integrations.cmdb import guard
from autorke.integrations.cmdb import http as adapter
from autorke.integrations.cmdb.config import HttpSource
from autorke.integrations.cmdb.errors import AddressDenied, CmdbMalformed, CmdbTooLarge, CmdbUnreachable
from autorke.users import oidc
from autorke.users.errors import OidcUnavailable
from autorke.web.body import MOST_LEVELS, levels
from autorke.workflow import logstore
from autorke.workflow.logstore import LogWriter
from autorke.workflow.models import Attempt, LogStream, StepRow
from tests.api import V1, Api, secret_key  # noqa: F401
from tests.api import api as api
from tests.credentials import keys
from tests.workflow.conftest import Desk, desk, world  # noqa: F401

LAUGHS = "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
MERGES = "".join(f"m{n}: &m{n}\n  <<: [{','.join([f'*m{n - 1}'] * 20)}]\n" for n in range(1, 9))
YAML_BOMBS = {
    "billion laughs": "a0: &a0 lol\n" + LAUGHS,
    "merge keys": "m0: &m0 {k: v}\n" + MERGES,
    "an anchor that names itself": "a: &a [*a]\n",
    "deep nesting": "a: " + "[" * 20_000 + "]" * 20_000,
    "deep mappings": "{a: " * 20_000 + "x" + "}" * 20_000,
    "a tag that runs a program": "a: !!python/object/apply:os.system ['true']\n",
    "a tag of our own": "a: !autorke x\n",
    "many documents": "---\na: 1\n" * 1000,
    "not closed": "{" * 50,
    "control characters": "a: \x00\x01\n",
    "half a surrogate pair": "a: \ud800\n",
}
NUMBERS = {
    "a hexadecimal number of 80,000 bits": "0x" + "f" * 20_000,
    "a number of base 60 with 100,000 digits": "1" + ":59" * 100_000,
    "a decimal number of 100,000 digits": "9" * 100_000,
}
KUBECONFIG = "current-context: {0}\nclusters: [{{name: {0}, cluster: {{server: 'https://a'}}}}]\n"
READERS: dict[str, Callable[[str], object]] = {
    "cluster.yml": read_cluster_yml,
    "kubeconfig at import": kubeconfig.inspect,
    "kubeconfig in use": read_kubeconfig,
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("bomb", YAML_BOMBS)
def test_yaml_bomb(reader: str, bomb: str) -> None:
    with pytest.raises(AutoRkeError):
        READERS[reader](YAML_BOMBS[bomb])


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("number", NUMBERS)
def test_yaml_number_bomb(reader: str, number: str) -> None:
    text = KUBECONFIG.format(NUMBERS[number]) if "kubeconfig" in reader else f"nodes: [{{port: {NUMBERS[number]}}}]\n"
    with pytest.raises(AutoRkeError):
        READERS[reader](text)


def test_plain_yaml_keeps_numbers_and_dates_as_text() -> None:
    text = "a: 0x10\nb: 2026-01-02\nc: true\nd: null\ne: 1:30\n"
    read = plainyaml.load(text, limit=1000)
    assert read == {"a": "0x10", "b": "2026-01-02", "c": True, "d": None, "e": "1:30"}


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        "1" * 100_000,
        '{"desiredState": ' + "9" * 50_000 + "}",
        '"' + "\\" * 99_999,
        "",
    ],
)
def test_json_bomb_as_a_state_file(text: str) -> None:
    with pytest.raises(AutoRkeError):
        read_state(text)


@pytest.mark.parametrize(
    ("user", "cluster"),
    [
        ({"exec": {"command": "/bin/sh", "args": ["-c", "id"]}}, {}),
        ({"auth-provider": {"name": "gcp", "config": {"cmd-path": "/bin/sh"}}}, {}),
        ({"client-key": "/etc/shadow"}, {}),
        ({"tokenFile": "/proc/self/environ"}, {}),
        ({}, {"server": "https://a", "certificate-authority": "/etc/passwd"}),
        ({}, {"server": "https://169.254.169.254"}),
        ({}, {"server": "https://[::ffff:a9fe:a9fe]"}),
        ({}, {"server": "file:///etc/passwd"}),
    ],
)
def test_kubeconfig_that_runs_a_program_reads_a_file_or_leads_to_metadata(user: Any, cluster: Any) -> None:
    text = keys.kubeconfig(**({"user": user} if user else {}), **({"cluster": cluster} if cluster else {}))
    with pytest.raises(AutoRkeError):
        kubeconfig.inspect(text)


# addresses ----------------------------------------------------------------------------------------------------------
NEVER = (
    "169.254.169.254", "100.100.100.200", "168.63.129.16", "fd00:ec2::254", "fe80::1", "224.0.0.1", "0.0.0.0", "::",
    "240.0.0.1", "255.255.255.255", "::ffff:169.254.169.254", "2002:a9fe:a9fe::1", "64:ff9b::a9fe:a9fe",
    "2001:0:a9fe:a9fe::1", "::169.254.169.254", "2002:7f00:1::1", "ff02::1",
)  # fmt: skip
LOOPBACK = ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1")
PRIVATE = ("10.0.0.5", "192.168.7.7", "172.16.0.1", "fd12::1", "100.64.0.9", "8.8.8.8", "::ffff:10.0.0.5")


@pytest.mark.parametrize("address", NEVER)
def test_ssrf_to_metadata_link_local_or_reserved_addresses(address: str) -> None:
    assert outside.denied(address, allow_loopback=True)
    assert outside.denied(address, allow_loopback=False)


def test_ssrf_to_loopback_only_where_the_source_says_so() -> None:
    assert all(outside.denied(address, allow_loopback=False) for address in LOOPBACK)
    assert not any(outside.denied(address, allow_loopback=True) for address in LOOPBACK)
    assert not any(outside.denied(address, allow_loopback=False) for address in PRIVATE)


def test_ssrf_beyond_the_networks_that_the_operator_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTORKE_OUTSIDE_NETWORKS", '["10.20.0.0/16", "fd12::/16"]')
    get_settings.cache_clear()
    try:
        assert guard.resolve("10.20.3.4", 80, allow_loopback=False) == "10.20.3.4"
        for address, loopback in (("10.21.0.1", False), ("127.0.0.1", True), ("8.8.8.8", False)):
            with pytest.raises(AddressDenied):
                guard.resolve(address, 80, allow_loopback=loopback)
    finally:
        get_settings.cache_clear()


@pytest.mark.parametrize("answers", [["169.254.169.254"], ["10.0.0.5", "127.0.0.1"], ["10.0.0.5", "fe80::1%eth0"]])
def test_ssrf_by_a_name_that_resolves_there(answers: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in answers]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(AddressDenied):
        list(adapter.fetch_rows(_source("http://cmdb.example/"), secret=None))


def test_ssrf_by_a_second_answer_of_the_name_server(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address that was looked at is the one that is connected to; the name is asked once."""
    asked: list[str] = []

    def once(host: str, *_: Any, **__: Any) -> Any:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", web.port))]

    web.say(b"[1]")
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *a, **k: (once if host == "c.test" else real)(host, *a, **k)
    )
    assert list(adapter.fetch_rows(_source(f"http://c.test:{web.port}/", allow_loopback=True), secret=None)) == [[1]]
    assert asked == ["c.test"]


def test_one_host_under_two_spellings_of_its_address() -> None:
    """Else a machine of one cluster could be entered again, as somebody else's."""
    assert names.address("::ffff:10.0.0.5") == "10.0.0.5"
    for text in ("169.254.169.254", "::ffff:169.254.169.254", "::ffff:0.0.0.0", "fe80::1%eth0"):
        with pytest.raises(ValueError, match="not"):
            names.address(text)


# answers of other systems -------------------------------------------------------------------------------------------
class Web:
    """A server of this test that says whatever it is told to say."""

    def __init__(self) -> None:
        outer = self
        self.headers: dict[str, str] = {}
        self.pieces: Callable[[], Iterator[bytes]] = lambda: iter([b""])

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    for piece in outer.pieces():
                        self.wfile.write(piece)
                except OSError:
                    return

            def log_message(self, format: str, *args: object) -> None:
                return

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def say(self, *pieces: bytes, **headers: str) -> None:
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.pieces = lambda: iter(pieces)


@pytest.fixture
def web() -> Iterator[Web]:
    found = Web()
    yield found
    found.server.shutdown()
    found.server.server_close()


def _source(url: str, **fields: Any) -> HttpSource:
    return HttpSource.model_validate({"kind": "http", "url": url, **fields})


def _read(web: Web, **fields: Any) -> list[list[object]]:
    source = _source(f"http://127.0.0.1:{web.port}/", allow_loopback=True, **fields)
    return list(adapter.fetch_rows(source, secret=None))


@pytest.fixture(autouse=True)
def no_second_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "PAUSES", ())


def test_gzip_bomb_of_a_cmdb(web: Web) -> None:
    web.say(gzip.compress(b"[" + b" " * 60_000_000), Content_Encoding="gzip")
    with pytest.raises(CmdbTooLarge):
        _read(web, max_page_bytes=1_000_000)


def test_gzip_in_gzip_bomb_of_a_cmdb(web: Web) -> None:
    web.say(gzip.compress(gzip.compress(b"[" + b" " * 30_000_000)), Content_Encoding="gzip, gzip")
    with pytest.raises(CmdbMalformed):
        _read(web)


def test_endless_answer_of_a_cmdb(web: Web) -> None:
    web.pieces = lambda: iter(lambda: b" " * 65536, None)
    with pytest.raises(CmdbTooLarge):
        _read(web, max_page_bytes=5_000_000)


def test_trickling_answer_of_a_cmdb(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then satisfies every time limit between two reads."""
    monkeypatch.setattr(adapter, "PATIENCE", 0)
    web.say(b"[", b"1]")
    with pytest.raises(CmdbUnreachable, match="does not end"):
        _read(web)


@pytest.mark.parametrize("body", [b"[" * 100_000, b"[" + b"9" * 50_000 + b"]", b'{"a": ' * 5000])
def test_json_bomb_of_a_cmdb(web: Web, body: bytes) -> None:
    web.say(body)
    with pytest.raises(CmdbMalformed):
        _read(web)


def _issuer(web: Web, host: str = "127.0.0.1") -> oidc.OidcSettings:
    return oidc.OidcSettings(issuer=f"http://{host}:{web.port}")  # type: ignore[call-arg]


def test_endless_answer_of_a_sign_in_provider(web: Web) -> None:
    web.pieces = lambda: iter(lambda: b" " * 65536, None)
    with pytest.raises(OidcUnavailable, match="does not end"):
        oidc.start(_issuer(web), callback_url="http://here", return_to=None)


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
def test_sign_in_provider_that_points_at_this_machine(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own discovery document may not send our client secret to a service on loopback, or anywhere in the clear."""
    issuer = "https://sso.example"
    found = dict.fromkeys(("authorization_endpoint", "token_endpoint", "jwks_uri"), f"{issuer}/x") | {"issuer": issuer}
    for bad in ("http://127.0.0.1:8000/", "http://localhost/", "http://10.0.0.1/", "file:///etc/passwd", "", 7):
        document = {**found, name: bad}
        transport = httpx.MockTransport(lambda _, document=document: httpx.Response(200, json=document))
        monkeypatch.setattr(oidc, "_client", lambda _, transport=transport: httpx.Client(transport=transport))
        with pytest.raises(OidcUnavailable, match="not https"):
            oidc.start(oidc.OidcSettings(issuer=issuer), callback_url="http://x", return_to=None)  # type: ignore[call-arg]


# requests -----------------------------------------------------------------------------------------------------------
def _nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = {"a": value}
    return value


def test_deep_json_is_refused_before_it_is_stored(api: Api) -> None:
    """Parsers take a thousand levels, serialisers give up at 255: what was stored could never be shown again."""
    admin = api.caller("admin")
    for depth, status in ((MOST_LEVELS - 1, 201), (MOST_LEVELS, 422), (300, 422), (900, 422), (100_000, 422)):
        body = b'{"page": "machines", "name": "v%d", "shared": false, "state": %s}'
        deep = b'{"a":' * depth + b"1" + b"}" * depth
        headers = {"content-type": "application/json"}
        answer = admin.post(f"{V1}/views", content=body % (depth, deep), headers=headers)
        assert answer.status_code == status, answer.text
        assert status == 201 or answer.json()["code"] == "json-too-deep"
    listed = admin.get(f"{V1}/views", params={"page": "machines"}).json()
    assert len(listed) == 1
    source = {"kind": "http", "url": "http://10.0.0.1/", "method": "POST", "body": _nested(300)}
    refused = admin.post(f"{V1}/cmdb/sources", json={"name": "x", "config": {"source": source, "mapping": {}}})
    assert refused.json()["code"] == "json-too-deep"


def test_brackets_in_strings_are_not_levels() -> None:
    assert levels(json.dumps({"a": "[{" * 1000 + '"\\'}).encode()) == 1
    assert levels(json.dumps(_nested(100)).encode()) == 100
    assert levels(b'"' + b'\\"' * 100_000 + b"[" * 100) == 0, "a string without end"


@pytest.mark.parametrize("text", ["{{ lookup('pipe', 'id') }}", "{% for a in b %}", "a{{1}}"])
def test_template_marks_in_what_ansible_is_given(text: str) -> None:
    for value in (text, {"labels": {"a": text}}, [text], {"a": [{"b": text}]}):
        with pytest.raises(ValueError, match="template"):
            _unsafe_free(value)


# logs ---------------------------------------------------------------------------------------------------------------
def _attempt(ticket: UUID) -> UUID:
    with transaction() as session:
        steps = select(StepRow.id).where(StepRow.ticket_id == ticket)
        return session.scalars(select(Attempt.id).where(Attempt.step_id.in_(steps))).one()


def test_log_that_never_ends_is_cut_and_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr(logstore, "MOST_BYTES", 200_000)
    ticket = desk.submit()
    with LogWriter(ticket, _attempt(ticket), Secrets()) as writer:
        for number in range(20_000):
            writer.line("talker", f"{number} {'x' * 60}")
        writer.line("other", "its own log goes on")
    with transaction() as session:
        rows = {row.node_id: row for row in session.scalars(select(LogStream).where(LogStream.bytes > 0))}
        assert 200_000 <= rows["talker"].bytes < 201_000
        end = logstore.read(session, rows["talker"].id, rows["talker"].bytes - 200).decode(errors="replace")
        assert end.splitlines()[-1].endswith(logstore.CUT)
        assert rows["other"].lines == 1


def test_flood_of_log_lines_waits_for_the_database(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """A gigabyte that comes at once is stored as it comes; it does not pile up in the runner."""
    monkeypatch.setattr(logstore, "MOST_PENDING", 300_000)
    monkeypatch.setattr(logstore, "FLUSH_SECONDS", 3600)
    ticket, most = desk.submit(), 0
    with LogWriter(ticket, _attempt(ticket), Secrets()) as writer:
        for _ in range(200):
            writer.line(None, "\n".join(["y" * 99] * 100))
            most = max(most, writer._pending)
    assert 100_000 < most < 350_000
    with transaction() as session:
        assert session.scalars(select(LogStream.lines).where(LogStream.bytes > 0)).one() == 20_000


def test_ids_that_are_none_or_paths(api: Api) -> None:
    viewer = api.caller("viewer")
    for odd in ("..%2f..%2fetc%2fpasswd", "%00", "a" * 5000, str(uuid4()) + "%0d%0aX-A:%20b", "-1"):
        answer = viewer.get(f"{V1}/tickets/{odd}")
        assert answer.status_code in (404, 422)
        assert "x-a" not in answer.headers
