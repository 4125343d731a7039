"""Every kind of bad input is refused before the log sees it, each with an error of its own."""

import base64
import datetime as dt
import json
import re
from collections.abc import Callable

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.envelope import PAYLOAD_TYPE, Envelope, EnvelopeSignature, pae
from ledger.merkle import MAX_ENTRY_BYTES
from provenance import admission, document
from provenance.admission import Limits, admit, confirm
from provenance.document import Document, LeafHash, links
from provenance.errors import (
    AdmissionError,
    BadSignatureError,
    DanglingLinkError,
    DeepJsonError,
    DuplicateMemberError,
    FutureTimeError,
    InexactNumberError,
    InvalidTextError,
    KeyTakenError,
    MalformedEnvelopeError,
    MalformedJsonError,
    MalformedStatementError,
    NotANumberError,
    NotCanonicalError,
    OversizedBatchError,
    OversizedEntryError,
    ReplacedKeyError,
    RevokedKeyError,
    UnknownKeyError,
    UnknownPredicateError,
    WrongLinkError,
    WrongPayloadTypeError,
    WrongRoleError,
)
from provenance.identity import digest
from provenance.kind import LINKED, PREDICATES
from provenance.statement import Statement, Subject
from tests.provenance.key_log import (
    TAKE,
    KeyLog,
    edit,
    leaf_of,
    new_key,
    party,
    registration,
    rotation,
    signed,
)

NOW = "2026-11-20T12:00:00Z"
LOG = KeyLog()
"""One log for all tests that leave it as it is."""


def refused(
    *envelopes: bytes, log: KeyLog = LOG, now: str = "2030-01-01T00:00:00Z", limits: Limits | None = None
) -> AdmissionError:
    with pytest.raises(AdmissionError) as error:
        admit(envelopes, log.ring, log.next, log.kind_of, now, limits)
    assert len(str(error.value)) > 40
    return error.value


def around(payload: bytes, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """An envelope around any payload, signed with the service key as if it were a statement."""
    sig = LOG.service.sign(pae(payload_type, payload))
    return Envelope(payload_type, payload, (EnvelopeSignature(LOG.service.keyid, sig),)).to_bytes()


def changed(change: Callable[[dict[str, object]], object]) -> bytes:
    """A party statement after a change of its document, in whatever RFC 8785 form that has."""
    document = json.loads(party().to_bytes())
    change(document)
    return around(rfc8785.dumps(document))


def test_what_is_right_is_let_in_as_it_came() -> None:
    envelopes = [signed(party(), LOG.service) for _ in range(3)]
    admitted = admit(envelopes, LOG.ring, LOG.next, LOG.kind_of, "2030-01-01T00:00:00Z")
    assert [each.envelope for each in admitted] == envelopes
    assert [each.leaf_hash for each in admitted] == [leaf_of(envelope) for envelope in envelopes]
    assert {each.signers for each in admitted} == {frozenset({LOG.service.keyid})}


# Each kind of bad input of the list, and its error


def wide(size: int) -> bytes:
    """An envelope of exactly a size, with a statement that is too long to be one."""
    empty = len(around(b""))
    room = (size - empty) // 4 * 3
    return around(b" " * room) + b" " * (size - empty - room // 3 * 4)


def test_oversized() -> None:
    assert type(refused(wide(MAX_ENTRY_BYTES + 1))) is OversizedEntryError
    assert type(refused(wide(MAX_ENTRY_BYTES))) is not OversizedEntryError
    statement = signed(party(), LOG.service)
    tight = Limits(max_entry_bytes=len(statement) - 1)
    error = refused(statement, limits=tight)
    assert type(error) is OversizedEntryError
    assert f"{len(statement)} bytes long, and this log takes at most {len(statement) - 1}" in str(error)
    assert admit([statement], LOG.ring, LOG.next, LOG.kind_of, "2030-01-01T00:00:00Z", Limits(len(statement)))


def test_a_limit_beyond_the_tiles_own_is_none() -> None:
    assert type(refused(bytes(MAX_ENTRY_BYTES + 1), limits=Limits(max_entry_bytes=2**30))) is OversizedEntryError


@pytest.mark.parametrize("count", [0, 257])
def test_batches_that_are_none_or_too_large(count: int) -> None:
    assert type(refused(*[b""] * count)) is OversizedBatchError


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (nested(17), DeepJsonError),
        (b"[" * 60_000, DeepJsonError),
        (around(nested(17)), DeepJsonError),
        (around(b"[" * 48_000), DeepJsonError),
        (around(b'{"a":1,"a":2}'), DuplicateMemberError),
        (b'{"payload":"","payload":"","payloadType":"","signatures":[]}', DuplicateMemberError),
        (around(b'{"a":1.5}'), InexactNumberError),
        (around(b'{"a":1e2}'), InexactNumberError),
        (around(b'{"a":9007199254740992}'), InexactNumberError),
        (around(b'{"a":NaN}'), NotANumberError),
        (around(b'{"a":-Infinity}'), NotANumberError),
        (around(b'{"a":"\xff"}'), InvalidTextError),
        (b"\x80", InvalidTextError),
        (around(b'{"a":'), MalformedJsonError),
        (b"", MalformedJsonError),
        (b"{}", MalformedEnvelopeError),
        (b"[]", MalformedEnvelopeError),
        (signed(party(), LOG.service)[:-1] + b" }", MalformedEnvelopeError),
        (around(b"{}", "application/json"), WrongPayloadTypeError),
        (around(b"{}"), MalformedStatementError),
        (around(b"null"), MalformedStatementError),
        (changed(lambda d: d.update(predicateType="https://linernotes.org/gift/v1")), UnknownPredicateError),
        (changed(lambda d: d.update(predicateType="https://linernotes.org/party/v2")), UnknownPredicateError),
        (changed(lambda d: d.update(predicateType=7)), MalformedStatementError),
        (changed(lambda d: d.update(_type="https://in-toto.io/Statement/v0.1")), MalformedStatementError),
        (changed(lambda d: d.update(subject=[])), MalformedStatementError),
        (changed(lambda d: d["predicate"].update(kind="machine")), MalformedStatementError),
        (changed(lambda d: d["predicate"].update(more=1)), MalformedStatementError),
        (changed(lambda d: d["predicate"].update(time="tomorrow")), MalformedStatementError),
        (around(party().to_bytes() + b"\n"), NotCanonicalError),
        (around(json.dumps(json.loads(party().to_bytes())).encode()), NotCanonicalError),
        (around(party().to_bytes().replace(b'"it"', b'"\\u0069t"')), NotCanonicalError),
        (around(party().to_bytes().replace(b'"it"', b'"\\ud800"')), InvalidTextError),
        (signed(party(), new_key()), UnknownKeyError),
        (signed(party(), LOG.service, new_key()), UnknownKeyError),
        (signed(party(), LOG.note.key), WrongRoleError),
        (signed(edit(LOG.ada, digest(b"nothing"), LOG.ada_leaf), LOG.service), DanglingLinkError),
        (signed(edit(LOG.ada, TAKE, digest(b"nothing")), LOG.service), DanglingLinkError),
        (signed(edit(LOG.ada, LOG.ada_leaf, LOG.ada_leaf), LOG.service), WrongLinkError),
        (signed(edit(LOG.ada, TAKE, TAKE), LOG.service), WrongLinkError),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_each_kind_of_bad_input_has_its_own_error(data: bytes, error: type[AdmissionError]) -> None:
    found = refused(data)
    assert type(found) is error, found
    assert str(found).startswith("Entry 0 of the batch is refused: ")


def test_a_key_that_was_revoked_or_replaced() -> None:
    log = KeyLog()
    lost, old = log.register("party"), log.register("party")
    log.revoke(lost, log.service)
    log.rotate("party", old)
    assert type(refused(signed(edit(log.ada, TAKE, log.ada_leaf), log.service, lost), log=log)) is RevokedKeyError
    assert type(refused(signed(edit(log.ada, TAKE, log.ada_leaf), log.service, old), log=log)) is ReplacedKeyError


def test_a_signature_over_something_else() -> None:
    envelope = Envelope.parse(signed(party(), LOG.service))
    other = Envelope.parse(signed(party(), LOG.service))
    swapped = Envelope(PAYLOAD_TYPE, envelope.payload, other.signatures)
    assert type(refused(swapped.to_bytes())) is BadSignatureError
    right, wrong = envelope.signatures[0], other.signatures[0]
    for pair in ((right, wrong), (wrong, right), (right, right)):
        assert type(refused(Envelope(PAYLOAD_TYPE, envelope.payload, pair).to_bytes())) is BadSignatureError


@pytest.mark.parametrize(("ahead", "fits"), [(-(10**9), True), (0, True), (300, True), (301, False), (10**9, False)])
def test_a_time_in_the_future_is_refused_and_the_past_is_not_asked_about(ahead: int, *, fits: bool) -> None:
    moment = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC) + dt.timedelta(seconds=ahead)
    envelope = signed(party(time=moment.strftime("%Y-%m-%dT%H:%M:%SZ")), LOG.service)
    if fits:
        assert admit([envelope], LOG.ring, LOG.next, LOG.kind_of, NOW)
    else:
        error = refused(envelope, now=NOW)
        assert type(error) is FutureTimeError
        assert NOW in str(error)


# Links


LINKS = {
    "key": (),
    "rotation": ("registration",),
    "revocation": ("registration",),
    "party": (),
    "corpus": (),
    "model": ("corpus", "parent"),
    "generation": ("model",),
    "edit": ("parent", "party"),
    "rendition": ("of",),
    "check": ("of",),
    "export": ("of", "check"),
}


@pytest.mark.parametrize("kind", PREDICATES)
def test_what_is_a_link_is_said_by_its_type(kind: str) -> None:
    """What the page of a predicate calls a leaf hash has the type that says so."""
    names = tuple(name for name, is_link in document._fields(PREDICATES[kind], document._LINK) if is_link)
    assert names == LINKS.get(kind, names)
    told = re.findall(r"^ +(\w+): Leaf hash of ", PREDICATES[kind].__doc__ or "", re.MULTILINE)
    assert set(told) <= set(names)


def test_links_are_found_wherever_they_stand() -> None:
    class Inner(Document):
        of: LeafHash
        empty: LeafHash | None = None

    class Outer(Document):
        first: LeafHash
        several: tuple[Inner, ...]
        one: Inner

    leaves = [digest(bytes([n])) for n in range(4)]
    outer = Outer(first=leaves[0], several=(Inner(of=leaves[1]), Inner(of=leaves[2])), one=Inner(of=leaves[3]))
    assert [leaf for _, leaf in links(outer)] == leaves
    assert [place for place, _ in links(outer)] == ["first", "several.of", "several.of", "one.of"]


def test_a_link_within_the_batch_points_backwards() -> None:
    first = signed(party(), LOG.service)
    second = signed(edit(LOG.ada, TAKE, leaf_of(first)), LOG.service)
    assert len(admit([first, second], LOG.ring, LOG.next, LOG.kind_of, "2030-01-01T00:00:00Z")) == 2
    error = refused(second, first)
    assert type(error) is DanglingLinkError
    assert str(error).startswith("Entry 0 of the batch is refused: Its member party is ")


def test_a_link_within_the_batch_is_asked_for_its_kind() -> None:
    first = signed(party(), LOG.service)
    error = refused(first, signed(edit(LOG.ada, leaf_of(first), leaf_of(first)), LOG.service))
    assert type(error) is WrongLinkError
    assert "Entry 1 of the batch is refused: Its member parent is " in str(error)
    assert "which is the leaf hash of an entry of the kind party; " in str(error)
    assert str(error).endswith("an entry of the kind edit or generation has to be named there.")


@pytest.mark.parametrize("kind", PREDICATES)
def test_every_link_has_its_kinds(kind: str) -> None:
    names = [name for name, is_link in document._fields(PREDICATES[kind], document._LINK) if is_link]
    assert sorted(LINKED[kind]) == sorted(names)
    assert all(meant <= PREDICATES.keys() for meant in LINKED[kind].values())


def test_what_can_be_erased_is_what_has_commitments() -> None:
    committing = {
        kind
        for kind, made in PREDICATES.items()
        if any(found for _, found in document._fields(made, document.COMMITTED))
    }
    assert LINKED["erasure"]["of"] == committing


@pytest.mark.parametrize(("kind", "place"), [(kind, place) for kind in LINKED for place in LINKED[kind]])
def test_each_link_names_what_can_be_meant_and_nothing_else(kind: str, place: str) -> None:
    meant = LINKED[kind][place]
    right = {other: digest(other.encode()) for other in LINKED[kind]}
    made = PREDICATES[kind]
    empty = dict.fromkeys(made.model_fields) | {"known": made.KNOWN}
    statement = Statement((Subject("it", digest(b"it")),), made.model_construct(**(empty | right)))
    for other in PREDICATES:
        kinds = {right[each]: next(iter(LINKED[kind][each])) for each in right} | {right[place]: other}
        if other in meant:
            admission._require_links(statement, kinds.get)
        else:
            with pytest.raises(WrongLinkError, match=f"Its member {place} is {right[place]}"):
                admission._require_links(statement, kinds.get)


# The batch as a whole


def test_a_key_registered_in_the_batch_signs_later_in_the_batch() -> None:
    key = new_key()
    registered = signed(registration(key, "party", LOG.vkey, party=LOG.ada), key, LOG.service)
    edited = signed(edit(LOG.ada, TAKE, LOG.ada_leaf), LOG.service, key)
    assert len(admit([registered, edited], LOG.ring, LOG.next, LOG.kind_of, "2030-01-01T00:00:00Z")) == 2
    assert type(refused(edited, registered)) is UnknownKeyError


def test_one_bad_entry_keeps_the_whole_batch_out_and_is_named() -> None:
    good = [signed(party(), LOG.service) for _ in range(3)]
    error = refused(*good, around(b"{}"), *good)
    assert str(error).startswith("Entry 3 of the batch is refused: ")


def test_a_log_is_begun_in_one_batch() -> None:
    log = KeyLog()
    assert len(admit(log.entries, type(log.ring)(), 0, lambda _: None, "2030-01-01T00:00:00Z")) == 2


# Between admission and append


def test_what_happens_between_the_door_and_the_log_is_asked_about_again() -> None:
    log = KeyLog()
    key = log.register("party")
    edited = signed(edit(log.ada, TAKE, log.ada_leaf), log.service, key)
    admitted = admit([edited], log.ring, log.next, log.kind_of, "2030-01-01T00:00:00Z")
    log.fill(3)
    assert confirm(admitted, log.ring, log.next).size == log.next + 1
    log.revoke(key, log.service)
    with pytest.raises(RevokedKeyError):
        confirm(admitted, log.ring, log.next)


def test_two_registrations_of_one_key_that_pass_the_door_together() -> None:
    log, key = KeyLog(), new_key()
    pair = [signed(registration(key, "party", log.vkey, party=log.ada), key, log.service) for _ in range(2)]
    first, second = (admit([each], log.ring, log.next, log.kind_of, "2030-01-01T00:00:00Z") for each in pair)
    ring = confirm(first, log.ring, log.next)
    with pytest.raises(KeyTakenError):
        confirm(second, ring, log.next + 1)


# Anything at all

PAYLOADS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=8,
)


def attempt(data: bytes) -> list[Statement]:
    try:
        return [each.statement for each in admit([data], LOG.ring, LOG.next, LOG.kind_of, "2030-01-01T00:00:00Z")]
    except AdmissionError:
        return []


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_with_one_of_our_errors(data: bytes) -> None:
    assert attempt(data) == []
    assert attempt(around(data)) == []


@given(PAYLOADS)
def test_any_json_is_refused_with_one_of_our_errors(value: object) -> None:
    assert attempt(json.dumps(value).encode()) == []
    assert attempt(around(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))) == []


STATEMENTS = [
    party(),
    edit(LOG.ada, TAKE, LOG.ada_leaf),
    registration(new_key(), "party", LOG.vkey, party=LOG.ada),
    rotation("service", LOG.service, LOG.service, LOG.ada_leaf),
]


@settings(max_examples=200)
@given(st.data())
def test_a_statement_with_anything_in_any_place_is_let_in_or_refused(data: st.DataObject) -> None:
    document = json.loads(data.draw(st.sampled_from(STATEMENTS)).to_bytes())
    place, path = document, []
    while isinstance(place, dict | list) and place and data.draw(st.booleans()):
        name = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        path.append((place, name))
        place = place[name]
    if path:
        parent, name = path[-1]
        parent[name] = data.draw(PAYLOADS)
    payload = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    attempt(around(payload.encode("utf-8", "surrogatepass")))


@given(st.data())
def test_every_flipped_bit_of_an_entry_is_refused(data: st.DataObject) -> None:
    envelope = bytearray(signed(STATEMENTS[0], LOG.service))
    position = data.draw(st.integers(0, len(envelope) * 8 - 1))
    envelope[position // 8] ^= 1 << position % 8
    assert attempt(bytes(envelope)) == []


def test_base64_of_another_form_is_refused() -> None:
    envelope = json.loads(signed(party(), LOG.service))
    payload = base64.b64decode(envelope["payload"])
    assert payload
    envelope["payload"] = base64.urlsafe_b64encode(payload + b"?").decode().rstrip("=")
    assert type(refused(rfc8785.dumps(envelope))) is MalformedEnvelopeError
