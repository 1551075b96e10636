"""`autorke rke worker …` on files: the spec against the recordings, and a worker added to a simulated cluster."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from autorke.cli.rke import rke_app
from autorke.drivers.kube import Kube
from autorke.drivers.rkefiles.cluster_yml import read_cluster_yml
from autorke.drivers.rkefiles.rkestate import check_belongs, check_settled, read_state
from autorke.sim import process
from autorke.sim.process import SimHandle
from tests.drivers.workerplane.recordings import DIRECTORY, RecordedWorker, recorded_workers, scenario

RUNNER = CliRunner()


def spec(tmp_path: Path, name: str, address: str, **more: str) -> Result:
    document = scenario(name)
    (tmp_path / "cluster.yml").write_text(document["cluster_yml"])
    (tmp_path / "info.json").write_text(json.dumps(document["docker_info"]))
    options = {
        "--config": str(tmp_path / "cluster.yml"),
        "--state": str(DIRECTORY / f"{name}.rkeconfig.json"),
        "--docker-info": str(tmp_path / "info.json"),
        "--node": address,
        **more,
    }
    return RUNNER.invoke(rke_app, ["worker", "spec", *(word for pair in options.items() for word in pair), "--json"])


@pytest.mark.parametrize("worker", recorded_workers(), ids=str)
def test_spec_prints_what_stock_rke_sent(worker: RecordedWorker, tmp_path: Path) -> None:
    result = spec(tmp_path, worker.scenario, worker.address)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout) == worker.record["containers"]


def test_spec_of_a_node_that_only_cluster_yml_knows(tmp_path: Path) -> None:
    extended = scenario("01-defaults")["cluster_yml"].replace(
        "ssh_key_path", "- {address: 10.9.9.9, user: root, role: [worker], hostname_override: New9}\nssh_key_path"
    )
    (tmp_path / "more.yml").write_text(extended)
    result = spec(tmp_path, "01-defaults", "10.9.9.9", **{"--config": str(tmp_path / "more.yml")})
    assert "--hostname-override=new9" in json.loads(result.stdout)[2]["create"]["Entrypoint"]


@pytest.mark.parametrize(
    ("option", "value", "code"),
    [
        ("--node", "10.0.0.99", "node-unknown"),
        ("--node", "$(reboot)", "node-unknown"),
        ("--state", str(DIRECTORY / "rkestate" / "truncated.rkestate"), "rkestate-not-json"),
        ("--state", "/nowhere", "rke-file-unreadable"),
        ("--config", str(DIRECTORY / "01-defaults.json"), "cluster-yml-unknown-key"),
        ("--docker-info", str(DIRECTORY / "README.md"), "rke-file-unreadable"),
    ],
)
def test_spec_refuses_bad_input_with_field_and_reason(tmp_path: Path, option: str, value: str, code: str) -> None:
    result = spec(tmp_path, "01-defaults", "127.0.0.21", **{option: value})
    assert result.exit_code == 2
    problem = json.loads(result.stderr)
    assert problem["code"] == code
    assert problem["field"]
    assert problem["cause"]["zh"]
    assert problem["cause"]["en"]
    assert not result.stdout


@dataclass(frozen=True)
class Directory:
    """A cluster's files as an operator has them, beside a simulation that they describe."""

    sim: SimHandle
    path: Path

    @property
    def config(self) -> Path:
        return self.path / "cluster.yml"

    @property
    def state(self) -> Path:
        return self.path / "cluster.rkestate"

    @property
    def kubeconfig(self) -> Path:
        return self.path / "kube_config_cluster.yml"

    def add(self, machine: str, *more: str, hostname: str | None = None) -> Result:
        target = self.sim.machine(machine)
        options = [
            "--config",
            str(self.config),
            "--known-hosts",
            str(self.path / "known_hosts"),
            "--ready-timeout",
            "120",
        ]
        node = {
            "address": target["address"],
            "port": target["port"],
            "user": target["user"],
            "hostname_override": hostname or machine,
            "labels": {"zone": "z1"},
        }
        return RUNNER.invoke(rke_app, ["worker", "add", *options, "--node", json.dumps(node), *more])

    def snapshot(self) -> dict[str, bytes]:
        return {entry.name: entry.read_bytes() for entry in self.path.iterdir() if not entry.name.endswith(".lock")}


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimHandle]:
    with process.start("small", tmp_path_factory.mktemp("sim")) as handle:
        yield handle


@pytest.fixture
def directory(sim: SimHandle, tmp_path: Path) -> Directory:
    fill(sim, tmp_path)
    return Directory(sim, tmp_path)


def fill(sim: SimHandle, path: Path) -> None:
    """The cluster's files as they were at its creation, and every machine's host key."""
    cluster = sim.cluster("alpha")
    for part in ("config", "state", "kubeconfig"):
        shutil.copy(cluster[part], path)
    machines = [sim.machine(name) for name in machine_names(sim)]
    lines = [f"[{machine['address']}]:{machine['port']} {machine['host_key']}" for machine in machines]
    (path / "known_hosts").write_text("\n".join(lines) + "\n")


def machine_names(sim: SimHandle) -> list[str]:
    return [machine["name"] for machine in sim.index["machines"]]


def code_of(result: Result) -> Any:
    return json.loads(result.stderr.splitlines()[-1])["code"]


def test_dry_run_shows_the_plan_and_changes_nothing(directory: Directory) -> None:
    before = directory.snapshot()
    result = directory.add("free-001", "--dry-run", "--json")
    assert result.exit_code == 0, result.stderr
    plan = json.loads(result.stdout)
    assert [container["name"] for container in plan["containers"]][-2:] == ["kubelet", "kube-proxy"]
    assert plan["compared_with"]
    assert "PRIVATE KEY" not in result.stdout + result.stderr
    assert directory.snapshot() == before


def test_without_consent_nothing_happens(directory: Directory) -> None:
    before = directory.snapshot()
    result = RUNNER.invoke(rke_app, ["worker", "add"])
    assert result.exit_code == 2
    assert directory.add("free-001").exit_code != 0
    assert directory.snapshot() == before


@pytest.fixture(scope="module")
def added(sim: SimHandle, tmp_path_factory: pytest.TempPathFactory) -> tuple[Directory, Result, dict[str, Any]]:
    """free-001 is added once for the tests below; the counters are those of that run."""
    path = tmp_path_factory.mktemp("alpha")
    fill(sim, path)
    there = Directory(sim, path)
    sim.reset_counters()
    result = there.add("free-001", "--yes")
    return there, result, sim.counters()


def test_worker_is_added_and_no_other_machine_has_a_docker_event(
    added: tuple[Directory, Result, dict[str, Any]],
) -> None:
    there, result, counters = added
    assert result.exit_code == 0, result.stderr
    touched = {name for name, count in counters.items() if count.get("docker_events") or count.get("docker_changes")}
    assert touched == {"free-001"}
    with Kube(there.kubeconfig.read_text()) as kube:
        node = kube.node_by_hostname("free-001")
    assert node is not None
    assert node.ready
    assert node.labels["node-role.kubernetes.io/worker"] == "true"
    assert node.labels["zone"] == "z1"
    assert node.annotations["rke.cattle.io/internal-ip"] == there.sim.machine("free-001")["address"]


def test_files_and_the_copy_in_the_cluster_agree_afterwards(added: tuple[Directory, Result, dict[str, Any]]) -> None:
    there, _, _ = added
    cluster, state = read_cluster_yml(there.config.read_text()), read_state(there.state.read_text())
    check_belongs(state, cluster)
    check_settled(state)
    assert state.nodes[-1].hostname == "free-001"
    with Kube(there.kubeconfig.read_text()) as kube:
        found = kube.state_store().read()
    assert found is not None
    assert read_state(found[1]).document == state.document
    original = Path(there.sim.cluster("alpha")["config"]).read_text().splitlines()
    now = there.config.read_text().splitlines()
    new = now.index(f"- address: {there.sim.machine('free-001')['address']}")
    assert now[:new] + now[new + len(now) - len(original) :] == original
    kept = [entry for entry in there.path.iterdir() if entry.suffix == ".bak"]
    assert len(kept) == 2
    assert all(entry.stat().st_mode & 0o777 == 0o600 for entry in kept)


def test_no_secret_is_printed(added: tuple[Directory, Result, dict[str, Any]]) -> None:
    _, result, _ = added
    assert "PRIVATE KEY" not in result.output
    assert "client-key-data" not in result.output


def test_the_same_worker_is_not_added_twice(added: tuple[Directory, Result, dict[str, Any]]) -> None:
    there, _, _ = added
    before = there.snapshot()
    result = there.add("free-001", "--yes", "--json")
    assert (result.exit_code, code_of(result)) == (2, "node-duplicate")
    assert there.snapshot() == before


def test_files_from_before_are_refused_against_the_newer_copy(
    added: tuple[Directory, Result, dict[str, Any]], tmp_path: Path
) -> None:
    fill(added[0].sim, tmp_path)
    stale = Directory(added[0].sim, tmp_path)
    result = stale.add("free-002", "--yes", "--json")
    assert (result.exit_code, code_of(result)) == (2, "rkestate-other-cluster")
    assert "full-cluster-state" in result.stderr


def test_join_that_failed_half_way_is_completed_by_the_same_command(
    added: tuple[Directory, Result, dict[str, Any]],
) -> None:
    there, _, _ = added
    before = there.snapshot()
    fault = there.sim.fault("docker:create:kube-proxy", "fail", host="free-003")
    failed = there.add("free-003", "--yes")
    there.sim.lift(fault)
    assert failed.exit_code == 1, failed.stderr
    assert there.snapshot() == before

    there.sim.reset_counters()
    result = there.add("free-003", "--yes")

    assert result.exit_code == 0, result.stderr
    assert "keep kubelet" in result.stderr
    assert read_state(there.state.read_text()).nodes[-1].hostname == "free-003"


@pytest.mark.parametrize(
    ("file", "content", "code"),
    [
        ("cluster.rkestate", "{", "rkestate-not-json"),
        ("cluster.rkestate", (DIRECTORY / "rkestate" / "phantom-node.rkestate").read_text(), "rkestate-other-cluster"),
        ("cluster.yml", "nodes: &a []\n", "cluster-yml-alias"),
        ("cluster.yml", "node: []\n", "cluster-yml-unknown-key"),
    ],
)
def test_broken_files_stop_everything(directory: Directory, file: str, content: str, code: str) -> None:
    (directory.path / file).write_text(content)
    directory.sim.reset_counters()
    result = directory.add("free-004", "--yes", "--json")
    assert (result.exit_code, code_of(result)) == (2, code)
    assert "free-004" not in directory.sim.counters()


@pytest.mark.parametrize("hostname", ["$(reboot)", "a b", "w\n1", "工作节点", "UPPER_CASE"])
def test_hostile_hostnames_are_refused(directory: Directory, hostname: str) -> None:
    result = directory.add("free-004", "--yes", "--json", hostname=hostname)
    assert (result.exit_code, code_of(result)) == (2, "node-invalid")


def test_role_other_than_worker_is_refused(directory: Directory) -> None:
    node = json.dumps({"address": "127.0.0.99", "user": "ops", "role": ["worker", "etcd"], "hostname_override": "x"})
    options = ["--config", str(directory.config), "--host-key", "ssh-ed25519 AAAA", "--node", node, "--yes", "--json"]
    result = RUNNER.invoke(rke_app, ["worker", "add", *options])
    assert (result.exit_code, code_of(result)) == (2, "role-not-worker")


def test_unpinned_machine_is_not_spoken_to(directory: Directory) -> None:
    (directory.path / "known_hosts").write_text("")
    directory.sim.reset_counters()
    result = directory.add("free-004", "--yes", "--json")
    assert code_of(result) == "host-key-missing"
    assert "free-004" not in directory.sim.counters()
