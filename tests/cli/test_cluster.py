"""Clusters, revisions and flows on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from autorke.clusters import live
from autorke.configs import service as configs
from autorke.configs.models import ConfigRevision, Reason
from autorke.core import db
from autorke.drivers.rkefiles.cluster_yml import read_cluster_yml
from tests.cli.site import Person
from tests.clusters.make import kubeconfig, text


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    content = {"config": text("cluster.yml"), "state": text("cluster.rkestate"), "kubeconfig": kubeconfig()}
    for name, body in content.items():
        (tmp_path / name).write_text(body)
    return {name: str(tmp_path / name) for name in content}


def importing(files: dict[str, str], name: str = "prod-a", **changed: str) -> list[str]:
    options = {**files, **changed}
    return ["cluster", "import", name, *(word for key, path in options.items() for word in (f"--{key}", path))]


def test_import_and_look(admin: Person, files: dict[str, str]) -> None:
    made = admin.json(*importing(files), "--policy", "default=standard", "--description", "north")
    assert (made["node_count"], made["gate_policy"]) == (3, {"default": "standard"})
    assert admin.json("cluster", "show", "prod-a")["id"] == made["id"]
    assert admin.json("cluster", "show", made["id"])["name"] == "prod-a"
    assert "north" in admin.ok("cluster", "show", "prod-a").stdout
    assert "prod-a" in admin.ok("cluster", "list").stdout
    nodes = admin.ok("cluster", "nodes", "prod-a", "--filter", "roles:contains:worker")
    assert "w1" in nodes.stdout
    assert len(admin.json("cluster", "nodes", "prod-a", "--all")["items"]) == 3


def test_revisions_are_listed_shown_masked_and_compared(admin: Person, files: dict[str, str]) -> None:
    registry = "private_registries:\n- {url: r.example, user: u, password: S3cret-registry}\n"
    Path(files["config"]).write_text(text("cluster.yml") + registry)
    admin.ok(*importing(files))
    assert "import" in admin.ok("cluster", "revisions", "prod-a").stdout
    assert admin.json("cluster", "revisions", "prod-a", "--kind", "state")["items"][0]["number"] == 1
    shown = admin.ok("cluster", "revisions", "prod-a", "--show", "1")
    assert "r.example" in shown.stdout
    assert "S3cret" not in shown.output
    assert admin.json("cluster", "revisions", "prod-a", "--show", "1")["reason"] == "import"
    assert admin.json("cluster", "diff", "prod-a", "1", "1")["text"] == []
    assert admin.run("cluster", "diff", "prod-a", "1", "2").exit_code == 4
    assert admin.run("cluster", "diff", "prod-a", "0", "1").exit_code == 2


def test_a_difference_is_shown_by_setting_and_by_line(admin: Person, files: dict[str, str]) -> None:
    made = admin.json(*importing(files))
    with db.transaction() as session:
        now = configs.current(session, ConfigRevision, UUID(made["id"]))
        configs.add_config(
            session,
            cluster_id=UUID(made["id"]),
            cluster=read_cluster_yml(configs.open_text(now) + "addon_job_timeout: 77\n"),
            reason=Reason.IMPORT,
            created_by="test",
            expected_nodes=now.node_addresses,
            parent=now.number,
        )
    shown = admin.ok("cluster", "diff", "prod-a", "1", "2").stdout
    assert "+addon_job_timeout: 77" in shown


@pytest.mark.parametrize(
    ("changed", "code", "field"),
    [
        ({"state": "truncated.rkestate"}, 1, "rkestate"),
        ({"config": "/none"}, 2, "/none"),
        ({"kubeconfig": "binary"}, 2, "binary"),
        ({"config": "unknown"}, 1, "cluster_yml"),
    ],
)
def test_files_that_do_not_fit_are_refused_by_field(
    admin: Person, files: dict[str, str], tmp_path: Path, changed: dict[str, str], code: int, field: str
) -> None:
    (tmp_path / "truncated.rkestate").write_text(text("truncated.rkestate"))
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "unknown").write_text("sevices: {}\n")
    done = admin.run(*importing(files, **{key: str(tmp_path / name) for key, name in changed.items()}))
    assert done.exit_code == code, done.output
    assert field in done.stderr
    assert admin.json("cluster", "list")["items"] == []


def test_verify_tells_the_differences(admin: Person, files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    admin.ok(*importing(files))
    drift = [live.NodeMissing(field="nodes.w1", node="w1").as_json()]

    def look(_record: Any) -> list[dict[str, Any]]:
        return drift

    monkeypatch.setattr(live, "look", look)  # the cluster itself; tests/clusters looks at a real one
    found = admin.run("cluster", "verify", "prod-a")
    assert found.exit_code == 1
    assert "Node w1 is not in Kubernetes" in found.stdout
    assert "w1" in admin.ok("cluster", "show", "prod-a").stdout
    assert admin.run("cluster", "verify", "prod-a", "--json").exit_code == 1
    drift.clear()
    assert "No difference" in admin.ok("cluster", "verify", "prod-a").stderr


def test_unknown_clusters_and_missing_rights(admin: Person, requester: Person, files: dict[str, str]) -> None:
    assert admin.run("cluster", "show", "none").exit_code == 4
    assert requester.run(*importing(files)).exit_code == 3
    admin.ok(*importing(files))
    assert admin.run(*importing(files)).exit_code == 5
    assert admin.run(*importing(files, name="Bad Name")).exit_code == 1


def test_flows_show_their_steps_and_form(requester: Person) -> None:
    assert "add_workers" in requester.ok("flow", "list").stdout
    assert "add_workers" in [flow["name"] for flow in requester.json("flow", "list")]
    shown = requester.ok("flow", "show", "add_workers", lang="zh_CN.UTF-8").stdout
    assert "加入集群" in shown
    assert "cluster_id" in shown
    assert len(requester.json("flow", "show", "add_workers")["steps"]) == 7
    assert requester.run("flow", "show", "fly").exit_code == 4
