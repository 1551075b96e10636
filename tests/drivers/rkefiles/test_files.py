"""A text that an attempt has read is not read again; another text, or one that was refused, always is."""

from __future__ import annotations

import pytest

from autorke.drivers.rkefiles.cluster_yml import read_cluster_yml
from autorke.drivers.rkefiles.errors import NotYaml, StateNotJson
from autorke.drivers.rkefiles.files import Files
from autorke.drivers.rkefiles.rkestate import read_state
from tests.drivers.rkefiles.examples import COMMENTED, text


def test_the_same_text_is_read_once_and_another_one_for_itself() -> None:
    files = Files()
    assert files.config(COMMENTED) is files.config("".join(COMMENTED)) == read_cluster_yml(COMMENTED)
    assert files.config(text("cluster.yml")) == read_cluster_yml(text("cluster.yml"))
    assert files.state(text("cluster.rkestate")) == read_state(text("cluster.rkestate"))
    assert Files().config(COMMENTED) is not files.config(COMMENTED)


def test_a_refused_text_is_refused_each_time() -> None:
    files = Files()
    for _ in range(2):
        with pytest.raises(NotYaml):
            files.config("nodes: [")
        with pytest.raises(StateNotJson):
            files.state("{")


def test_only_the_last_few_texts_are_kept() -> None:
    files = Files()
    first = files.config(COMMENTED)
    for number in range(3):
        files.config(f"{COMMENTED}addon_job_timeout: {number}\n")
    assert files.config(COMMENTED) is not first
