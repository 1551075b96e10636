"""Adding workers to cluster.yml text: every other byte stays."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autorke.drivers.rkefiles.cluster_yml import read_cluster_yml
from autorke.drivers.rkefiles.edit import add_workers
from autorke.drivers.rkefiles.errors import DuplicateNode, InvalidNode, NotAWorker, RkeFileError, WrongType
from autorke.drivers.rkefiles.nodes import RkeNode, Taint
from tests.drivers.rkefiles.examples import COMMENTED, text, worker


def added(before: str, *nodes: RkeNode) -> str:
    """The text with these workers."""
    return add_workers(read_cluster_yml(before), nodes).text


def inserted(before: str, after: str) -> str:
    """What `after` has in one piece more than `before`."""
    start = next((i for i, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]), len(before))
    tail = before[start:]
    assert after.endswith(tail)
    return after[start : len(after) - len(tail)]


def test_only_new_lines_are_inserted_in_the_style_of_the_file() -> None:
    after = added(COMMENTED, worker("10.0.0.3", "w3", labels={"zone": "true"}))
    before_lines, after_lines = COMMENTED.splitlines(), after.splitlines()
    at = before_lines.index("      # end of w2") + 1
    assert after_lines[:at] == before_lines[:at]
    assert after_lines[at : at + 6] == [
        "    - address: 10.0.0.3",
        "      user: root",
        "      role: [worker]",
        "      hostname_override: w3",
        "      labels:",
        "        zone: 'true'",
    ]
    assert after_lines[at + 6 :] == before_lines[at:]


@pytest.mark.parametrize(
    "before",
    [
        text("cluster.yml"),
        COMMENTED,
        COMMENTED.replace("\n", "\r\n"),
        "nodes:\n- address: 10.0.0.1\n  user: x\n  role:\n  - worker",
        "nodes: [{address: 10.0.0.1, user: x, role: [worker]}]  # flow\n",
        "nodes: [{address: 10.0.0.1, user: x, role: [worker]}, # odd\n ]\nssh_key_path: /a\n",
        "nodes:\n- {address: 10.0.0.1, user: x, role: [worker]}\nssh_key_path: /a\n",
        "nodes:\n- address: 10.0.0.1\n  user: x\n  role: [worker]\n  ssh_key: |-\n    AAA\n    # k\n\naddons: ''\n",
        "nodes:\n- address: 10.0.0.1\n  user: x\n  role: [worker]\n  labels:\n# next\nssh_key_path: /a\n",
        "nodes:\n- address: 10.0.0.1\n  user: x\n  role: [worker] # \x85\u2028\nssh_key_path: /a\n",
        "ssh_key_path: /a\nnodes:\n-   address: 10.0.0.1\n    user: x\n    role:\n      - worker\n\n\n",
    ],
)
def test_nothing_else_changes_in_any_layout(before: str) -> None:
    new = worker("10.9.0.3", "w3", taints=(Taint("k", "v", "NoSchedule"),), internal_address="10.8.0.3")
    after = added(before, new)

    assert "10.9.0.3" in inserted(before, after)
    nodes = read_cluster_yml(after).nodes
    assert nodes[:-1] == read_cluster_yml(before).nodes
    assert (nodes[-1].hostname, nodes[-1].internal_address, nodes[-1].taints) == ("w3", "10.8.0.3", new.taints)


def test_several_workers_keep_their_order() -> None:
    after = added(COMMENTED, worker("10.0.0.3", "w3"), worker("10.0.0.4", "w4"))
    assert [node.hostname for node in read_cluster_yml(after).nodes] == ["cp1", "w2", "w3", "w4"]


def test_worker_added_with_controlplane_or_etcd_role_is_impossible() -> None:
    for roles in (("controlplane", "worker"), ("worker", "etcd"), ("etcd",)):
        with pytest.raises(NotAWorker):
            added(COMMENTED, worker("10.0.0.3", "w3", roles=roles))


@pytest.mark.parametrize(
    ("node", "error"),
    [
        (worker("10.0.0.2", "w9"), DuplicateNode),
        (worker("10.0.0.9", "w2"), DuplicateNode),
        (worker("10.0.0.9", "w9", internal_address="10.0.0.1"), DuplicateNode),
        (worker("10.0.0.9", "$(x)"), InvalidNode),
        (worker("10.0.0.9\n  role: [etcd]", "w9"), InvalidNode),
    ],
)
def test_taken_or_hostile_values_are_refused(node: RkeNode, error: type[RkeFileError]) -> None:
    with pytest.raises(error):
        added(COMMENTED, node)


@pytest.mark.parametrize("before", ["nodes: []\n", "nodes:\n", "ssh_key_path: /a\n"])
def test_a_cluster_without_nodes_gets_none(before: str) -> None:
    with pytest.raises(WrongType):
        added(before, worker())


label_values = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,20}[A-Za-z0-9])?", fullmatch=True)
comments = st.text(
    alphabet=string.printable.replace("\r", "").replace("\n", "").replace("\x0b", "").replace("\x0c", "")
)


@given(st.dictionaries(label_values, label_values, max_size=4), comments, st.integers(0, 6), st.booleans())
def test_any_labels_survive_any_layout(labels: dict[str, str], comment: str, indent: int, final_newline: bool) -> None:
    pad = " " * indent
    lines = [
        f"# {comment}",
        "nodes:",
        f"{pad}- address: 10.0.0.1",
        f"{pad}  user: root",
        f"{pad}  role: [worker]",
        f"# {comment}",
    ]
    before = "\n".join([*lines, "ssh_key_path: /a"]) + ("\n" if final_newline else "")
    after = added(before, worker("10.0.0.2", "w2", labels=labels))
    assert dict(read_cluster_yml(after).nodes[-1].labels) == labels
    assert after.startswith("\n".join(lines[:5]))
    assert after.endswith(before[len("\n".join(lines[:5])) + 1 :])
