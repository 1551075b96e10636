"""Machines: list, find, show, trust, and bring in from a file."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer

from autorke.cli import lists, resolve
from autorke.cli.client import Api, connect
from autorke.cli.errors import NOT_FOUND, BadUsage, FingerprintDiffers
from autorke.cli.lists import AllOption, ColumnsOption, CursorOption, FilterOption, LimitOption, Listing, SortOption
from autorke.cli.machine_import import import_machines
from autorke.cli.options import NOTHING, JsonOption, YesOption, agree, read_file
from autorke.cli.output import columns, print_details, print_json, print_table, safe, say, shown, waiting, word

app = typer.Typer(no_args_is_help=True)
app.command("import")(import_machines)

USUAL = columns(
    ("主机名", "Host name", "hostname"),
    ("地址", "Address", "address"),
    ("序列号", "Serial", "sn"),
    ("状态", "State", "state"),
    ("集群", "Cluster", "cluster_name"),
    ("角色", "Roles", "node_roles"),
    ("机架", "Rack", "rack"),
    ("GPU", "GPU", "gpu_model"),
    ("冲突", "Conflicts", lambda row: row["conflict_count"] or None),
)
BRIEF = columns(
    ("主机名", "Host name", "hostname"),
    ("地址", "Address", "address"),
    ("序列号", "Serial", "sn"),
    ("状态", "State", "state"),
    ("集群", "Cluster", "cluster_name"),
    ("机架", "Rack", "rack"),
)
FOUND = columns(("输入", "As pasted", "key"), *((c.title.zh, c.title.en, c.cell) for c in BRIEF))
CONFLICTS = columns(
    ("字段", "Field", "field"),
    ("CMDB", "CMDB says", "cmdb_value"),
    ("机器", "Machine says", "machine_value"),
    ("集群", "Cluster says", "cluster_value"),
    ("始于", "Since", "first_seen_at"),
)
KNOWN = (
    *(column.cell for column in USUAL if isinstance(column.cell, str)),
    "id",
    "internal_address",
    "ssh_port",
    "ssh_user",
    "credential_id",
    "bastion_machine_id",
    "host_key_pinned_at",
    "region",
    "datacenter",
    "room",
    "unit",
    "vendor",
    "model",
    "cpu_cores",
    "memory_mb",
    "disk_gb",
    "gpu_count",
    "os_family",
    "os_version",
    "kernel",
    "docker_version",
    "owner",
    "department",
    "purpose",
    "labels",
    "state_reason",
    "ticket_id",
    "cluster_id",
    "node_name",
    "cmdb_source_id",
    "cmdb_id",
    "cmdb_status",
    "cmdb_changed_at",
    "cmdb_vanished_at",
    "conflict_count",
    "version",
    "created_at",
    "updated_at",
)

MachineArgument = Annotated[
    str, typer.Argument(help="Host name, address, serial number or id / 主机名、地址、序列号或编号", metavar="MACHINE")
]


@app.command("list")
def list_machines(
    state: Annotated[str, typer.Option(help="free, reserved, in_cluster, fault, retired / 状态")] = "",
    cluster: Annotated[str, typer.Option(help="Serving this cluster / 所在集群")] = "",
    within: Annotated[str, typer.Option(help="Address within a network, e.g. 10.1.0.0/16 / 网段内")] = "",
    search: Annotated[str, typer.Option(help="Part of the host name / 主机名包含")] = "",
    filters: FilterOption = NOTHING,
    sort: SortOption = "",
    shape: ColumnsOption = "",
    limit: LimitOption = 50,
    cursor: CursorOption = "",
    everything: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """Machines, by any column / 列出机器"""
    short = (
        ("state:eq", state),
        ("cluster_name:eq", cluster),
        ("address:within", within),
        ("hostname:contains", search),
    )
    wanted = [*filters, *(f"{name}:{value}" for name, value in short if value)]
    shown_columns = lists.chosen(shape, USUAL, KNOWN)
    with connect() as api:
        page = lists.fetch(api, "/machines", Listing(wanted, sort, limit, cursor, everything))
    lists.show(page, shown_columns, as_json=as_json)


@app.command("show")
def show_machine(machine: MachineArgument, as_json: JsonOption = False) -> None:
    """Fields, sources and conflicts of a machine / 机器详情"""
    with connect() as api:
        found = resolve.machine(api, machine)
    if as_json:
        print_json(found)
        return
    inner = ("reports", "conflicts", "host_key")
    print_details([(name, value) for name, value in found.items() if name not in inner])
    if found["conflicts"]:
        print_table(found["conflicts"], CONFLICTS, word("冲突", "Conflicts"))
    for report in found["reports"]:
        said = {**report["values"], **report["extra"]}
        title = f"{report['origin']} · {shown(report['reported_at'])}"
        print_table(
            [{"k": k, "v": v} for k, v in said.items()], columns(("字段", "Field", "k"), ("值", "Value", "v")), title
        )


@app.command("find")
def find_machines(
    keys: Annotated[list[str] | None, typer.Argument(help="Names, addresses, networks, ranges, serial numbers")] = None,
    source: Annotated[str, typer.Option("--from", help="Read them from a file, - for stdin / 从文件或标准输入")] = "",
    as_json: JsonOption = False,
) -> None:
    """Which machines a pasted list means / 查找机器列表

    Exit code 4 when any is not found.
    """
    wanted = list(keys or ())
    if source or not wanted or wanted == ["-"]:
        wanted = pasted(read_file(source or "-"))
    if not wanted:
        raise BadUsage(field="KEYS", zh="列表为空", en="the list is empty")
    with connect() as api:
        found = api.post("/machines/find", {"keys": wanted})
    if as_json:
        print_json(found)
    else:
        print_table([{"key": match["key"], **match["machine"]} for match in found["matches"]], FOUND)
        _left_over(word("未找到", "Not found"), found["missing"], "red")
        _left_over(word("对应多台", "Means several"), found["ambiguous"], "yellow")
        _left_over(word("重复", "Pasted twice"), found["repeated"], "yellow")
    if found["missing"]:
        raise typer.Exit(NOT_FOUND)


def pasted(text: str) -> list[str]:
    """What people paste: separated by line ends, tabs, commas or semicolons, in either width."""
    return [key.strip() for key in re.split(r"[\n\r\t,;，；、]+", text) if key.strip()]


def _left_over(title: str, keys: list[str], style: str) -> None:
    if keys:
        say(f"{title} ({len(keys)}): {', '.join(map(safe, keys))}", style)


@app.command("pin-host-key")
def pin_host_key(
    machine: MachineArgument,
    fingerprint: Annotated[str, typer.Option(help="SHA256:… that it must have; then nothing is asked / 预期指纹")] = "",
    replace: Annotated[
        bool, typer.Option("--replace", help="Give up the pinned one: reinstalled / 替换已固定的")
    ] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show and pin a machine's SSH host key / 固定主机公钥"""
    with connect() as api:
        found = resolve.machine(api, machine)
        with waiting(word("询问主机公钥", "asking for the host key")):
            scan = api.post(f"/machines/{found['id']}/host-key/scan")
        _show_scan(found, scan)
        if fingerprint and fingerprint != scan["fingerprint"]:
            seen = safe(scan["fingerprint"])
            raise FingerprintDiffers(field="--fingerprint", machine=found["hostname"], seen=seen)
        if scan["pinned"]:
            if as_json:
                print_json(found)
            return
        agree(
            word("与机器控制台上的一致吗？固定它？", "Is it the one on the machine's console? Pin it?"),
            yes=yes or bool(fingerprint),
        )
        body = {"host_key": scan["host_key"], "replace": replace}
        pinned = api.post(f"/machines/{found['id']}/host-key", body)
    if as_json:
        print_json(pinned)
        return
    say(word("已固定", "Pinned"), "green")


def _show_scan(machine: dict[str, Any], scan: dict[str, Any]) -> None:
    say(f"{safe(machine['hostname'])} ({safe(machine['address'])}): {safe(scan['fingerprint'])}")
    if scan["pinned"]:
        say(word("已经固定的就是它", "This one is pinned already"), "green")
    elif machine["host_key_fingerprint"]:
        was = safe(machine["host_key_fingerprint"])
        say(word(f"注意：已固定的是另一个 {was}", f"Careful: another one is pinned, {was}"), "yellow")


@app.command("set-credential")
def set_credential(
    machines: Annotated[list[str], typer.Argument(help="Machines / 机器", metavar="MACHINE...")],
    credential: Annotated[str, typer.Option("--credential", "-k", help="Name or id of a credential / 凭据")],
    ssh_user: Annotated[str, typer.Option("--ssh-user", help="Also set the login name / 登录用户")] = "",
    as_json: JsonOption = False,
) -> None:
    """Say how these machines are logged in to / 设置登录凭据"""
    with connect() as api:
        change = {"credential_id": resolve.credential_id(api, credential)}
        if ssh_user:
            change["ssh_user"] = ssh_user
        changed = [_changed(api, row, change) for row in resolve.machines(api, machines)]
    if as_json:
        print_json(changed)
        return
    print_table(changed, BRIEF)


def _changed(api: Api, row: dict[str, Any], change: dict[str, str]) -> Any:
    version = api.get(f"/machines/{row['id']}")["version"]
    return api.call("PATCH", f"/machines/{row['id']}", {"version": version, **change})
