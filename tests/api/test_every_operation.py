"""Every value of every operation, those included that will be added: what is unusable is a problem document.

The operations and their values are read from the description that the service gives of itself. Nothing that is sent
may be a defect of the service (500); the fixtures look whether the ledger is whole in the end.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from api.app import create_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import httpx

ANSWERS = {200, 201, 202, 206, 304}
REFUSALS = {400, 401, 404, 405, 413, 415, 416, 422, 431}
BOUNDARY = "linernotes"
UNKNOWN = "01a1f8a9-e7bd-7c3b-a0fa-000000000000"

GIVEN = {"create_generation": {"bits": 17}}
"""Refused late, so that nothing needs to be composed."""
NO_TEXT = ("J\ud800", "a\x00b", "\x1b[2J", "\x9b31m", "\x85", "\x7f", "abc\u202egpj", "\u2066abc")
ODD_TEXT = ("", "   ", "nan", "-1", "🎻", "\u0301", "a\nb", "%00", "{0}", "../../x", "*", "9" * 30)
NO_NUMBER = ("9" * 30, "-" + "9" * 30, "nan", "1e400", "x", "", " ", "0x10", "\x00")
NO_JSON_NUMBER = (10**30, -(10**30), 2**63, 1.5, 1e308, float("nan"), float("inf"), "1", "", True, [], {}, [[]])
NO_JSON_TEXT = (10**30, 1.5, float("nan"), True, [], {}, ["a"], {"a": "b"}, "x" * 60_000)
HEADERS = {
    "range": ("bytes=" + "9" * 400 + "-", "bytes=-", "bytes=5-1", "lines=1-2", "bytes=0-0,2-2", "bytes=\xb2-"),
    "if-none-match": ('"' + "x" * 5000 + '"', "*", "W/", "\xff\xfe", '"\x80"'),
    "idempotency-key": ("\x9b31m", "x" * 256, "\xff", "x" * 5000),
    "authorization": ("Bearer \xff", "Bearer " + "x" * 5000, "Basic \x80", "Bearer"),
    "content-type": (
        "multipart/form-data",
        "multipart/form-data; boundary=" + "x" * 300,
        "text/plain",
        "application/json; x",
    ),
    "accept-encoding": ("\xff", "gzip;q=x"),
}


@dataclass(frozen=True)
class Operation:
    """An operation, as the service describes it."""

    name: str
    method: str
    path: str
    values: tuple[tuple[str, str, str], ...]
    """Where each stands (path, query or header), its name and its type."""
    example: Mapping[str, object] | None
    fields: tuple[tuple[str, str], ...]
    parts: tuple[str, ...]

    def address(self, recording_id: str, odd: str = "", text: str = "") -> str:
        """The address with usual values, except for one."""
        filled = self.path
        for where, name, kind in self.values:
            if where == "path":
                usual = recording_id if name == "recording_id" else UNKNOWN if kind == "string" else "0"
                filled = filled.replace(f"{{{name}}}", text if name == odd else usual)
        return filled

    def body(self) -> dict[str, Any]:
        """A request body with usual values."""
        if self.parts:
            return {"files": dict.fromkeys(self.parts, ("file", b"x"))}
        if self.example is not None:
            return {"json": {**self.example, **GIVEN.get(self.name, {})}}
        return {}


def operations() -> Iterator[Operation]:
    document = create_app(None).openapi()  # type: ignore[arg-type]  # a description needs no home
    for path, methods in document["paths"].items():
        for method, each in methods.items():
            values = tuple((p["in"], p["name"], kind_of(p["schema"])) for p in each.get("parameters", ()))
            content = each.get("requestBody", {}).get("content", {})
            form = content.get("multipart/form-data", {}).get("schema", {})
            whole = content.get("application/json", {})
            schema = document["components"]["schemas"].get(
                whole.get("schema", {}).get("$ref", "").rpartition("/")[2], {}
            )
            examples = [example["value"] for example in whole.get("examples", {}).values()]
            properties = {**schema.get("properties", {}), **form.get("properties", {})}
            yield Operation(
                each["operationId"],
                method,
                path,
                values,
                examples[0] if examples else None,
                tuple((name, kind_of(field)) for name, field in properties.items() if field.get("format") != "binary"),
                tuple(name for name in form.get("required", ()) if properties[name].get("format") == "binary"),
            )


def kind_of(schema: Mapping[str, Any]) -> str:
    kinds = {each.get("type") for each in (schema, *schema.get("anyOf", ()))} - {None, "null"}
    return str(next(iter(kinds), "string"))


ALL = tuple(operations())


def escaped(text: str) -> str:
    """Every byte as it can stand in an address; half a character as no UTF-8."""
    return "".join(f"%{byte:02x}" for byte in text.encode("utf-8", "surrogatepass"))


@pytest.fixture
def ask(client: Callable[..., httpx.Client]) -> Callable[..., httpx.Response]:
    """Send a request; whatever it was, the answer is one, or a problem document."""

    def send(operation: Operation, url: str, **arguments: Any) -> httpx.Response:
        response = client("admin").request(operation.method, url, **arguments)
        shown = (operation.name, url[:200], {name: str(value)[:200] for name, value in arguments.items()})
        assert response.status_code in ANSWERS | REFUSALS, (shown, response.text[:500])
        if response.status_code in REFUSALS:
            is_problem = response.headers.get("content-type") == "application/problem+json"
            by_server = (
                response.headers.get("content-type", "").startswith("text/plain") and response.status_code == 400
            )
            assert is_problem or by_server, (shown, response.text[:500])
            assert len(response.content) < 5000, shown
        return response

    return send


def must_refuse(response: httpx.Response, *what: object) -> None:
    assert response.status_code in {404, 422}, (what, response.status_code, response.text[:300])


@pytest.mark.parametrize("operation", [each for each in ALL if each.values], ids=lambda each: each.name)
def test_what_stands_in_the_address(
    ask: Callable[..., httpx.Response], recording_id: str, operation: Operation
) -> None:
    for where, name, kind in operation.values:
        if where == "header":
            continue
        for text in NO_TEXT if kind == "string" else NO_NUMBER:
            part = escaped(text)
            url = operation.address(recording_id, name, part) + (f"?{name}={part}" if where == "query" else "")
            response = ask(operation, url, **operation.body())
            if "\ud800" not in text:  # bytes that are not UTF-8 are read as U+FFFD
                must_refuse(response, operation.name, name, text)
        for text in ODD_TEXT:
            part = escaped(text)
            ask(
                operation,
                operation.address(UNKNOWN, name, part) + (f"?{name}={part}" if where == "query" else ""),
                **operation.body(),
            )


@pytest.mark.parametrize("operation", [each for each in ALL if each.example], ids=lambda each: each.name)
def test_what_stands_in_a_document(ask: Callable[..., httpx.Response], recording_id: str, operation: Operation) -> None:
    url, usual = operation.address(recording_id), operation.body()["json"]
    headers = {"content-type": "application/json"}
    for name, kind in operation.fields:
        for value in (*NO_TEXT, *NO_JSON_TEXT) if kind == "string" else NO_JSON_NUMBER:
            body = json.dumps({**usual, name: value})
            must_refuse(ask(operation, url, content=body, headers=headers), operation.name, name, value)
        for text in ODD_TEXT:
            ask(operation, url, json={**usual, name: text})
    for body in (b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"\\ud800": 1}', b"[" * 60_000, b"{}" * 40_000):
        assert ask(operation, url, content=body, headers=headers).status_code in REFUSALS, body[:20]


@pytest.mark.parametrize("operation", [each for each in ALL if each.parts], ids=lambda each: each.name)
def test_what_stands_in_a_form(ask: Callable[..., httpx.Response], recording_id: str, operation: Operation) -> None:
    url = operation.address(recording_id)
    for name, _ in operation.fields:
        for text in NO_TEXT:
            data = text.encode("utf-8", "surrogatepass")
            response = ask(operation, url, **form((name, None, data), *((part, "x", b"x") for part in operation.parts)))
            assert response.status_code in {400, 422}, (operation.name, name, text)
        for text in (*ODD_TEXT, "x" * 20_000):
            ask(operation, url, **form((name, None, text.encode()), *((part, "x", b"x") for part in operation.parts)))
    for part in operation.parts:
        for filename in (
            "\x00",
            "../../etc/passwd",
            "x" * 5000,
            "\u202egpj.wav",
            "\x1b[2J.wav",
            "a\ud800.wav",
            " ",
            ".",
        ):
            response = ask(operation, url, **form((part, filename, b"x")))
            assert not any(char in response.text for char in "\x00\x1b\u202e"), (operation.name, filename)
        for data in (b"", b"\x00" * 1000, b"RIFF", b"PK\x03\x04", b"fLaC", b"ID3", b"\xff\xfb\x90\x00" * 9, b"MThd"):
            ask(operation, url, **form((part, "x", data)))
    for content in (b"", b"--", f"--{BOUNDARY}--".encode(), f"--{BOUNDARY}\r\n\r\n".encode(), b"\xff" * 100):
        headers = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
        assert ask(operation, url, content=content, headers=headers).status_code in REFUSALS


@pytest.mark.parametrize("operation", ALL, ids=lambda each: each.name)
def test_what_stands_in_a_header(ask: Callable[..., httpx.Response], recording_id: str, operation: Operation) -> None:
    files = operation.path.endswith(("/audio", "/midi"))
    url, body = operation.address(recording_id if files else UNKNOWN), operation.body()
    for name, values in HEADERS.items():
        for value in values:
            ask(operation, url, headers={name: value.encode("latin-1")}, **body)


def test_the_operations_are_found() -> None:
    found = {operation.name: operation for operation in ALL}
    assert ("query", "composer", "string") in found["audit_membership"].values
    assert ("path", "recording_id", "string") in found["read_recording"].values
    assert ("header", "idempotency-key", "string") in found["create_generation"].values
    assert found["create_party"].example
    assert ("name", "string") in found["create_party"].fields
    assert ("seed", "integer") in found["create_generation"].fields
    assert found["create_edit"].parts == ("file",)
    assert ("party", "string") in found["create_edit"].fields


def form(*parts: tuple[str, str | None, bytes]) -> dict[str, Any]:
    """A form as no library would write it (RFC 7578)."""
    pieces = []
    for name, filename, data in parts:
        named = "" if filename is None else f'; filename="{filename}"'
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'
        pieces.append(head.encode("utf-8", "surrogatepass") + data + b"\r\n")
    content = b"".join(pieces) + f"--{BOUNDARY}--\r\n".encode()
    return {"content": content, "headers": {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}}
