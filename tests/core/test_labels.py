"""One rule for labels and taints: what it says, and that everybody who asks gets the same answer."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from autorke.checks.context import NewWorker, Taint
from autorke.checks.results import Level
from autorke.checks.rules import request
from autorke.core import labels
from autorke.drivers.base import SshTarget
from autorke.drivers.rkefiles import nodes as rke
from autorke.drivers.rkefiles.errors import InvalidNode
from autorke.flows.params import Labels, TaintIn

LONG = ".".join(["a" * 61] * 4)
KEYS = ["pool", "a/b", "example.com/A_b.c", f"{LONG}/x", "x" * 63, "9"]
BAD_KEYS = [
    "",
    "/",
    "a/",
    "/a",
    "a b",
    "-a",
    "a-",
    "_",
    "x" * 64,
    f"{LONG}.abcdef/x",
    "A.b/c",
    "a..b/c",
    "a/b/c",
    "ü",
    "a\n",
]
VALUES = ["", "a", "9", "A_b.c-d", "x" * 63]
BAD_VALUES = ["-", "a-", ".a", "a b", "x" * 64, "ü", "a\n", "$(id)"]
RESERVED = [
    "node-role.kubernetes.io/worker", "kubernetes.io/hostname", "Kubernetes.io/Hostname", "kubernetes.io/arch",
    "rke.cattle.io/internal-ip", "kubelet.kubernetes.io/x",
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
def test_keys_that_kubernetes_takes(key: str) -> None:
    assert labels.label_problem(key, "x") is None
    assert labels.taint_problem(key, "", "NoSchedule") is None


@pytest.mark.parametrize("key", BAD_KEYS)
def test_keys_that_kubernetes_refuses(key: str) -> None:
    assert labels.key_problem(key)


@pytest.mark.parametrize("value", VALUES)
def test_values_that_kubernetes_takes(value: str) -> None:
    assert labels.value_problem("a", value) is None


@pytest.mark.parametrize("value", BAD_VALUES)
def test_values_that_kubernetes_refuses(value: str) -> None:
    assert labels.value_problem("a", value)


@pytest.mark.parametrize("key", RESERVED)
def test_labels_that_others_own(key: str) -> None:
    assert labels.reserved_label(key)


def test_taints_that_others_own_and_labels_of_the_same_prefix_that_people_give() -> None:
    assert labels.reserved_taint("node.kubernetes.io/unreachable")
    assert labels.reserved_label("node.kubernetes.io/instance-type") is None
    assert labels.reserved_label("topology.kubernetes.io/zone") is None


KEY = st.sampled_from([*KEYS, *BAD_KEYS, *RESERVED]) | st.text(max_size=70)
VALUE = st.sampled_from([*VALUES, *BAD_VALUES]) | st.text(max_size=70)


def refuses(kind: Any, value: Any) -> bool:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return True
    return False


def worker(**changes: Any) -> NewWorker:
    target = SshTarget("w1", "10.0.0.1", "ops")
    plain = NewWorker("w1", target, "10.0.0.1", "10.0.0.1", "w1", labels={}, taints=())
    return dataclasses.replace(plain, **changes)


def node(**changes: Any) -> rke.RkeNode:
    return dataclasses.replace(rke.RkeNode("10.0.0.1", ("worker",), "ops", "w1", "10.0.0.1"), **changes)


def rke_refuses(wanted: rke.RkeNode) -> bool:
    try:
        rke.check_new_workers([], [wanted])
    except InvalidNode:
        return True
    return False


def checks_refuse(wanted: NewWorker) -> bool:
    nothing: Any = None
    rules = (request.check_labels, request.check_role_labels, request.check_taints)
    return any(rule(wanted, nothing).level is not Level.OK for rule in rules)


@given(key=KEY, value=VALUE)
def test_submit_checks_and_rke_files_say_the_same_of_a_label(key: str, value: str) -> None:
    wrong = labels.label_problem(key, value) is not None
    assert refuses(Labels, {key: value}) == wrong
    assert checks_refuse(worker(labels={key: value})) == wrong
    assert rke_refuses(node(labels={key: value})) == wrong


@given(key=KEY, value=VALUE, effect=st.sampled_from([*labels.EFFECTS, "", "Never"]))
def test_submit_checks_and_rke_files_say_the_same_of_a_taint(key: str, value: str, effect: str) -> None:
    wrong = labels.taint_problem(key, value, effect) is not None
    assert refuses(TaintIn, {"key": key, "value": value, "effect": effect}) == wrong
    assert checks_refuse(worker(taints=(Taint(key, value, effect),))) == wrong
    assert rke_refuses(node(taints=(rke.Taint(key, value, effect),))) == wrong


def test_a_file_that_exists_may_hold_marks_that_a_new_worker_may_not_be_given() -> None:
    rke.check_node(node(labels={"node-role.kubernetes.io/x": "1"}))
    assert rke_refuses(node(labels={"node-role.kubernetes.io/x": "1"}))
