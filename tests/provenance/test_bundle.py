import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.keys import Ed25519Signer
from ledger.note import NoteSigner
from ledger.proof import TlogProof
from provenance import bundle as bundle_module
from provenance.bundle import (
    MAX_BUNDLE_BYTES,
    MAX_TIMESTAMPS,
    DisclosedOpening,
    EvidenceBundle,
    Exhibit,
    StampedEntry,
)
from provenance.disclosure import commit
from provenance.errors import DisclosureError, EvidenceError
from provenance.identity import digest

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
SIGNER = NoteSigner("example.org/log", Ed25519Signer.generate())
PROOF = TlogProof(0, (), sign_checkpoint(Checkpoint("example.org/log", 1, bytes(32)), SIGNER)).format()

openings = st.builds(
    lambda leaf, field, value: DisclosedOpening(digest(leaf), field, commit(value)),
    st.binary(),
    st.text("abc", min_size=1),
    st.text(),
)
bundles = st.builds(
    EvidenceBundle,
    st.lists(st.builds(Exhibit, st.binary(max_size=300), st.just(PROOF)), max_size=4).map(tuple),
    st.lists(openings, max_size=3).map(tuple),
    st.lists(st.builds(StampedEntry, st.binary().map(digest), st.just(PROOF), st.binary()), max_size=3).map(tuple),
)


@given(bundles)
def test_parsing_gives_back_what_was_written(bundle: EvidenceBundle) -> None:
    assert EvidenceBundle.parse(bundle.to_bytes()) == bundle


def test_evidence_without_time_stamps_is_what_it_was_before_there_were_any() -> None:
    assert b"timestamps" not in EvidenceBundle(()).to_bytes()


def test_time_stamps_are_few() -> None:
    many = EvidenceBundle((), (), (StampedEntry(digest(b""), PROOF, b"token"),) * (MAX_TIMESTAMPS + 1))
    with pytest.raises(EvidenceError, match="timestamps"):
        EvidenceBundle.parse(many.to_bytes())


@given(bundles.filter(lambda bundle: bundle.openings), st.text(min_size=1))
def test_a_false_opening_is_refused(bundle: EvidenceBundle, more: str) -> None:
    document = json.loads(bundle.to_bytes())
    document["openings"][0]["value"] += more
    with pytest.raises(DisclosureError):
        EvidenceBundle.parse(json.dumps(document).encode())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b'{"format":"x","entries":[],"openings":[]}',
        b'{"format":"https://linernotes.org/evidence/v1","entries":[{"envelope":"!","tlog_proof":""}],"openings":[]}',
        b'{"format":"https://linernotes.org/evidence/v1","entries":[],"openings":[],"more":1}',
        b"\xff\xfe",
    ],
)
def test_rubbish_is_refused(data: bytes) -> None:
    with pytest.raises(EvidenceError):
        EvidenceBundle.parse(data)


@given(bundles.filter(lambda bundle: bundle.exhibits or bundle.openings or bundle.timestamps), st.data())
def test_every_value_has_one_form(bundle: EvidenceBundle, data: st.DataObject) -> None:
    """The bits behind the last byte are zero, so that no bit of a bundle can be changed unseen."""
    document = json.loads(bundle.to_bytes())
    members = {"entries": "envelope", "openings": "salt", "timestamps": "token"}
    places = [(items, name) for part, name in members.items() for items in document.get(part, []) if items[name]]
    for items, name in places:
        text = items[name]
        twins = [text.rstrip("="), text + "=", text[:4] + "\n" + text[4:], f" {text}"]
        if text.endswith("="):
            at = len(text.rstrip("=")) - 1
            last = ALPHABET.index(text[at])
            twins.append(text[:at] + ALPHABET[last + data.draw(st.integers(1, 3))] + text[at + 1 :])
        for twin in twins:
            if twin == text:
                continue
            items[name] = twin
            with pytest.raises(EvidenceError, match="base64"):
                EvidenceBundle.parse(json.dumps(document).encode())
        items[name] = text
    assert EvidenceBundle.parse(json.dumps(document).encode()) == bundle


def test_a_bundle_of_absurd_size_is_refused() -> None:
    with pytest.raises(EvidenceError, match="at most"):
        EvidenceBundle.parse(b" " * (MAX_BUNDLE_BYTES + 1))


def test_an_entry_that_is_no_envelope_is_explained() -> None:
    with pytest.raises(EvidenceError, match="cannot be read"):
        Exhibit(b"not an envelope", PROOF).statement()


def test_evidence_of_very_many_parts_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few megabytes of commas once took gigabytes: every part that is wrong was a complaint of its own."""
    monkeypatch.setattr(bundle_module, "MAX_PARTS", 100)
    with pytest.raises(EvidenceError, match="102 commas"):
        EvidenceBundle.parse(b'{"format":"x","entries":[' + b",".join([b"1"] * 102) + b"]}")


def test_of_many_faults_one_is_told() -> None:
    data = b'{"format":"https://linernotes.org/evidence/v1","openings":[],"entries":[%s]}' % b",".join([b"1"] * 1000)
    with pytest.raises(EvidenceError, match=r"entries\.0") as refused:
        EvidenceBundle.parse(data)
    assert isinstance(refused.value.__cause__, ValidationError)
    assert refused.value.__cause__.error_count() == 1
