"""A released flow never changes under its version: its data is compared with a golden file (P17, engine.md §3.8)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autorke.flows.wiring import FLOWS
from autorke.workflow.definition import Effect, Flow, Policy, find_handler
from autorke.workflow.gates import gates_of

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_a_changed_flow_gets_a_new_version(flow: Flow) -> None:
    path = GOLDEN / f"{flow.name}@{flow.version}.json"
    text = json.dumps(flow.snapshot(), ensure_ascii=False, indent=2, sort_keys=True) + "\n"
    assert path.read_text() == text, f"{flow.name}: raise its version and add {path.name} beside the old one"


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_every_released_handler_is_still_carried(path: Path) -> None:
    for step in json.loads(path.read_text())["steps"]:
        assert find_handler(step["handler"]) is not None, step["handler"]


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_every_text_is_in_both_languages(flow: Flow) -> None:
    for step in flow.steps:
        assert all((step.title.zh, step.title.en, step.does.zh, step.does.en)), step.key


@pytest.mark.parametrize("policy", list(Policy))
@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_no_policy_lets_a_dangerous_step_pass_unsigned(flow: Flow, policy: Policy) -> None:
    effects = [step.effect for step in flow.steps]
    for index, effect in enumerate(effects):
        if effect is Effect.DANGEROUS:
            assert gates_of(policy, effects, index) == (True, True)
