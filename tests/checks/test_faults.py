"""Each fault gives exactly its one message and no other, in both languages, with a way out."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from autorke.checks.results import Level, Result
from autorke.checks.table import SCOPES
from tests.checks.breaking import Fault
from tests.checks.cluster_faults import CLUSTER_FAULTS
from tests.checks.healthy import Scene
from tests.checks.machine_faults import MACHINE_FAULTS

FAULTS = (*MACHINE_FAULTS, *CLUSTER_FAULTS)
IDS = [check.id for checks in SCOPES.values() for check in checks]


def test_a_healthy_machine_gets_no_message_and_every_check_speaks() -> None:
    report = Scene().judge()
    assert list(report.messages) == []
    assert [result.check for result in report.results] == IDS
    assert report.not_run == ()
    assert not report.blocked


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_fault_gives_exactly_one_message(fault: Fault) -> None:
    messages = fault.breaks(Scene()).judge().messages
    assert [(it.node, it.check, it.level) for it in messages] == [(fault.node, fault.check, fault.level)], [
        it.seen.en for it in messages
    ]
    said = f"{messages[0].seen.en} {messages[0].remedy.en}"
    assert [word for word in fault.words if word not in said] == [], said
    _check_texts(messages[0])


def _check_texts(result: Result) -> None:
    """Both languages say the same values, name the node, and tell what to do next."""
    name = result.node or "prod-a"
    assert result.seen.en.startswith(f"{name}: ")
    assert result.seen.zh.startswith(f"{name}：")
    assert re.search(r"[\u4e00-\u9fff]", result.seen.zh)
    if result.level is not Level.UNKNOWN or result.check not in ("kernel", "docker-version"):
        assert len(result.remedy.en) > 15
        assert re.search(r"[\u4e00-\u9fff]", result.remedy.zh)
        assert set(re.findall(r"`[^`]+`", result.remedy.en)) == set(re.findall(r"`[^`]+`", result.remedy.zh))


def test_a_copy_that_a_cut_off_write_of_ours_left_behind_blocks_nothing() -> None:
    """Or no retry and no other ticket of the cluster could ever be planned again."""
    behind = Scene().with_context(state_copy_sha256="77" * 32, earlier_copy_sha256="77" * 32)
    report = behind.judge()
    assert list(report.messages) == []
    said = next(result for result in report.results if result.check == "state-copy")
    assert "makes up for it" in said.seen.en


def test_every_check_has_a_fault() -> None:
    assert set(IDS) - {fault.check for fault in FAULTS} == set()


def test_names_of_faults_and_ids_of_checks_are_unique() -> None:
    assert [name for name, count in Counter(fault.name for fault in FAULTS).items() if count > 1] == []
    assert [name for name, count in Counter(IDS).items() if count > 1] == []


def test_the_table_is_complete() -> None:
    """Kebab-case ids, titles in both languages, a source, a docstring; a check covers only checks that come later."""
    for checks in SCOPES.values():
        for check in checks:
            assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", check.id)
            assert check.title.en
            assert check.title.zh
            assert re.match(r"(rke\.md §|design §)\d", check.source)
            assert check.level in (Level.ERROR, Level.WARNING)
            assert check.rule.__doc__, check.id
            assert [name for name in check.covers if IDS.index(name) <= IDS.index(check.id)] == []


def test_at_least_forty_faults() -> None:
    assert len(FAULTS) >= 40


def test_before_initialise_what_it_sets_up_is_a_warning() -> None:
    for fault in FAULTS:
        check = next(it for checks in SCOPES.values() for it in checks if it.id == fault.check)
        if not check.initialise_mends or fault.level is not Level.ERROR:
            continue
        (message,) = fault.breaks(Scene()).with_context(initialise_follows=True).judge().messages
        assert message.level is Level.WARNING, fault.name
        assert message.remedy.en.startswith("The initialise step will set this up; ")


def test_an_unreachable_machine_says_one_thing_and_the_rest_is_not_run() -> None:
    fault = next(it for it in FAULTS if it.name == "ssh hanging")
    report = fault.breaks(Scene()).judge()
    silent = {item.check for item in report.not_run if item.because == "ssh-reachable"}
    assert silent == {check.id for check in SCOPES["machine"]} - {"ssh-reachable"}
