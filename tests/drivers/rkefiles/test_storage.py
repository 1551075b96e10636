"""Files on disk: whole or untouched, one writer, the old version kept; the copy inside Kubernetes of the right kind."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from autorke.drivers.rkefiles import storage
from autorke.drivers.rkefiles.errors import (
    FileLocked,
    FileMoved,
    FileUnreadable,
    StateMoved,
    StateOfOtherCluster,
    StateTooLarge,
)
from autorke.drivers.rkefiles.fullstate import Kind, check_copy, kind_for, push_state
from autorke.drivers.rkefiles.merge import compact_text, with_workers_added
from autorke.drivers.rkefiles.rkestate import RkeState, read_state
from tests.drivers.rkefiles.examples import text, worker


def test_names_beside_the_configuration() -> None:
    config = Path("/c/cluster.yml")
    assert storage.state_path(config) == Path("/c/cluster.rkestate")
    assert storage.kubeconfig_path(config) == Path("/c/kube_config_cluster.yml")


def test_old_version_is_kept_private(tmp_path: Path) -> None:
    path = tmp_path / "cluster.rkestate"
    path.write_text("old")
    path.chmod(0o640)
    kept = storage.replace_text(path, "new", expected="old")
    assert (path.read_text(), kept.read_text()) == ("new", "old")
    assert kept.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted([path.name, kept.name])


def test_file_that_moved_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yml"
    path.write_text("theirs")
    with pytest.raises(FileMoved):
        storage.replace_text(path, "ours", expected="what we read")
    assert path.read_text() == "theirs"


def test_failed_write_leaves_the_old_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cluster.yml"
    path.write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileUnreadable) as caught:
        storage.replace_text(path, "new", expected="old")
    assert "No space left" in caught.value.message.en
    assert [entry.name for entry in tmp_path.iterdir()] == ["cluster.yml"]
    assert path.read_text() == "old"


def _try_lock(config: Path, answers: multiprocessing.Queue[str]) -> None:
    try:
        with storage.locked(config):
            answers.put("locked")
    except FileLocked:
        answers.put("refused")


def test_second_process_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "cluster.yml"
    config.write_text("nodes: []\n")
    context = multiprocessing.get_context("spawn")
    answers: multiprocessing.Queue[str] = context.Queue()
    with storage.locked(config):
        process = context.Process(target=_try_lock, args=(config, answers))
        process.start()
        assert answers.get(timeout=60) == "refused"
        process.join(60)
    with storage.locked(config):
        pass


def test_no_lock_file_appears_where_there_is_no_cluster(tmp_path: Path) -> None:
    with pytest.raises(FileUnreadable), storage.locked(tmp_path / "cluster.yml"):
        raise AssertionError("locked nothing")
    assert list(tmp_path.iterdir()) == []


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileUnreadable) as caught:
        storage.read_text(tmp_path / "missing.yml")
    assert caught.value.field == "missing.yml"
    (tmp_path / "latin.yml").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(FileUnreadable):
        storage.read_text(tmp_path / "latin.yml")


class Store:
    """`full-cluster-state` in memory, with optimistic locking."""

    def __init__(self, kind: Kind | None = None, content: str = "", version: str = "1") -> None:
        self.found = (kind, content, version) if kind else None

    def read(self) -> tuple[Kind, str, str] | None:
        return self.found

    def write(self, kind: Kind, text: str, resource_version: str | None) -> str:
        self.found = (kind, text, str(int(resource_version or 0) + 1))
        return self.found[2]


@pytest.fixture(scope="module")
def state() -> RkeState:
    return read_state(text("cluster.rkestate"))


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        ("v1.1.19", "ConfigMap"),
        ("v1.4.18", "ConfigMap"),
        ("v1.4.19", "Secret"),
        ("v1.5.9", "ConfigMap"),
        ("v1.5.10", "Secret"),
        ("v1.6.0", "Secret"),
        ("v1.10.1", "Secret"),
        ("", "ConfigMap"),
    ],
)
def test_kind_follows_the_release_of_rke(version: str, kind: Kind) -> None:
    assert kind_for(version) == kind


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap"])
def test_existing_kind_is_kept(state: RkeState, kind: Kind) -> None:
    store = Store(kind, compact_text(state))
    version = check_copy(store, state)
    merged = with_workers_added(state, [worker()])
    assert push_state(store, merged, resource_version=version, rke_version="v1.6.3") == (kind, "2")
    assert store.found is not None
    assert read_state(store.found[1]).document == merged.document


def test_missing_copy_is_created_in_the_kind_of_the_release(state: RkeState) -> None:
    store = Store()
    assert check_copy(store, state) is None
    assert push_state(store, state, resource_version=None, rke_version="v1.6.3") == ("Secret", "1")


def test_copy_written_by_somebody_else_is_not_overwritten(state: RkeState) -> None:
    store = Store("Secret", compact_text(state), version="5")
    with pytest.raises(StateMoved):
        push_state(store, state, resource_version="4")


def test_copy_of_another_cluster_or_with_other_nodes_is_noticed(state: RkeState) -> None:
    with pytest.raises(StateOfOtherCluster):
        check_copy(Store("Secret", text("other-ca.rkestate")), state)
    with pytest.raises(StateOfOtherCluster) as caught:
        check_copy(Store("Secret", compact_text(with_workers_added(state, [worker()]))), state)
    assert "127.0.0.24" in caught.value.message.en


def test_copy_over_one_mebibyte_is_refused_before_it_is_sent(state: RkeState) -> None:
    document = {
        **state.document,
        "desiredState": {**state.document["desiredState"], "encryptionConfig": "x" * 1024 * 1024},
    }
    store = Store("Secret", compact_text(state))
    with pytest.raises(StateTooLarge):
        push_state(store, RkeState(document), resource_version="1")
    assert store.found is not None
    assert store.found[2] == "1"
