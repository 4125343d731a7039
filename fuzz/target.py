"""What a parser of outside bytes promises: it takes or refuses them, soon, in little room, with its own errors."""

from __future__ import annotations

import base64
import io
import os
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

KIBIBYTE = 1024
MEBIBYTE = 1024**2
T = TypeVar("T")


class BrokenPromiseError(AssertionError):
    """A parser took an input and made something else of it than it stands for."""


@dataclass(frozen=True, slots=True)
class Target:
    """A parser, or several that read the same bytes.

    Attributes:
        name: Package and subject, such as ``ledger.note``.
        parse: Reads an input; what it returns is not looked at.
        refusals: The errors that it may raise; any other is a defect.
        seeds: Gives inputs to begin with, most of them sound.
        covers: The functions that ``parse`` is about; the test of completeness goes by them.
        words: What inputs are made of, for mutations.
        max_bytes: Longest input.
        max_memory: Bytes of Python objects that reading one input may take at most.
        costly: Whether one input takes milliseconds, so that only few are tried in the tests.
    """

    name: str
    parse: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...]
    seeds: Callable[[], Sequence[bytes]]
    covers: tuple[Callable[..., object], ...]
    words: tuple[bytes, ...] = ()
    max_bytes: int = 64 * KIBIBYTE
    max_memory: int = 64 * MEBIBYTE
    costly: bool = False

    def takes(self, data: bytes) -> bool:
        """Give an input to the parser, and tell whether it was taken or refused; anything else is raised."""
        try:
            self.parse(data[: self.max_bytes])
        except self.refusals as refusal:
            require(str(refusal).strip() != "", "A refusal says nothing.")
            return False
        return True


def require(holds: bool, promise: str) -> None:  # noqa: FBT001 - it reads as a sentence
    """Hold a parser to a promise of its own, such as that what it reads is written as it was.

    Raises:
        BrokenPromiseError: It was not kept.
    """
    if not holds:
        raise BrokenPromiseError(promise)


def faithful(read: Callable[[bytes], T], write: Callable[[T], bytes]) -> Callable[[bytes], None]:
    """Return a reading after which writing has to give the same bytes: nothing has two forms."""

    def parse(data: bytes) -> None:
        require(write(read(data)) == data, "What was read is not written as it was.")

    return parse


def pem_of(der: bytes, label: str) -> bytes:
    """DER in PEM (RFC 7468): so that mutations change what is in it, and not its base64 alone."""
    mark = label.encode()
    return b"-----BEGIN %s-----\n%s-----END %s-----\n" % (mark, base64.encodebytes(der), mark)


def text_of(data: bytes) -> str:
    """An argument, a member or a header as this program gets it: octets that are no UTF-8 are half characters."""
    return data.decode("utf-8", "surrogateescape")


def stream_of(data: bytes) -> BinaryIO:
    """A file that is open: it refuses what a file refuses, and `BytesIO` would do."""
    return io.BufferedReader(io.BytesIO(data))


def file_of(data: bytes, name: str = "input", mode: int = 0o600) -> Path:
    """A file with these bytes; the next one of that name takes its place."""
    path = folder() / name
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    return path


@cache
def folder() -> Path:
    """The folder of this process for files, removed when it ends."""
    return Path(_made().name)


@cache
def _made() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="linernotes-fuzz-", ignore_cleanup_errors=True)
