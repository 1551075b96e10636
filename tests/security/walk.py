"""Walks through the described api as one role: requests that follow from each other's answers, well-formed and not.

Each answer must be as described, each refusal a problem+json, nothing may break, and what a role may not do must not
succeed. The seed repeats a walk.
"""

from __future__ import annotations

import contextlib
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from hypothesis.errors import FlakyStrategyDefinition
from hypothesis.reporting import with_reporter
from hypothesis.stateful import get_state_machine_test
from schemathesis import GenerationMode
from schemathesis.checks import response_schema_conformance, status_code_conformance
from schemathesis.core.failures import FailureGroup

from autorke.users.access import Role
from autorke.web import sse
from autorke.web.problems import MEDIA_TYPE
from tests.api import Api
from tests.streams import UntilIdle
from tests.test_roles import ACCESS, EVERYWHERE, FORBIDDEN_TO_TOKENS, PUBLIC, SIGNED_IN

Who = Role | Literal["anonymous"]
WHO: tuple[Who, ...] = ("anonymous", "viewer", "auditor", "network-admin", "requester", "approver", "admin")
"""In an order in which those who change most come last."""
OUTSIDE = frozenset({502, 503, 504})
"""A machine, a cluster or a CMDB that is not there is told as what it is."""
MOST_PARTS = 40
CHECKS = [status_code_conformance, response_schema_conformance]


@dataclass
class Walk:
    """What came of it. `failures` are texts that name the operation, each once."""

    who: Who
    seed: int
    requests: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    operations: set[str] = field(default_factory=set)
    succeeded: set[str] = field(default_factory=set)
    failures: set[str] = field(default_factory=set)

    def note(self, case: Any, response: Any) -> None:
        """Judge one answer."""
        label, status = f"{case.method.upper()} {case.operation.path}", response.status_code
        self.requests += 1
        self.statuses[status] += 1
        self.operations.add(label)
        kind = response.headers.get("content-type", [""])[0]
        if status >= 500 and not (status in OUTSIDE and kind.startswith(MEDIA_TYPE)):
            self.failures.add(f"{label}: {status}: {response.text[:300]}")
        if status >= 400 and not kind.startswith(MEDIA_TYPE):
            self.failures.add(f"{label}: {status} is no problem+json: {kind}")
        if status < 400:
            self.succeeded.add(label)
            if not may(self.who, label):
                self.failures.add(f"{label}: {status}, which {self.who} may not")
        streams = kind.startswith("text/event-stream")  # described as text, which is all that OpenAPI can say of it
        try:
            case.validate_response(response, checks=CHECKS[:1] if streams else CHECKS)
        except FailureGroup as group:
            self.failures.update(f"{label}: {failure}"[:600] for failure in group.exceptions)


def may(who: Who, label: str) -> bool:
    """As tests/test_roles.py has it; the caller is a token, which may not do all that a session may."""
    row = ACCESS[label]
    if row == PUBLIC or who == "anonymous":
        return row == PUBLIC
    if label in FORBIDDEN_TO_TOKENS:
        return False
    return row == SIGNED_IN or who in row.removeprefix(EVERYWHERE).split()


def walk(api: Api, who: Who, *, seed: int, requests: int, steps: int = 15) -> Walk:
    """Walks of up to `steps` requests each, until there were about as many `requests`."""
    done = Walk(who, seed)
    walks = max(2, requests // steps)
    headers: dict[str, str] = {}
    schema = schemathesis.openapi.from_dict(api.app.openapi())
    schema.app = api.app

    class Machine(schema.as_state_machine()):  # type: ignore[misc]
        def setup(self) -> None:
            """Somebody new for each walk: the one before may have revoked his own token."""
            if who != "anonymous":
                headers.update(api.caller(who).headers)

        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"headers": headers}

        def validate_response(self, response: Any, case: Any, *_: Any, **__: Any) -> None:
            done.note(case, response)

    limits = hypothesis.settings(
        max_examples=walks,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    with no_outside(), with_reporter(lambda _: None):
        for part in range(MOST_PARTS):
            # the same walk again may meet another answer: what it wrote before is there
            with contextlib.suppress(FlakyStrategyDefinition):
                hypothesis.seed(seed + part)(get_state_machine_test(Machine, settings=limits))()
            if done.requests >= requests:
                break
        for result in schema.get_all_operations():
            operation = result.ok()
            if f"{operation.method.upper()} {operation.path}" not in done.operations:
                _alone(operation, headers, done, max(1, requests // 100))
    return done


def _alone(operation: Any, headers: dict[str, str], done: Walk, examples: int) -> None:
    """Some requests for an operation to which no answer leads, well-formed and not."""

    @hypothesis.seed(done.seed)
    @hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(case=st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in GenerationMode)))
    def ask(case: Any) -> None:
        done.note(case, case.call(headers=headers))

    ask()


@contextmanager
def no_outside() -> Iterator[None]:
    """Addresses that somebody made up are not called; streams end at once."""

    def nowhere(*_: Any, **__: Any) -> Any:
        raise OSError("no network in this test")

    with pytest.MonkeyPatch.context() as change:
        change.setattr(socket, "getaddrinfo", nowhere)
        change.setattr(socket, "create_connection", nowhere)
        change.setattr(sse, "ROTATE", UntilIdle())
        yield
