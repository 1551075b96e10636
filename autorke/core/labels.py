"""Labels and taints of Kubernetes nodes: the one place that says which are valid and which are not a person's to give.

Submit, checks, the command line and the rke files all ask here. Each answer is the reason of a refusal, or None.
Kubernetes itself refuses a wrong one at the very end of a join, on the Node object (rke.md §1.4).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pydantic_core import PydanticCustomError

from autorke.core.errors import Text

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
RESERVED_LABELS = frozenset(
    {
        "kubernetes.io/hostname",
        "kubernetes.io/os",
        "kubernetes.io/arch",
        "beta.kubernetes.io/os",
        "beta.kubernetes.io/arch",
    }
)
"""kubelet writes these; rke finds a Node by the first (rke.md §4.8)."""
RESERVED_LABEL_PREFIXES = ("node-role.kubernetes.io", "rke.cattle.io", "kubelet.kubernetes.io")
RESERVED_TAINT_PREFIXES = (
    "node-role.kubernetes.io",
    "rke.cattle.io",
    "node.kubernetes.io",
    "node.cloudprovider.kubernetes.io",
)
"""Roles are rke's; `node.kubernetes.io/not-ready` and the like are set and taken away by controllers."""

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_SYNTAX = Text(
    zh="最长 63 个字符，只用字母、数字、“-”、“_”、“.”，首尾为字母或数字",
    en="at most 63 letters, digits, '-', '_', '.', and begins and ends with a letter or digit",
)
_SHOWN = 80


def is_dns_subdomain(text: str, *, most: int = 253) -> bool:
    """DNS-1123 subdomain: lower-case labels of letters, digits and hyphens, joined by dots."""
    return 0 < len(text) <= most and all(_DNS_LABEL.fullmatch(label) for label in text.split("."))


def key_problem(key: str) -> Text | None:
    """Why this cannot be the key of a label or taint."""
    prefix, slash, name = key.rpartition("/")
    if slash and not is_dns_subdomain(prefix):
        return Text(
            zh=f"键 {_quoted(key)} 的前缀应为小写 DNS 名，最长 253 个字符",
            en=f"the prefix of key {_quoted(key)} must be a lower-case DNS name of at most 253 characters",
        )
    if not _NAME.fullmatch(name):
        return Text(
            zh=f"键 {_quoted(key)} 应为 [DNS 前缀/]名称，名称{_SYNTAX.zh}",
            en=f"key {_quoted(key)}: a name has {_SYNTAX.en}",
        )
    return None


def value_problem(key: str, value: str) -> Text | None:
    """Why this cannot be the value of that label or taint; an empty value can."""
    if value == "" or _NAME.fullmatch(value):
        return None
    return Text(
        zh=f"{_quoted(key)} 的值 {_quoted(value)} 不合法，应{_SYNTAX.zh}",
        en=f"value {_quoted(value)} of {_quoted(key)}: a value has {_SYNTAX.en}",
    )


def effect_problem(effect: str) -> Text | None:
    if effect in EFFECTS:
        return None
    return Text(
        zh=f"效果 {_quoted(effect)} 应为 {'、'.join(EFFECTS)} 之一",
        en=f"effect {_quoted(effect)} must be one of {', '.join(EFFECTS)}",
    )


def reserved_label(key: str) -> Text | None:
    """Why a person may not set this label on a worker: a role given by a label makes another kind of node of it."""
    prefix, _, _ = key.lower().rpartition("/")
    return _reserved(key) if key.lower() in RESERVED_LABELS or prefix in RESERVED_LABEL_PREFIXES else None


def reserved_taint(key: str) -> Text | None:
    """Why a person may not set a taint of this key; rke would drop it with a warning (rke.md §12)."""
    prefix, _, _ = key.lower().rpartition("/")
    return _reserved(key) if prefix in RESERVED_TAINT_PREFIXES else None


def _reserved(key: str) -> Text:
    return Text(
        zh=f"{_quoted(key)} 由 rke、kubelet 或控制器自己设置，不能指定",
        en=f"{_quoted(key)} is set by rke, kubelet or a controller and cannot be given",
    )


def label_problem(key: str, value: str) -> Text | None:
    """Everything that can be wrong with a label that a person gives."""
    return key_problem(key) or value_problem(key, value) or reserved_label(key)


def taint_problem(key: str, value: str, effect: str) -> Text | None:
    """Everything that can be wrong with a single taint that a person gives."""
    return key_problem(key) or value_problem(key, value) or effect_problem(effect) or reserved_taint(key)


def repeated_taint(taints: Iterable[tuple[str, str]]) -> Text | None:
    """Why these (key, effect) pairs cannot stand together: a node has each of them once."""
    seen: set[tuple[str, str]] = set()
    for key, effect in taints:
        if (key, effect) in seen:
            return Text(
                zh=f"污点 {_quoted(key)}:{effect} 重复；同一键和效果只能写一次",
                en=f"taint {_quoted(key)}:{effect} is given twice; each key and effect stands once",
            )
        seen.add((key, effect))
    return None


def refuse(problem: Text | None) -> None:
    """For validators of forms: a refusal whose reason exists in both languages."""
    if problem is not None:
        raise PydanticCustomError("label_or_taint", "{en}", {"zh": problem.zh, "en": problem.en})


def _quoted(text: str) -> str:
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return repr(shown)
