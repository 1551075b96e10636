"""The story of the main job on the simulator: sync, import, ticket, gates, a failure, a retry, nothing else touched.

It is told once; each test looks at another promise in what it left behind.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import redis
import yaml

from autorke.core import db
from autorke.core.settings import get_settings
from autorke.sim import process as sim_process
from autorke.sim.process import SimHandle
from autorke.worker import rundir
from autorke.workflow import callbacks
from tests.databases import Template
from tests.databases import text as url_text
from tests.security.witness import Witness, dump
from tests.story.desk import connect, first_admin, hire
from tests.story.people import PASSWORD, Person, explain, states, until, walk
from tests.story.stack import Stack, running
from tests.terminal import needs_terminal

pytestmark = [needs_terminal, pytest.mark.timeout(1500)]


@dataclass
class Told:
    """The story at its end, and what a witness saw of it."""

    stack: Stack
    sim: SimHandle
    database: str
    redis_url: str
    run_dir: Path
    people: dict[str, Person] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    public: str = ""
    witness: Witness = field(default_factory=Witness)
    machines: list[str] = field(default_factory=list)
    stopped: dict[str, Any] = field(default_factory=dict)
    ended: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(scope="module")
def told(embedded_template: Template, embedded_redis: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    directory = tmp_path_factory.mktemp("story")
    with redis.Redis.from_url(embedded_redis, socket_timeout=5) as client:
        client.flushdb()
    run_dir = Path(tempfile.mkdtemp(prefix="ark-", dir="/dev/shm"))
    places = {"AUTORKE_RUN_DIR": str(run_dir), "TMPDIR": str(directory / "tmp")}
    (directory / "tmp").mkdir()
    try:
        with (
            embedded_template.clone() as url,
            sim_process.start("small", directory / "sim") as sim,
            running(url_text(url), embedded_redis, directory, **places) as stack,
        ):
            story = Told(stack, sim, url_text(url), embedded_redis, run_dir)
            with story.witness.watching(stack, embedded_redis, run_dir):
                tell(story)
            yield story
            for person in story.people.values():
                person.http.close()
    finally:
        shutil.rmtree(run_dir, ignore_errors=True)


def tell(story: Told) -> None:
    """Two machines become workers; the second one fails half-way and is retried."""
    admin = first_admin(story.stack)
    requester, approver = hire(admin, story.stack, "rita", "requester"), hire(admin, story.stack, "aaron", "approver")
    story.people = {person.name: person for person in (admin, requester, approver)}
    for person in story.people.values():
        story.witness.hear(person.http)
    cluster = connect(admin, story.sim)
    story.secrets = known_secrets(story, admin)
    names = story.machines = story.sim.free_machines()[:2]
    machines = requester.post("/machines/find", {"keys": names})["matches"]
    request = {
        "cluster_id": cluster["id"],
        "machines": [{"machine_id": one["machine"]["id"]} for one in machines],
        "labels": {"pool": "blue"},
        "taints": [{"key": "dedicated", "value": "blue", "effect": "NoSchedule"}],
    }
    story.sim.reset_counters()
    ticket = requester.post("/tickets", {"flow": "add_workers", "request": request}, headers={"Idempotency-Key": "one"})
    assert [step["state"] for step in ticket["steps"]][4:] == ["SKIPPED"] * 3
    # the second machine fails half-way: its kube-proxy cannot be created, and what answers repeats a secret of ours
    text = f"no space left on device; key was {story.secrets['ssh key'].splitlines()[2]}"
    story.sim.fault("docker:create:kube-proxy", "fail", host=names[1], status=500, text=text)
    story.stopped = walk(approver, ticket["id"])
    story.sim.lift()
    if states(story.stopped)["join"] == "PARTIAL":
        requester.post(f"/tickets/{ticket['id']}/retry", {"step": "join"})
    story.ended = walk(approver, ticket["id"])


def known_secrets(story: Told, admin: Person) -> dict[str, str]:
    """Every secret that the story uses, by name: of people, machines, clusters and outside systems."""
    state = json.loads(Path(story.sim.cluster("alpha")["state"]).read_text())
    bundle = state["currentState"]["certificatesBundle"]
    story.public = "\n".join(part["certificatePEM"] for part in bundle.values())
    kubeconfig = yaml.safe_load(Path(story.sim.cluster("alpha")["kubeconfig"]).read_text())
    client_key = base64.b64decode(kubeconfig["users"][0]["user"]["client-key-data"]).decode()
    found = {f"{name} of the state file": bundle[name]["keyPEM"] for name in ("kube-ca", "kube-node", "kube-admin")}
    found |= {"ssh key": story.sim.private_key, "client key of the kubeconfig": client_key}
    found |= {"cmdb token": "sim-cmdb-token", "password": PASSWORD, "master key": master_key(story)}
    for person in story.people.values():
        found[f"session of {person.name}"] = person.http.cookies["autorke_session"]
        found[f"csrf token of {person.name}"] = person.http.cookies["autorke_csrf"]
    apart = {"cookies": admin.http.cookies, "headers": admin.http.headers, "base_url": admin.http.base_url}
    quiet = httpx.Client(**apart, timeout=60, trust_env=False)
    with quiet:  # its answer is the one place where the token may be
        made = quiet.post("/me/tokens", json={"name": "ci", "expires_at": "2099-01-01T00:00:00Z"})
        found["api token"] = made.json()["token"]
    registry = {"kind": "registry", "url": "hub.example", "username": "pull", "password": "registry-pass-7731"}
    shown = [credential["public"].get("public_key", "") for credential in admin.get("/credentials")["items"]]
    story.public += "\n".join(shown)
    admin.post("/credentials", {"name": "hub", "note": "", "secret": registry})
    return found | {"registry password": registry["password"]}


def master_key(story: Told) -> str:
    return Path(story.stack.environ["AUTORKE_SECRET_KEY_FILE"]).read_text().strip()


def test_the_main_job_on_the_simulator(told: Told) -> None:
    requester = told.people["rita"]
    assert states(told.stopped)["join"] == "PARTIAL", explain(requester, told.stopped)
    assert told.ended["state"] == "SUCCEEDED", explain(requester, told.ended)
    rows = requester.get(f"/tickets/{told.ended['id']}/nodes")
    joins = {row["name"]: [r["state"] for r in row["results"] if r["step"] == "join"] for row in rows}
    assert joins[told.machines[0]] == ["SUCCEEDED"]
    assert joins[told.machines[1]] == ["FAILED", "SUCCEEDED"]
    touched = {entry["host"] for entry in told.sim.journal() if entry["what"].startswith("docker.")}
    assert touched <= set(told.machines), touched


def refusals(told: Told) -> None:
    """Requests with a secret at the wrong place: an answer must not repeat it."""
    admin, key = told.people["admin"], told.secrets["ssh key"]
    told.secrets |= {"misspelt password": "misspelt-secret-4711", "misplaced token": "misplaced-token-1234"}
    wrong, misplaced = told.secrets["misspelt password"], told.secrets["misplaced token"]
    bodies = [
        ("POST", "/session", {"name": "admin", "password": wrong}),
        ("POST", "/session", {"name": 7, "password": {"nested": wrong}}),
        ("PUT", "/me/password", {"current": wrong, "new": "x"}),
        ("POST", "/users", {"name": "x!", "display_name": "x", "password": wrong}),
        ("POST", "/credentials", {"name": "k", "secret": {"kind": "ssh_key", "user": "ops", "private_key": key[:-99]}}),
        ("POST", "/credentials", {"name": "k", "secret": {"kind": "token", "token": misplaced, "odd": misplaced}}),
        ("POST", "/credentials", {"name": "k", "secret": {"kind": "ssh_password", "user": "a b", "password": wrong}}),
        ("POST", "/credentials", {"name": "k", "secret": {"kind": "kubeconfig", "kubeconfig": f"{{a: {misplaced}"}}),
        ("POST", "/clusters", {"name": "x", "cluster_yml": "{", "rkestate": key, "kubeconfig": misplaced}),
    ]
    for method, path, body in bodies:
        answer = admin.http.request(method, path, json=body)
        assert 400 <= answer.status_code < 500, (path, answer.text)


def a_callback(told: Told) -> None:
    """An outside system answers; its address and its key are secrets too."""
    engine = db.make_engine(told.database)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AUTORKE_SECRET_KEY_FILE", told.stack.environ["AUTORKE_SECRET_KEY_FILE"])
        get_settings.cache_clear()
        db.configure(engine)
        attempt = UUID(told.ended["steps"][3]["attempts"][-1]["id"])
        with db.transaction() as session:
            issued = callbacks.issue(session, attempt, "order", ttl=timedelta(hours=1), allowed_from=())
        db._state.clear()
    get_settings.cache_clear()
    engine.dispose()
    told.secrets |= {"callback token": issued.token, "callback key": issued.hmac_secret}
    url = f"{told.stack.url}/api/v1/callbacks/{issued.token}"
    for signature in ("wrong", callbacks.sign(issued.hmac_secret, "1", b"{}")):
        headers = {"X-AutoRke-Timestamp": "1", "X-AutoRke-Signature": signature}
        answer = httpx.post(url, content=b"{}", headers=headers, timeout=60, trust_env=False)
        told.witness.saw("answer to a callback", answer.text)
        assert answer.status_code == 403


def read_everything(told: Told) -> None:
    """What people can read of the ticket, its stream included."""
    requester, ticket = told.people["rita"], told.ended["id"]
    for path in (
        "",
        "/events?limit=1000",
        "/nodes",
        "/matrix",
        "/approvals",
        "/logs",
        "/plans/join",
        "/plans/initialise",
    ):
        requester.get(f"/tickets/{ticket}{path}")
    requester.logs(ticket)
    with requester.http.stream("GET", f"/tickets/{ticket}/stream?logs=true&nodes=true", timeout=60) as answer:
        said = []
        for text in answer.iter_text():
            said.append(text)
            if "".join(said[-2:]).endswith("\n: alive\n\n"):  # said when nothing else was left to say for a while
                break
    told.witness.saw("stream", "".join(said))
    cluster = told.people["admin"].get("/clusters")["items"][0]["id"]
    for kind in ("config", "state"):
        for number in (1, 2, 3):
            requester.get(f"/clusters/{cluster}/revisions/{kind}/{number}")
        requester.get(f"/clusters/{cluster}/revisions/{kind}/compare?before=1&after=3")
    for path in ("/credentials", "/audit?limit=500", "/cmdb/sources", "/users"):
        told.people["admin"].get(path)


def test_no_secret_is_found_in_database_logs_argv_environment_events_errors_or_redis(told: Told) -> None:
    assert told.ended["state"] == "SUCCEEDED"
    refusals(told)
    a_callback(told)
    read_everything(told)
    witness = told.witness
    witness.saw("database", dump(told.database))
    witness.read_files("file", told.stack.directory, but=("sim", "secret.key"))
    witness.read_files("run directory", told.run_dir)
    assert witness.leaks(told.secrets, public=told.public) == []
    # and there was something to look at
    assert {"uvicorn", "launcher", "celery", "ansible-playbook"} <= programs(witness), witness.processes
    assert witness.modes == {"700"}
    until(lambda: not left_over(told.run_dir), 60, "the last runner has removed its directory")
    seen = {where: "\n".join(lines) for where, lines in witness.texts.items()}
    assert len(seen["redis"]) > 1000
    assert "kubelet" in seen["database"]
    assert "event: log" in seen["stream"]
    assert any(name.startswith("file api.log") for name in witness.texts)


def left_over(run_dir: Path) -> list[Path]:
    return [path for path in run_dir.iterdir() if rundir.OURS.fullmatch(path.name)]


def programs(witness: Witness) -> set[str]:
    words = ("uvicorn", "launcher", "celery", "ansible-playbook", "ssh")
    return {word for word in words for argv in witness.texts["argv"] if re.search(rf"\b{word}\b", argv)}


def test_a_secret_in_any_of_these_places_would_be_noticed(told: Told) -> None:
    witness = Witness()
    for number, (name, value) in enumerate(told.secrets.items()):
        form = (value, base64.b64encode(b"x" + value.encode()).decode(), json.dumps(value))[number % 3]
        witness.saw(name, f"before {form} after")
    assert {found.split(" in ")[0] for found in witness.leaks(told.secrets)} == set(told.secrets)
