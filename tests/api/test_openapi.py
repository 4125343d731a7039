"""The description of the interface is whole, and its examples are what it describes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from api.app import create_app
from api.examples import GENERATION_ASKED
from api.openapi import asked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from api.home import Home

ERROR = 400


@pytest.fixture(scope="module")
def document(home: Home) -> dict[str, Any]:
    return create_app(home).openapi()


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def _examples(content: dict[str, Any]) -> list[Any]:
    return [content["example"]] if "example" in content else [e["value"] for e in content.get("examples", {}).values()]


def _check(document: dict[str, Any], schema: dict[str, Any], example: object) -> None:
    Draft202012Validator({**schema, "components": document["components"]}).validate(example)


def test_it_is_served(document: dict[str, Any], client: Callable[..., httpx.Client]) -> None:
    assert client().get("/openapi.json").json() == document


def test_every_answer_has_an_example_of_its_schema(document: dict[str, Any]) -> None:
    for name, operation in _operations(document):
        found = 0
        for status, response in operation["responses"].items():
            for content in response.get("content", {}).values():
                examples = _examples(content)
                assert examples, f"{name} {status}"
                found += int(status) < ERROR
                for example in examples:
                    _check(document, content["schema"], example)
        assert found, name


def test_every_request_body_has_an_example_of_its_schema(document: dict[str, Any]) -> None:
    for name, operation in _operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            examples = _examples(content)
            assert examples, name
            for example in examples:
                _check(document, content["schema"], example)


def test_problems_are_problem_documents(document: dict[str, Any]) -> None:
    for name, operation in _operations(document):
        problems = {status: r for status, r in operation["responses"].items() if int(status) >= ERROR}
        assert {"422", "503"} <= problems.keys(), name
        assert ("security" not in operation) or {"401", "403"} <= problems.keys(), name
        for status, response in problems.items():
            assert response["content"].keys() == {"application/problem+json"}, f"{name} {status}"
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_every_operation_is_named_and_explained(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation in _operations(document)]
    assert len(names) == len(set(names))
    tags = {tag["name"] for tag in document["tags"]}
    for name, operation in _operations(document):
        assert operation["description"], name
        assert set(operation["tags"]) <= tags, name


def test_unknown_keys_are_refused_by_the_description(document: dict[str, Any]) -> None:
    for name, operation in _operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            schema = content["schema"]
            if "$ref" in schema:
                schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
            assert schema["additionalProperties"] is False, name


def test_an_example_shows_what_one_has_to_write() -> None:
    assert asked(GENERATION_ASKED) == {
        "typical": {"value": {"prompt": "a calm adagio in D minor", "seconds": 30, "seed": 7}}
    }
