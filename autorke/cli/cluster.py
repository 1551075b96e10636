"""Clusters: import, look, compare with the live cluster, nodes and revisions."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any

import typer

from autorke.cli import lists, resolve
from autorke.cli.client import PAGE_LIMIT, connect
from autorke.cli.lists import AllOption, FilterOption, Listing, SortOption
from autorke.cli.options import NOTHING, ClusterArgument, JsonOption, pairs, read_file
from autorke.cli.output import columns, print_details, print_json, print_lines, print_table, say, waiting, word, words
from autorke.cli.plan_view import print_diff

app = typer.Typer(no_args_is_help=True)

USUAL = columns(
    ("名称", "Name", "name"),
    ("状态", "State", "state"),
    ("Kubernetes", "Kubernetes", "kubernetes_version"),
    ("节点", "Nodes", "node_count"),
    ("网络", "Network", "network_plugin"),
    ("扁平网络", "Flat network", "flat_network"),
    ("核对于", "Verified", "verified_at"),
    ("差异", "Drift", lambda cluster: len(cluster["drift"]) or None),
)
NODES = columns(
    ("节点", "Node", "hostname"),
    ("地址", "Address", "address"),
    ("角色", "Roles", "roles"),
    ("标签", "Labels", "labels"),
    ("污点", "Taints", lambda node: [taint_text(taint) for taint in node["taints"]]),
    ("自", "Since", "since"),
)
DRIFT = columns(
    ("对象", "Where", "field"),
    ("发现", "Seen", lambda drift: words(drift["cause"])),
    ("建议", "Remedy", lambda drift: words(drift["remedy"])),
)
REVISIONS = columns(
    ("版本", "Number", "number"),
    ("原因", "Reason", "reason"),
    ("由", "By", "created_by"),
    ("时间", "At", "created_at"),
    ("字节", "Bytes", "size"),
    ("SHA-256", "SHA-256", lambda revision: revision["sha256"][:12]),
    ("节点", "Nodes", lambda revision: len(revision["node_addresses"])),
)
SETTINGS = columns(
    ("设置", "Setting", "path"),
    ("之前", "Before", "before"),
    ("之后", "After", "after"),
    ("危险", "Danger", lambda setting: words(setting["danger"])),
)


class Kind(str, Enum):
    """`config` = cluster.yml, `state` = cluster.rkestate."""

    CONFIG = "config"
    STATE = "state"


KindOption = Annotated[Kind, typer.Option("--kind", help="config = cluster.yml, state = cluster.rkestate")]


def taint_text(taint: dict[str, Any]) -> str:
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint['key']}{value}:{taint['effect']}"


@app.command("import")
def import_cluster(
    name: Annotated[str, typer.Argument(help="A name for it / 名称")],
    config: Annotated[str, typer.Option("--config", help="cluster.yml")],
    state: Annotated[str, typer.Option("--state", help="cluster.rkestate")],
    kubeconfig: Annotated[str, typer.Option("--kubeconfig", help="kube_config_cluster.yml")],
    description: Annotated[str, typer.Option(help="A note / 说明")] = "",
    flat_network: Annotated[bool, typer.Option("--flat-network", help="It has a flat network / 使用扁平网络")] = False,
    policy: Annotated[
        list[str], typer.Option(help="flow=strict|standard|express; flow `default` / 审核策略")
    ] = NOTHING,
    as_json: JsonOption = False,
) -> None:
    """Import a running cluster from its files / 导入集群

    Makes no connection to it; `cluster verify` does.
    """
    body = {
        "name": name,
        "description": description,
        "cluster_yml": read_file(config),
        "rkestate": read_file(state),
        "kubeconfig": read_file(kubeconfig),
        "flat_network": flat_network,
        "gate_policy": pairs(policy, "--policy"),
    }
    with connect() as api, waiting(word("校验文件", "checking the files")):
        made = api.post("/clusters", body)
    if as_json:
        print_json(made)
        return
    _show(made)


@app.command("list")
def list_clusters(
    filters: FilterOption = NOTHING,
    sort: SortOption = "",
    everything: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """The clusters / 列出集群"""
    with connect() as api:
        page = lists.fetch(api, "/clusters", Listing(filters, sort, everything=everything))
    lists.show(page, USUAL, as_json=as_json)


@app.command("show")
def show_cluster(cluster: ClusterArgument, as_json: JsonOption = False) -> None:
    """One cluster / 集群详情"""
    with connect() as api:
        found = resolve.cluster(api, cluster)
    if as_json:
        print_json(found)
        return
    _show(found)


def _show(cluster: dict[str, Any]) -> None:
    print_details([(name, value) for name, value in cluster.items() if name != "drift"])
    if cluster["drift"]:
        print_table(cluster["drift"], DRIFT, word("与实际不一致", "Differs from the live cluster"))


@app.command("verify")
def verify(cluster: ClusterArgument, as_json: JsonOption = False) -> None:
    """Compare the live cluster with its records / 核对实际集群

    Read-only. Exit code 1 when they differ.
    """
    with connect() as api, waiting(word("查看集群", "looking at the cluster")):
        found = api.post(f"/clusters/{resolve.cluster(api, cluster)['id']}/verify")
    if as_json:
        print_json(found)
    elif found["drift"]:
        print_table(found["drift"], DRIFT)
    else:
        say(word("一致", "No difference"), "green")
    if found["drift"]:
        raise typer.Exit(1)


@app.command("nodes")
def list_nodes(
    cluster: ClusterArgument,
    filters: FilterOption = NOTHING,
    sort: SortOption = "",
    everything: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """The nodes that serve it / 列出节点"""
    with connect() as api:
        path = f"/clusters/{resolve.cluster(api, cluster)['id']}/nodes"
        page = lists.fetch(api, path, Listing(filters, sort, everything=everything))
    lists.show(page, NODES, as_json=as_json)


@app.command("revisions")
def list_revisions(
    cluster: ClusterArgument,
    number: Annotated[int, typer.Option("--show", help="Print this revision's text, secrets masked / 显示内容")] = 0,
    kind: KindOption = Kind.CONFIG,
    as_json: JsonOption = False,
) -> None:
    """The revisions of its files, newest first / 配置与状态版本"""
    with connect() as api:
        path = f"/clusters/{resolve.cluster(api, cluster)['id']}/revisions/{kind.value}"
        if number:
            revision = api.get(f"{path}/{number}")
        else:
            page = api.get(path, limit=PAGE_LIMIT)
    if number:
        _print_revision(revision, as_json=as_json)
    else:
        lists.show(page, REVISIONS, as_json=as_json)


def _print_revision(revision: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(revision)
        return
    print_lines(revision["text"].split("\n"))


@app.command("diff")
def diff(
    cluster: ClusterArgument,
    before: Annotated[int, typer.Argument(min=1, help="Number of the older revision / 旧版本")],
    after: Annotated[int, typer.Argument(min=1, help="Number of the newer revision / 新版本")],
    kind: KindOption = Kind.CONFIG,
    as_json: JsonOption = False,
) -> None:
    """What changed between two revisions / 版本差异"""
    with connect() as api:
        path = f"/clusters/{resolve.cluster(api, cluster)['id']}/revisions/{kind.value}/compare"
        found = api.get(path, before=before, after=after)
    if as_json:
        print_json(found)
        return
    nodes = [
        (word("新增节点", "Added nodes"), found["added_nodes"]),
        (word("移除节点", "Removed nodes"), found["removed_nodes"]),
    ]
    print_details(nodes)
    if found["settings"]:
        print_table(found["settings"], SETTINGS)
    print_diff(found["text"], most=None)
    if found["cut"]:
        say(word("差异过长，已截断", "The diff was too long and is cut"), "yellow")
