import contextlib
import json
from collections.abc import Iterator

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.disclosure import commit
from provenance.errors import StatementError
from provenance.identity import Digest, digest, new_id
from provenance.kind import PREDICATES
from provenance.recording_predicate import RenditionPredicate
from provenance.source_predicate import PartyPredicate
from provenance.statement import STATEMENT_TYPE, Statement, Subject, header, parse
from tests.provenance.wire import documents

SOME = digest(b"some")


def party(name: str = "Ada") -> Statement[PartyPredicate]:
    predicate = PartyPredicate.model_validate(
        header(PartyPredicate)
        | {"party_id": new_id(), "kind": "person", "relation": "owner", "name": commit(name).commitment}
    )
    return Statement((Subject(predicate.party_id, SOME),), predicate)


def altered(statement: Statement[PartyPredicate], **members: object) -> bytes:
    document = json.loads(statement.to_bytes())
    document["predicate"] |= members
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


@given(st.text(max_size=50), st.integers(0, 2**53 - 1), st.sampled_from(["", digest(b"take")]))
def test_parsing_gives_back_what_was_written(part: str, size: int, encoded_from: str) -> None:
    predicate = RenditionPredicate.model_validate(
        header(RenditionPredicate)
        | {
            "recording_id": new_id(),
            "of": SOME,
            "part": part or "mix",
            "media_type": "audio/wav",
            "asset_digest": SOME,
            "bytes": size,
            "content_digest": SOME,
            "encoded_from": encoded_from,
            "manifest_id": "urn:c2pa:1",
        }
    )
    statement = Statement((Subject("a", SOME), Subject("b", digest(b"b"))), predicate)
    assert parse(statement.to_bytes()) == statement


@pytest.mark.parametrize("kind", PREDICATES)
@settings(max_examples=20)
@given(data=st.data())
def test_what_is_written_is_rfc_8785_as_others_write_it(kind: str, data: st.DataObject) -> None:
    document = data.draw(documents(kind))
    payload = rfc8785.dumps(document)
    statement = parse(payload)
    assert statement.kind == kind
    assert statement.to_bytes() == payload
    predicate = document["predicate"]
    assert statement.predicate.to_bytes() == rfc8785.dumps(predicate)


def test_a_copy_is_written_as_canonically_as_what_was_read() -> None:
    changed = party().predicate.model_copy(update={"known": dict(reversed(PartyPredicate.KNOWN.items()))})
    assert changed.to_bytes() == rfc8785.dumps(changed.model_dump(mode="json"))


def _objects(value: object) -> Iterator[dict[str, object]]:
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _objects(part)


@pytest.mark.parametrize("kind", PREDICATES)
@settings(max_examples=10)
@given(data=st.data())
def test_members_in_another_order_are_refused_wherever_they_are(kind: str, data: st.DataObject) -> None:
    document = json.loads(rfc8785.dumps(data.draw(documents(kind))))
    several = [each for each in _objects(document) if len(each) > 1]
    changed = data.draw(st.sampled_from(several))
    first = next(iter(changed))
    changed[first] = changed.pop(first)
    with pytest.raises(StatementError, match="not its RFC 8785 form"):
        parse(json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode())


@pytest.mark.parametrize("change", [(b'"kind":"person"', b'"kind":"person","kind":"person"'), (b"/v1", b"\\/v1")])
def test_what_reads_the_same_and_is_written_otherwise_is_refused(change: tuple[bytes, bytes]) -> None:
    payload = party().to_bytes()
    assert change[0] in payload
    with pytest.raises(StatementError):
        parse(payload.replace(*change))


def test_half_a_character_is_refused() -> None:
    statement = Statement((Subject("\ud800", SOME),), party().predicate)
    with pytest.raises(StatementError, match="whole characters"):
        statement.to_bytes()


def test_the_wire_form_is_an_in_toto_statement() -> None:
    document = json.loads(party().to_bytes())
    assert document["_type"] == STATEMENT_TYPE
    assert document["predicateType"] == "https://linernotes.org/party/v1"
    assert document["subject"][0]["digest"] == {"sha256": SOME.removeprefix("sha256:")}


def test_every_predicate_says_how_each_fact_is_known() -> None:
    for kind, predicate in PREDICATES.items():
        assert predicate.KNOWN, kind
        assert set(predicate.KNOWN) <= set(predicate.model_fields), kind


def test_no_predicate_can_hold_a_float() -> None:
    with pytest.raises(StatementError, match="malformed at party_id"):
        parse(altered(party(), party_id=1.5))


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"name": "Ada Lovelace"}, "name"),
        ({"kind": "machine"}, "kind"),
        ({"time": "2026-11-20"}, "time"),
        ({"time": "2026-13-20T00:00:00Z"}, "time"),
        ({"surprise": "x"}, "surprise"),
        ({"known": {"name": "proven"}}, "predicate"),
    ],
)
def test_a_malformed_predicate_is_refused_with_the_place(change: dict[str, object], where: str) -> None:
    with pytest.raises(StatementError, match=f"malformed at {where}"):
        parse(altered(party(), **change))


@pytest.mark.parametrize(
    "payload",
    [b"", b"[]", b"{}", b"\xff", b'{"_type":1}', b"[" * 100_000, b"null", b'{"a":NaN}'],
)
def test_what_is_no_statement_is_refused(payload: bytes) -> None:
    with pytest.raises(StatementError):
        parse(payload)


def test_a_statement_in_other_bytes_is_refused() -> None:
    payload = party().to_bytes()
    with pytest.raises(StatementError, match="RFC 8785"):
        parse(payload.replace(b'{"_type"', b'{ "_type"', 1))


def test_unknown_kinds_and_types_are_refused() -> None:
    payload = party().to_bytes()
    with pytest.raises(StatementError, match="predicate type"):
        parse(payload.replace(b"/party/v1", b"/party/v2"))
    with pytest.raises(StatementError, match="_type"):
        parse(payload.replace(b"Statement/v1", b"Statement/v0"))


@given(st.data())
def test_no_flipped_bit_gives_the_same_statement(data: st.DataObject) -> None:
    statement = party()
    payload = bytearray(statement.to_bytes())
    position = data.draw(st.integers(0, len(payload) * 8 - 1))
    payload[position // 8] ^= 1 << position % 8
    with contextlib.suppress(StatementError):
        assert parse(bytes(payload)) != statement


def test_subjects_need_a_digest() -> None:
    payload = party().to_bytes().replace(SOME.removeprefix("sha256:").encode(), b"12")
    with pytest.raises(StatementError, match="no SHA-256"):
        parse(payload)
    assert Digest(SOME)
