"""Reads the answer of `facts_script.sh`. The machine is not trusted: whatever it prints becomes values or an error."""

from __future__ import annotations

import ipaddress
import shlex
import struct
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files

from autorke.checks.facts import CaFile, Disk, InterfaceAddress, Leftover, Link, Listener, MachineFacts, Swap
from autorke.core.errors import AutoRkeError, Text

PROTOCOL = "1"
MOST_ROWS = 5000
"""Of one key. A machine with more listening sockets than this is cut, not trusted with our memory."""

Rows = dict[str, list[list[str]]]


class FactsUnreadable(AutoRkeError):
    """The machine answered the facts script with something that is not its protocol."""

    status = 502
    code = "facts-unreadable"
    text = Text(zh="无法读取 {name} 的信息：{reason}", en="The facts of {name} cannot be read: {reason}")
    remedy = Text(
        zh="以该用户登录机器，执行 `sh -c true; df /; cat /proc/uptime`，查看登录脚本是否输出了多余内容或退出",
        en="Log in as that user and run `sh -c true; df /; cat /proc/uptime`; see whether a login script prints"
        " or exits",
    )


def facts_script(become_password: str | None = None) -> bytes:
    """The script itself, as sent on standard input; with the password that sudo wants there, where it wants one."""
    script = files("autorke.checks").joinpath("facts_script.sh").read_bytes()
    return f"SUDO_PASSWORD={shlex.quote(become_password or '')}\n".encode() + script


def parse_facts(name: str, text: str) -> MachineFacts:
    """The facts in `text`, which machine `name` printed. Raises FactsUnreadable when it is cut or malformed."""
    rows = _rows(name, text)
    try:
        return _facts(rows)
    except (ValueError, IndexError, struct.error) as error:
        raise FactsUnreadable(name=name, reason=f"{type(error).__name__}: {error}"[:300]) from error


def _rows(name: str, text: str) -> Rows:
    lines = text.splitlines()
    start = next((at for at, line in enumerate(lines) if line.startswith("facts\t")), None)
    if start is None:
        shown = lines[0][:200] if lines else ""
        raise FactsUnreadable(name=name, reason=f"no facts in the answer, it begins with {shown!r}")
    if lines[start].split("\t")[1:2] != [PROTOCOL]:
        raise FactsUnreadable(name=name, reason=f"protocol {lines[start]!r}, expected {PROTOCOL}")
    if "end" not in lines[start:]:
        raise FactsUnreadable(name=name, reason=f"the answer was cut after {len(lines) - start} lines")
    rows: Rows = defaultdict(list)
    for line in lines[start : lines.index("end", start)]:
        key, *values = line.split("\t")
        if len(rows[key]) < MOST_ROWS:
            rows[key].append(values)
    return rows


def _facts(rows: Rows) -> MachineFacts:
    docker = {row[0]: row[1] for row in rows["docker"]}
    gpu = _first(rows, "gpu", 3)
    return replace(
        _single_values(rows),
        docker_binary=docker.get("binary", ""),
        docker_socket=docker.get("socket", ""),
        docker_socket_denied="denied" in docker,
        swap=tuple(Swap(row[0], int(row[1])) for row in rows["swap"]),
        modules={row[0]: row[1] for row in rows["module"]},
        sysctls={row[0]: row[1] for row in rows["sysctl"]},
        addresses=tuple(_address(row) for row in rows["address"]),
        links=tuple(Link(row[0], int(row[1]), row[2], row[3]) for row in rows["link"]),
        routes=tuple(row[0] for row in rows["route"]),
        listeners=tuple(sorted({_listener(row) for row in rows["listen"]}, key=lambda it: (it.port, it.address))),
        disks=tuple(_disk(row) for row in rows["disk"]),
        resolv=tuple(row[0] for row in rows["resolv"]),
        resolved=bool(rows["resolved"]),
        selinux_modules=tuple(row[0] for row in rows["selinux-module"]),
        firewalls=tuple(row[0] for row in rows["firewall"]),
        leftovers=tuple(_leftover(row) for row in rows["leftover"]),
        kubelet_mounts=int(_first(rows, "mounts", 2)[1] or 0),
        ca_files=tuple(CaFile(row[0], "" if row[1] == "unreadable" else row[1].lower()) for row in rows["ca"]),
        processes={row[0]: int(row[1]) for row in rows["process"]},
        distributions={row[0]: row[1] for row in rows["distribution"]},
        gpus=int(gpu[1] or 0),
        gpu_driver=gpu[2],
    )


def _single_values(rows: Rows) -> MachineFacts:
    """The facts that come once."""
    user, os = _first(rows, "user", 3), _first(rows, "os", 3)
    kernel, architecture = _first(rows, "kernel", 2)
    memory, available = _first(rows, "memory", 2)
    return MachineFacts(
        user=user[0],
        groups=tuple(user[2].split(",")) if user[2] else (),
        root=_one(rows, "root"),
        hostname=_one(rows, "hostname"),
        fqdn=_one(rows, "fqdn"),
        os_id=os[0],
        os_version=os[1],
        os_name=os[2],
        kernel=kernel,
        architecture=architecture,
        machine_id=_one(rows, "machine-id"),
        product_uuid=_one(rows, "product-uuid").lower(),
        uptime_s=_number(rows, "uptime"),
        cpus=_number(rows, "cpus"),
        memory_kib=int(memory),
        memory_available_kib=int(available),
        ntp=_one(rows, "ntp"),
        cgroup=_number(rows, "cgroup"),
        selinux=_one(rows, "selinux"),
        nofile_hard=_limit(_first(rows, "nofile", 2)[1]),
        started_ns=_number(rows, "time"),
        ended_ns=int(_one(rows, "time-end") or _one(rows, "time")),
    )


def _first(rows: Rows, key: str, columns: int) -> list[str]:
    row = rows[key][0] if rows[key] else []
    return [*row, *[""] * columns][:columns]


def _one(rows: Rows, key: str) -> str:
    return _first(rows, key, 1)[0].strip()


def _number(rows: Rows, key: str) -> int:
    text = _one(rows, key)
    if not text.isdigit():
        raise ValueError(f"no number for {key!r} (is /proc mounted?): {text[:40]!r}")
    return int(text)


def _limit(text: str) -> int:
    return 2**31 if text == "unlimited" else int(text or 0)


def _address(row: Sequence[str]) -> InterfaceAddress:
    interface = ipaddress.ip_interface(row[1])
    return InterfaceAddress(row[0], str(interface.ip), interface.network.prefixlen)


def _leftover(row: Sequence[str]) -> Leftover:
    return Leftover(row[0], readable=row[1] != "unreadable", entry=row[2] if len(row) > 2 else "")


def _disk(row: Sequence[str]) -> Disk:
    path, total, free, inodes, inodes_free, mountpoint = row[:6]
    counted = inodes.isdigit() and inodes_free.isdigit() and int(inodes) > 0
    return Disk(
        path=path,
        mountpoint=mountpoint,
        total_kib=int(total),
        free_kib=int(free),
        inodes=int(inodes) if counted else None,
        inodes_free=int(inodes_free) if counted else None,
    )


def _listener(row: Sequence[str]) -> Listener:
    """The kernel writes addresses as 32-bit words in host order (little endian on every machine we manage)."""
    protocol, place = row[0], row[1]
    address, _, port = place.partition(":")
    words = [int(address[at : at + 8], 16) for at in range(0, len(address), 8)]
    packed = b"".join(struct.pack("<I", word) for word in words)
    parsed = ipaddress.ip_address(packed)
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return Listener(protocol, str(mapped or parsed), int(port, 16))
