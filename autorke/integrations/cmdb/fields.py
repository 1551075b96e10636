"""The machine fields that a CMDB can fill, and how a foreign value becomes one of ours."""

from __future__ import annotations

from collections.abc import Callable

from autorke.core import names


def _text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"text expected, got {type(value).__name__}")
    return names.line(str(value).strip())


def _hostname(value: object) -> str:
    return names.hostname(_text(value).lower().rstrip("."))


def _address(value: object) -> str:
    return names.address(_text(value))


def _serial(value: object) -> str:
    return names.serial(_text(value))


def _host_key(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"text expected, got {type(value).__name__}")
    return names.host_key(value)


def _count(value: object) -> int:
    """A whole number from 0 to 2^31-1, also when it comes as text or as a float without a fraction."""
    if isinstance(value, str):
        value = float(value) if value.strip() else 0
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"number expected, got {type(value).__name__}")
    if value != value or not 0 <= value < 2**31 or value != int(value):
        raise ValueError("whole number from 0 to 2147483647 expected")
    return int(value)


def _port(value: object) -> int:
    number = _count(value)
    if not 1 <= number <= 65535:
        raise ValueError("port from 1 to 65535 expected")
    return number


Parse = Callable[[object], str | int]

FIELDS: dict[str, Parse] = {
    "cmdb_id": _text,
    "sn": _serial,
    "hostname": _hostname,
    "address": _address,
    "internal_address": _address,
    "ssh_port": _port,
    "ssh_user": _text,
    "host_key": _host_key,
    "region": _text,
    "datacenter": _text,
    "room": _text,
    "rack": _text,
    "unit": _text,
    "vendor": _text,
    "model": _text,
    "cpu_cores": _count,
    "memory_mb": _count,
    "disk_gb": _count,
    "gpu_model": _text,
    "gpu_count": _count,
    "os_family": _text,
    "os_version": _text,
    "kernel": _text,
    "docker_version": _text,
    "owner": _text,
    "department": _text,
    "purpose": _text,
    "cmdb_status": _text,
}
REQUIRED = frozenset({"cmdb_id", "sn", "hostname", "address"})
NUMBERS = frozenset(name for name, parse in FIELDS.items() if parse in (_count, _port))

EXPECTED: dict[Parse, str] = {
    _text: "一行不超过 255 个可打印字符的文本",
    _hostname: "DNS-1123 主机名：小写字母、数字、“-”、“.”，不超过 253 个字符",
    _address: "一台主机的 IPv4 或 IPv6 地址",
    _serial: "序列号：字母、数字、空格和 . _ : / + -，不超过 64 个字符，不是固件占位符",
    _host_key: "OpenSSH 公钥：类型 base64",
    _count: "0 到 2147483647 的整数",
    _port: "1 到 65535 的端口号",
}
"""What a value should have been, for people who read Chinese; the parsers themselves say it in English."""
