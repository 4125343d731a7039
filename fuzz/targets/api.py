"""What requests, settings, and what travels in packages are read by."""

from __future__ import annotations

import asyncio
import logging
import os
import warnings
from contextlib import aclosing
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import rfc8785
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError
from starlette.exceptions import HTTPException

from api.allowance import Allowance
from api.closure import closure_document, closure_from_document
from api.cursor import cursor, place
from api.errors import UsageError
from api.ranges import RangeError, is_fresh, requested_span
from api.rights import decided_again
from api.schemas.request import CheckAsked, EditFields, ErasureAsked, GenerationAsked, PartyAsked, Words
from api.settings import FILE, load_settings
from api.signing import Handed
from api.uploads import Part, Upload
from fuzz.target import Target, file_of, folder, require, text_of
from fuzz.targets.provenance import entries, statements
from generator.errors import RequestError
from generator.request import GenerationRequest
from licensing.closure import Closure, Contribution, Corpus, CorpusItem, Edge, Generation, Model, Recording
from licensing.errors import LicensingError
from licensing.policy import shipped_policy
from licensing.question import parse_question
from licensing.terms import shipped_table
from licensing.verdict import decide
from provenance.errors import AdmissionError, TextError
from provenance.identity import digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import Message

_NOW = "2026-11-20T10:31:45Z"
_SIZE = 1000
_LONGEST_FILE = 8_192
_SETTINGS = b'device = "cpu"\nlog_origin = "example.org/log"\npublish_interval = 0.5\nmax_upload_bytes = 1000\n'
_TOML_WORDS = (b"[a]\n", b"a = ", b"home = ", b"device = ", b"'''", b"2026-13-40", b"inf", b"{", b"[")
_JSON_WORDS = (
    b'"use":',
    b'"verdict":',
    b'"question":',
    b'"policy_version":',
    b'"licence":',
    b'"kind":"file"',
    b"1.5",
    b"null",
)
_FORM = "multipart/form-data; boundary=xyz"
_FORM_WORDS = (
    *(b"--xyz\r\n", b"--xyz--\r\n", b"\r\n\r\n", b'Content-Disposition: form-data; name="role"\r\n'),
    *(
        b"Content-Transfer-Encoding: base64\r\n",
        b"filename*=UTF-8''a",
        b'filename="../a"',
        b"Content-Type: text/plain; charset=x",
    ),
)
_ASKED = (GenerationAsked, CheckAsked, PartyAsked, ErasureAsked)
_CLOSURE = Closure(
    root="r2",
    nodes=(
        Recording("r1", _NOW),
        Recording("r2", _NOW),
        Generation("g", _NOW),
        Model("m", "quartet-1", "CC0-1.0", "CC0-1.0"),
        Corpus("c", "Quartets", (CorpusItem("i", "Quartet", "Haydn", 1732, 1809, "CC0-1.0", None),)),
        Contribution("e", "party-1", "Composer", licence="CC-BY-4.0 AND (MIT OR LicenseRef-a)"),
    ),
    edges=(Edge("r1", "g"), Edge("g", "m"), Edge("m", "c"), Edge("r2", "r1"), Edge("r2", "e")),
    ledger_size=7,
    ledger_root=digest(b"root"),
)

logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it warns of every form that is none


def _cursor(data: bytes) -> None:
    text = text_of(data)
    require(cursor(place(text)) == text, "A cursor is not written as it was.")


def _header(data: bytes) -> None:
    """A header is Latin-1 (RFC 9110, section 5.5)."""
    text = data.decode("latin-1")
    is_fresh(text, '"tag"')
    span = requested_span(text, _SIZE)
    require(span is None or 0 <= span.start < span.stop <= _SIZE, "A part lies beyond its file.")


def _settings(data: bytes) -> None:
    file_of(data, FILE)
    with patch.dict(os.environ, {"LINERNOTES_HOME": str(folder())}, clear=True):
        require(load_settings().home == folder(), "The settings of a home are those of another one.")


def _handed(data: bytes) -> None:
    handed = Handed.read(file_of(data, "handed"))
    for _, text in handed.rows():
        require(text.isprintable(), "What is shown is not all that is signed.")


def _asked(data: bytes) -> None:
    for model in _ASKED:
        try:
            asked = model.model_validate_json(data)
        except ValidationError:
            continue
        if isinstance(asked, GenerationAsked):
            GenerationRequest(**{**asked.model_dump(exclude={"model"}, by_alias=True), "seed": asked.seed or 0})


def _words(data: bytes) -> None:
    """A header or a part of a query."""
    TypeAdapter(Words).validate_python(text_of(data))


class _FormError(Exception):
    """A form that is answered with a refusal."""


def _form(data: bytes) -> None:
    refused = ""
    with warnings.catch_warnings():
        # A part that never ends is closed when nobody has it any more, which is here.
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            asyncio.run(_received(data))
        except (HTTPException, RequestValidationError) as refusal:
            refused = str(refusal)
    if refused:
        raise _FormError(refused)


async def _received(data: bytes) -> None:
    async def receive() -> Message:
        return {"type": "http.request", "body": data, "more_body": False}

    headers = [(b"content-type", _FORM.encode()), (b"content-length", str(len(data)).encode())]
    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "headers": headers,
        "linernotes.allowance": Allowance(len(data)),
    }
    scope["app"] = None  # so that what is malformed is answered, as in a service
    upload = Upload(EditFields, {"file": "a MIDI file"}, {"policy": Part("a policy", 64 * 1024)})
    service: Any = SimpleNamespace(home=SimpleNamespace(settings=SimpleNamespace(max_upload_bytes=10**6)))
    async with aclosing(upload(Request(scope, receive), service)) as parts:  # type: ignore[type-var] # it is a generator
        async for received in parts:
            require("/" not in received.name("file"), "A name of a client's is a path.")


def _forms() -> list[bytes]:
    part = b'--xyz\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
    file = part % (b"file", b'; filename="a.mid"\r\nContent-Type: audio/midi', b"MThd")
    return [file + part % (b"role", b"", b"Arranger") + b"--xyz--\r\n", file + b"--xyz--\r\n"]


def _closure(data: bytes) -> None:
    closure = closure_from_document(data)
    again = closure_from_document(rfc8785.dumps(closure_document(closure)))
    require(again == closure, "A lineage is not read as it was written.")
    decided_again(data, _verdict())


def _decided(data: bytes) -> None:
    decided_again(_facts(), data)


@cache
def _facts() -> bytes:
    return rfc8785.dumps(closure_document(_CLOSURE))


@cache
def _verdict() -> bytes:
    question = parse_question("sync", "DE", None, _NOW)
    return decide(_CLOSURE, question, shipped_table(), shipped_policy()).to_bytes()


TARGETS: Sequence[Target] = (
    Target("api.cursor", _cursor, (UsageError,), lambda: [cursor(7).encode(), cursor(10**17).encode()], (place,)),
    Target(
        "api.header",
        _header,
        (RangeError,),
        lambda: [b"bytes=0-99", b"bytes=-5", b"bytes = 7-", b'W/"tag", "other"', b"*"],
        (),
        (b"bytes=", b"-", b'"', b"W/"),
    ),
    Target(
        "api.settings",
        _settings,
        (UsageError, TextError),
        lambda: [_SETTINGS, b""],
        (load_settings,),
        _TOML_WORDS,
        _LONGEST_FILE,
    ),
    Target(
        "api.handed",
        _handed,
        (UsageError, AdmissionError),
        lambda: [*statements(), *entries()],
        (Handed.read,),
        (b'"payloadType":', b"\\u202e", "\u202e".encode()),
        70_000,
    ),
    Target(
        "api.request",
        _asked,
        (RequestError,),
        lambda: [
            b'{"prompt":"a busy allegro","seed":7,"bars":8,"key":"D minor","register":"high"}',
            b'{"use":"sync","territory":"DE","date":"2026-12-24"}',
            b'{"name":"Ada","isni":"0000000121032683"}',
            b'{"name":"r","fields":["prompt"]}',
        ],
        (),
        (b'"seconds":', b'"tempo":', b'"metre":"3/4"', b"1e5", b"true"),
    ),
    Target(
        "api.words",
        _words,
        (ValidationError,),
        lambda: [b"a key of idempotency", b"\xc3\xa9"],
        (),
        ("\u202e".encode(), b"\x1b[2J"),
    ),
    Target("api.form", _form, (_FormError,), _forms, (), _FORM_WORDS),
    Target(
        "api.closure", _closure, (ValueError, LicensingError), lambda: [_facts()], (closure_from_document,), _JSON_WORDS
    ),
    Target("api.verdict", _decided, (), lambda: [_verdict()], (), _JSON_WORDS),
)
