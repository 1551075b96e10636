"""The API description: complete, true, and what it allows never breaks the api."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from fastapi import APIRouter
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error, response_schema_conformance, status_code_conformance
from schemathesis.core.failures import FailureGroup

from autorke.users.access import Role
from autorke.users.schemas import Me
from autorke.web import openapi
from tests.api import V1, Api, secret_key  # noqa: F401
from tests.api import api as api

EXAMPLES = {"admin": 10, "viewer": 3}  # a viewer is mostly stopped at the door

NOT_FUZZED = {
    # An event stream does not end; tests/web/test_sse.py and the tests of tickets and users read them.
    "/api/v1/tickets/{ticket_id}/stream",
    "/api/v1/stream",
    # Would call whatever address was made up; its answer to one that is not there is an honest 502.
    "/api/v1/cmdb/preview",
}


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield method, path, operation


def _document(api: Api) -> dict[str, Any]:
    answer = api.anonymous.get(f"{V1}/openapi.json")
    assert answer.status_code == 200
    document: dict[str, Any] = answer.json()
    return document


def test_every_operation_says_what_it_does_and_how_it_refuses(api: Api) -> None:
    document = _document(api)
    names = [operation["operationId"] for _, _, operation in _operations(document)]
    assert len(names) == len(set(names))
    for method, path, operation in _operations(document):
        where = f"{method} {path}"
        assert operation.get("description") or operation.get("summary"), where
        assert operation["tags"], where
        refusal = operation["responses"]["4XX"]["content"]
        assert refusal["application/problem+json"]["schema"]["$ref"].endswith("/Problem"), where
        assert "422" not in operation["responses"], where


def test_nothing_refers_to_a_missing_schema(api: Api) -> None:
    document = _document(api)

    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            yield from (inner for key, inner in value.items() if key == "$ref" and isinstance(inner, str))
            for inner in value.values():
                yield from references(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from references(inner)

    wanted = {reference.removeprefix("#/components/schemas/") for reference in references(document)}
    assert wanted <= set(document["components"]["schemas"])
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_examples_are_there_for_what_people_send_first(api: Api) -> None:
    schemas = _document(api)["components"]["schemas"]
    for name in ("LogIn", "UserIn", "BindingIn", "TokenIn", "CredentialIn"):
        assert schemas[name]["examples"], name


def test_examples_are_accepted(api: Api) -> None:
    """An example that the api refuses is worse than none."""
    schemas = _document(api)["components"]["schemas"]
    admin = api.caller("admin")
    for path, name in (("users", "UserIn"), ("credentials", "CredentialIn")):
        for example in schemas[name]["examples"]:
            answer = admin.post(f"{V1}/{path}", json=example)
            assert answer.status_code == 201, answer.text


def test_an_unknown_query_parameter_is_refused_by_every_operation(api: Api) -> None:
    """`?filtr=…` must not quietly show everything."""
    admin = api.caller("admin")
    for method, path, operation in _operations(_document(api)):
        if operation.get("x-any-query"):  # an outside system calls it, with whatever it likes to add
            continue
        answer = admin.request(method, path.replace("{", "").replace("}", ""), params={"filtr": "x"})
        assert (answer.status_code, answer.json()["code"]) == (422, "unknown-parameter"), f"{method} {path}"
        assert answer.json()["field"] == "filtr"


def _fuzz_all(api: Api, role: Role) -> list[str]:
    """What went wrong, over all operations."""
    headers = dict(api.caller(role, name="fuzzer").headers)
    schema = schemathesis.openapi.from_dict(_document(api))
    schema.app = api.app
    problems: list[str] = []
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path not in NOT_FUZZED:
            _fuzz(operation, headers, problems, EXAMPLES[role])
    return problems


@pytest.mark.timeout(900)
@pytest.mark.parametrize("role", list(EXAMPLES))
def test_no_request_that_can_be_made_up_breaks_the_api(api: Api, role: Role) -> None:
    """Well-formed and malformed requests for every operation: never a 5xx, and answers are as described."""
    problems = _fuzz_all(api, role)
    assert not problems, "\n\n".join(problems[:5])


def test_the_test_above_would_notice(api: Api) -> None:
    """Two faults on purpose: an answer that is not as described, and a value that breaks a route."""
    odd = APIRouter()

    @odd.get("/odd", response_model=None, responses={200: {"model": Me}})
    def wrong_shape() -> dict[str, int]:
        return {"name": 1}

    @odd.get("/breaks")
    def breaks(number: int) -> float:
        return 1 / (number - number)

    api.app.router.routes.clear()
    api.app.include_router(odd)
    openapi.install(api.app)
    schema = schemathesis.openapi.from_dict(api.app.openapi())
    schema.app = api.app
    problems: list[str] = []
    for result in schema.get_all_operations():
        _fuzz(result.ok(), {}, problems, 5)
    assert {problem.split(":")[0] for problem in problems} == {"GET /odd", "GET /breaks"}


def _fuzz(operation: Any, headers: dict[str, str], problems: list[str], examples: int) -> None:
    checks = (not_a_server_error, status_code_conformance, response_schema_conformance)

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in GenerationMode)))
    def run(case: Any) -> None:
        response = case.call(headers=headers)
        try:
            case.validate_response(response, checks=list(checks))
        except FailureGroup as group:
            problems.extend(f"{operation.label}: {failure}" for failure in group.exceptions)

    run()
