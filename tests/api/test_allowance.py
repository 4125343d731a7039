"""How much a request may carry, counted as it arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.allowance import MAX_DOCUMENT_BYTES, Allowance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from api.home import Home

Problem = "Callable[[httpx.Response, int], dict[str, object]]"


def test_it_counts_to_the_last_byte() -> None:
    allowance = Allowance(0)
    allowance.spend(MAX_DOCUMENT_BYTES)
    with pytest.raises(Exception, match=str(MAX_DOCUMENT_BYTES)):
        allowance.spend(1)


def test_a_declared_length_counts_from_the_first_byte() -> None:
    Allowance(MAX_DOCUMENT_BYTES).spend(1)
    with pytest.raises(Exception, match=str(MAX_DOCUMENT_BYTES)):
        Allowance(MAX_DOCUMENT_BYTES + 1).spend(1)


def test_a_document_of_one_megabyte(everything: httpx.Client, problem: Problem) -> None:
    found = problem(everything.post("/v1/generations", json={"prompt": "slow " * 200_000}), 413)
    assert str(MAX_DOCUMENT_BYTES) in str(found["detail"])


def test_a_document_whose_length_is_not_told(everything: httpx.Client, problem: Problem) -> None:
    def pieces() -> Iterator[bytes]:
        yield b'{"prompt": "'
        for _ in range(100):
            yield b"slow " * 1000

    headers = {"content-type": "application/json"}
    problem(everything.post("/v1/generations", content=pieces(), headers=headers), 413)


def test_an_upload_that_is_too_large(home: Home, everything: httpx.Client, problem: Problem) -> None:
    files = {"file": ("big.wav", b"\0" * (home.settings.max_upload_bytes + 1))}
    found = problem(everything.post("/v1/identifications", files=files), 413)
    assert str(home.settings.max_upload_bytes) in str(found["detail"])


def test_nothing_is_read_for_a_token_that_may_not_upload(
    home: Home, client: Callable[..., httpx.Client], problem: Problem
) -> None:
    files = {"file": ("big.wav", b"\0" * (home.settings.max_upload_bytes + 1))}
    problem(client("audit").post("/v1/identifications", files=files), 403)
