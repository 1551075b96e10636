"""`autorke rke worker …`: the worker engine on plain files, without the platform."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from autorke.cli import rke_add
from autorke.cli.rke_access import Access
from autorke.core.errors import AutoRkeError
from autorke.drivers.rkefiles.cluster_yml import ClusterYml, read_cluster_yml, read_node_entry
from autorke.drivers.rkefiles.errors import FileUnreadable
from autorke.drivers.rkefiles.nodes import RkeNode, check_new_workers, node_from_state, with_usual_access
from autorke.drivers.rkefiles.rkestate import read_rke_config
from autorke.drivers.rkefiles.storage import locked, read_text
from autorke.drivers.workerplane.config import read_config, read_host_info
from autorke.drivers.workerplane.errors import UnknownNode
from autorke.drivers.workerplane.spec import recorded_containers, worker_containers

rke_app = typer.Typer(no_args_is_help=True, help="Work on an rke cluster from its files / 直接操作 rke 集群的文件")
worker_app = typer.Typer(no_args_is_help=True, help="Worker nodes / 工作节点")
rke_app.add_typer(worker_app, name="worker")

ConfigOption = Annotated[Path, typer.Option("--config", help="cluster.yml")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on stdout / 以 JSON 输出")]

INPUT_ERROR = 2
CHANGE_FAILED = 1


@worker_app.command("spec")
def spec(
    config: ConfigOption = Path("cluster.yml"),
    state: Annotated[Path | None, typer.Option(help="cluster.rkestate; beside --config by default")] = None,
    docker_info: Annotated[Path | None, typer.Option(help="JSON of `docker info` of the node's machine")] = None,
    node: Annotated[str, typer.Option(help="address of the node")] = "",
    as_json: JsonOption = False,
) -> None:
    """Print the containers of one worker as they would be created. Opens no connection.

    打印一个工作节点将要创建的容器；不建立任何连接。
    """
    with explained(as_json):
        containers = worker_spec(
            config_text=read_text(config),
            state_text=read_text(state or config.with_suffix(".rkestate")),
            docker_info=_docker_info(docker_info),
            address=node,
        )
    console = Console(soft_wrap=True)
    if as_json:
        typer.echo(json.dumps(containers, ensure_ascii=False, indent=2))
        return
    for container in containers:
        console.rule(f"{container['order']} {container['name']}")
        console.print_json(json.dumps(container["create"], ensure_ascii=False))


def worker_spec(
    *, config_text: str, state_text: str, docker_info: Mapping[str, Any], address: str
) -> list[dict[str, Any]]:
    """The create bodies of a node's worker containers, in the form of the recordings: `[{name, order, create}]`.

    The cluster's settings come from the state's rkeConfig; the node from there too, or from cluster.yml when the state
    does not know it yet. Raises UnknownNode and what reading the files raises.
    """
    cluster = read_cluster_yml(config_text)
    rke_config = read_rke_config(state_text)
    entries = [node_from_state(entry) for entry in rke_config["nodes"]]
    found = _find(address, entries) or _find(address, cluster.nodes)
    if found is None:
        raise UnknownNode(field="--node", node=address[:80])
    return recorded_containers(worker_containers(read_config(rke_config), found, read_host_info(docker_info)))


def _find(address: str, nodes: list[RkeNode] | tuple[RkeNode, ...]) -> RkeNode | None:
    return next((node for node in nodes if node.address == address), None)


def _docker_info(path: Path | None) -> Mapping[str, Any]:
    """`docker info --format '{{json .}}'`, or a document that holds it as `docker_info`."""
    if path is None:
        raise FileUnreadable(field="--docker-info", file="--docker-info", reason="not given")
    try:
        document = json.loads(read_text(path))
    except ValueError as error:
        raise FileUnreadable(field="--docker-info", file=path.name, reason="not JSON") from error
    if not isinstance(document, dict):
        raise FileUnreadable(field="--docker-info", file=path.name, reason="not a JSON object")
    inner = document.get("docker_info", document)
    return inner if isinstance(inner, dict) else document


@contextmanager
def explained(as_json: bool) -> Iterator[None]:
    """Turn an error that we know into field, cause and remedy on stderr, and exit code 2 (input) or 1 (the outside)."""
    try:
        yield
    except AutoRkeError as error:
        if as_json:
            typer.echo(json.dumps(error.as_json(), ensure_ascii=False), err=True)
        else:
            console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
            console.print(f"{error.field or error.code}: {error.message.zh} / {error.message.en}")
            if error.hint.en:
                console.print(f"→ {error.hint.zh} / {error.hint.en}")
        raise typer.Exit(INPUT_ERROR if error.status < 500 else CHANGE_FAILED) from error


@worker_app.command("add")
def add(
    config: ConfigOption = Path("cluster.yml"),
    node: Annotated[str, typer.Option(help="the node in the keys of cluster.yml, as JSON or YAML")] = "",
    address: Annotated[str, typer.Option(help="instead of --node: its address")] = "",
    internal_address: Annotated[str, typer.Option(help="its address inside the cluster")] = "",
    hostname_override: Annotated[str, typer.Option(help="its name in Kubernetes")] = "",
    user: Annotated[str, typer.Option(help="SSH user, a member of group docker")] = "",
    port: Annotated[str, typer.Option(help="SSH port")] = "",
    ssh_key_path: Annotated[str, typer.Option(help="private key; the cluster's by default")] = "",
    known_hosts: Annotated[Path, typer.Option(help="pinned host keys")] = Path("~/.ssh/known_hosts"),
    host_key: Annotated[str, typer.Option(help="pinned host key of the new node (ssh-ed25519 AAAA…)")] = "",
    kubeconfig: Annotated[Path | None, typer.Option(help="kube_config_<config> beside it by default")] = None,
    ready_timeout: Annotated[float, typer.Option(help="seconds to wait for the Node to be Ready")] = 300.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show the plan, change nothing")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    as_json: JsonOption = False,
) -> None:
    """Add one worker; no other machine sees a Docker event. Files and the copy in the cluster are updated afterwards.

    添加一个工作节点，不触碰其他机器；完成后更新文件与集群内的状态副本。
    """
    options = {"address": address, "internal_address": internal_address, "hostname_override": hostname_override}
    options.update({"user": user, "port": port, "ssh_key_path": ssh_key_path})
    with explained(as_json), locked(config), ExitStack() as stack:
        files = rke_add.read_files(config, kubeconfig)
        new = wanted_node(node, options, files.cluster)
        access = Access(known_hosts.expanduser(), {new.address: host_key} if host_key else {})
        remote, kube = rke_add.open_cluster(stack, files, new, access)
        prepared = rke_add.prepare(files, new, remote, kube, access, _say)
        _show_plan(prepared, as_json=as_json)
        if dry_run or not (yes or _agreed(new)):
            return
        report = rke_add.carry_out(files, prepared, remote, kube, _say, ready_timeout=ready_timeout)
        _say(new.hostname, f"joined with {len(report.changes)} Docker calls in {report.seconds} s")


def _agreed(node: RkeNode) -> bool:
    return typer.confirm(f"Add {node.hostname} ({node.address})? / 确认添加？", err=True)


def wanted_node(node: str, options: Mapping[str, str], cluster: ClusterYml) -> RkeNode:
    """The node of --node, or of the single options; what is left out is as the cluster's other nodes have it.

    Raises NotAWorker, DuplicateNode, InvalidNode, before any connection.
    """
    given = {key: value for key, value in options.items() if value}
    text = node or json.dumps({"user": _usual_user(cluster), **given})
    wanted = read_node_entry(text, default_key_path=cluster.ssh_key_path)
    check_new_workers(cluster.nodes, [wanted])
    return with_usual_access(wanted, cluster.nodes, default_key_path=cluster.ssh_key_path)


def _usual_user(cluster: ClusterYml) -> str:
    users = {node.user for node in cluster.nodes}
    return users.pop() if len(users) == 1 else ""


def _say(name: str, line: str) -> None:
    typer.echo(f"{name}: {line}", err=True)


def _show_plan(prepared: rke_add.Prepared, *, as_json: bool) -> None:
    shown = {**prepared.plan.shown(), "compared_with": prepared.compared_with}
    if as_json:
        typer.echo(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    console = Console(soft_wrap=True)
    console.rule(f"{prepared.node.hostname} ({prepared.node.address})")
    console.print_json(json.dumps(shown, ensure_ascii=False))
