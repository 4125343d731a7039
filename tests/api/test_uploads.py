"""Uploads are bounded, exact in their parts, never trusted with a name, and gone afterwards."""

from __future__ import annotations

import socket
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import UploadFile

from api.schemas.request import EditFields, NoFields
from api.uploads import Part, Received, Upload

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from api.home import Home

    Problem = Callable[[httpx.Response, int], dict[str, object]]


def _received(name: str | None, data: bytes = b"") -> Received[NoFields]:
    return Received(NoFields(), {"file": UploadFile(BytesIO(data), filename=name)})


@pytest.mark.parametrize(
    ("given_name", "shown"),
    [
        ("take.wav", "take.wav"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\take.wav", "take.wav"),
        ("..", "file"),
        ("a\nb\x00.wav", "ab.wav"),
        (None, "file"),
        ("", "file"),
    ],
)
def test_a_file_name_is_for_people_only(given_name: str | None, shown: str) -> None:
    assert _received(given_name).name("file") == shown


@given(st.text(max_size=300))
def test_a_file_name_is_one_printable_line(name: str) -> None:
    shown = _received(name).name("file")
    assert shown
    assert shown.isprintable()
    assert len(shown) <= 200


def test_files_lie_under_names_of_ours(home: Home) -> None:
    with _received("../../escaped", b"sound").staged(home) as paths:
        assert paths["file"].read_bytes() == b"sound"
        assert paths["file"].name == "file"
        assert paths["file"].parent.parent == home.objects.root / "staging"
    assert not paths["file"].exists()


def test_the_form_describes_itself() -> None:
    form = Upload(EditFields, {"file": "a MIDI file"}, {"policy": Part("a policy", 1000)})
    [content] = form.described["requestBody"]["content"].values()
    assert content["schema"]["required"] == ["file"]
    assert content["schema"]["properties"].keys() == {"file", "policy", "party", "role", "licence"}
    assert content["schema"]["properties"]["policy"]["description"] == "a policy; at most 1000 bytes"


@pytest.mark.parametrize(
    "request_",
    [
        {"files": {}, "data": {"party": "x"}},
        {"files": {"clip": ("a.wav", b"1")}},
        {"files": [("file", ("a.wav", b"1")), ("extra", ("b.wav", b"2"))]},
        {"files": {"file": ("a.wav", b"1")}, "data": {"unknown": "x"}},
        {"files": {"file": (None, b"text without a file name")}},
        {"files": {"file": ("a.mid", b"1")}, "data": {"role": ""}},
        {"files": {"file": ("a.mid", b"1")}, "data": {"role": "C" * 201}},
    ],
)
def test_a_form_with_other_parts(
    everything: httpx.Client, recording_id: str, problem: Problem, request_: dict[str, object]
) -> None:
    if not request_["files"]:
        request_ = {"files": {"party": (None, b"x")}}
    response = everything.post(f"/v1/recordings/{recording_id}/edits", **request_)  # type: ignore[arg-type]
    assert response.status_code in {400, 422}
    problem(response, response.status_code)


@pytest.mark.parametrize("field", ["party", "role"])
def test_a_field_that_is_empty_is_not_left_out(
    everything: httpx.Client, recording_id: str, problem: Problem, field: str
) -> None:
    midi = everything.get(f"/v1/recordings/{recording_id}/midi").content
    for path in ("edits", "edits/drafts"):
        files, data = {"file": ("a.mid", midi)}, {field: ""}
        found = problem(everything.post(f"/v1/recordings/{recording_id}/{path}", files=files, data=data), 422)
        assert field in str(found["detail"])


@pytest.mark.parametrize("second", ["file", "extra"])
def test_a_part_twice_or_unknown(everything: httpx.Client, problem: Problem, second: str) -> None:
    files = [("file", ("a.wav", b"1")), (second, ("b.wav", b"2"))]
    found = problem(everything.post("/v1/verifications", files=files), 422)
    assert "each part once" in str(found["detail"])


@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded", ""])
def test_what_is_no_form(everything: httpx.Client, problem: Problem, kind: str) -> None:
    response = everything.post("/v1/identifications", content=b"{}", headers={"content-type": kind})
    assert "file" in str(problem(response, 415)["detail"])


@pytest.mark.parametrize(
    "body", [b"", b"--x", b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--\r\n", b"no boundary at all"]
)
def test_a_broken_form(everything: httpx.Client, problem: Problem, body: bytes) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x"}
    response = everything.post("/v1/identifications", content=body, headers=headers)
    assert response.status_code in {400, 422}
    problem(response, response.status_code)


def test_a_client_that_goes_away_leaves_nothing(home: Home, everything: httpx.Client) -> None:
    token = everything.headers["authorization"]
    before = home.log.size()
    with socket.create_connection((everything.base_url.host, everything.base_url.port or 80)) as connection:
        head = (
            f"POST /v1/identifications HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n"
            "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 3000000\r\n\r\n"
            '--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
        )
        connection.sendall(head.encode() + b"\0" * 2_000_000)
    assert everything.get("/healthz").json()["log_size"] == before
    assert not list((home.objects.root / "staging").glob("*/file"))
