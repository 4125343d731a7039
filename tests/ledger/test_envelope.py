import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import rfc8785
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from hypothesis import given
from hypothesis import strategies as st

from ledger.envelope import (
    MAX_ENVELOPE_BYTES,
    MAX_SIGNATURES,
    PAYLOAD_TYPE,
    Envelope,
    EnvelopeSignature,
    pae,
    sign,
    verify,
)
from ledger.errors import EnvelopeError, LedgerError, SignatureError
from ledger.keys import Ed25519Signer
from ledger.note import NoteSigner

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
ENVELOPES = st.builds(
    Envelope,
    TEXTS,
    st.binary(max_size=100),
    st.lists(st.builds(EnvelopeSignature, TEXTS, st.binary(max_size=70)), min_size=1, max_size=3).map(tuple),
)


@pytest.fixture(scope="session")
def key(signer: NoteSigner) -> Ed25519Signer:
    return signer.key


@given(ENVELOPES)
def test_round_trip(envelope: Envelope) -> None:
    assert Envelope.parse(envelope.to_bytes()) == envelope


@given(ENVELOPES)
def test_the_bytes_are_those_of_rfc_8785_as_others_write_it(envelope: Envelope) -> None:
    signatures = [{"sig": base64.b64encode(s.sig).decode(), "keyid": s.keyid} for s in envelope.signatures]
    payload = base64.b64encode(envelope.payload).decode()
    document = {"signatures": signatures, "payloadType": envelope.payload_type, "payload": payload}
    assert envelope.to_bytes() == rfc8785.dumps(document)


@given(st.binary(max_size=200))
def test_sign_and_verify(key: Ed25519Signer, payload: bytes) -> None:
    envelope = Envelope.parse(sign(payload, key).to_bytes())
    assert verify(envelope, key.verifier) == payload


def test_every_flipped_bit_is_refused(key: Ed25519Signer) -> None:
    data = sign(b'{"_type":"https://in-toto.io/Statement/v1"}', key).to_bytes()
    for position in range(len(data) * 8):
        changed = bytearray(data)
        changed[position // 8] ^= 1 << position % 8
        with pytest.raises(LedgerError):
            verify(Envelope.parse(bytes(changed)), key.verifier)


@given(ENVELOPES, st.data())
def test_what_is_read_is_in_the_form_of_rfc_8785_as_others_write_it(envelope: Envelope, draw: st.DataObject) -> None:
    data = bytearray(envelope.to_bytes())
    place = draw.draw(st.integers(0, len(data) - 1))
    data[place : place + draw.draw(st.integers(0, 2))] = draw.draw(
        st.sampled_from([b"", b'"', b"\\", b"=", b",", b"x"])
    )
    try:
        read = Envelope.parse(bytes(data))
    except EnvelopeError:
        return
    document = json.loads(data)
    assert rfc8785.dumps(document) == data
    assert read.payload_type == document["payloadType"]
    assert base64.b64encode(read.payload).decode() == document["payload"]
    assert [(each.keyid, base64.b64encode(each.sig).decode()) for each in read.signatures] == [
        (each["keyid"], each["sig"]) for each in document["signatures"]
    ]


def test_vector_of_dsse(vectors: Callable[[str], Path]) -> None:
    vector = json.loads((vectors("dsse") / "hello-world.json").read_text())
    message = pae(vector["payloadType"], vector["serializedBody"].encode())
    assert message == vector["pae"].encode()
    signature = base64.b64decode(vector["envelope"]["signatures"][0]["sig"])
    halves = (int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
    point = ec.EllipticCurvePublicNumbers(int(vector["x"]), int(vector["y"]), ec.SECP256R1())
    point.public_key().verify(utils.encode_dss_signature(*halves), message, ec.ECDSA(hashes.SHA256()))


def test_pae_counts_bytes_not_characters() -> None:
    assert pae("é", "ü".encode()) == "DSSEv1 2 é 2 ü".encode()


def test_rfc_8785_vectors_of_cyberphone(vectors: Callable[[str], Path]) -> None:
    """The canonical form that envelopes and statements rely on."""
    folder = vectors("jcs-cyberphone") / "testdata"
    files = sorted((folder / "input").glob("*.json"))
    assert len(files) == 6
    for file in files:
        canonical = rfc8785.dumps(json.loads(file.read_text("utf-8")))
        assert canonical == (folder / "output" / file.name).read_bytes()


VALID = '{"payload":"e30=","payloadType":"t","signatures":[{"keyid":"k","sig":"AAAA"}]}'


def test_the_stored_form() -> None:
    envelope = Envelope("t", b"{}", (EnvelopeSignature("k", bytes(3)),))
    assert envelope.to_bytes().decode() == VALID


@pytest.mark.parametrize(
    "change",
    [
        ("{", "{ "),
        ('"e30="', '"e30"'),
        ('"e30="', '"e31="'),
        ('"e30="', '"e3 0="'),
        ('"e30="', "null"),
        ('"e30="', "1"),
        ('"t"', '"\\u0074"'),
        ('"t"', '"\\ud800"'),
        ('"t"', "[]"),
        ('"payload":"e30=",', '"payload":"e30=","payload":"e30=",'),
        ('"payload":"e30=",', '"payload":"e31=","payload":"e30=",'),
        ('"payload":"e30=",', ""),
        ('"payload":', '"more":1,"payload":'),
        ('[{"keyid":"k","sig":"AAAA"}]', "[]"),
        ('[{"keyid":"k","sig":"AAAA"}]', "{}"),
        ('[{"keyid":"k","sig":"AAAA"}]', '["x"]'),
        ('{"keyid":"k","sig":"AAAA"}', '{"sig":"AAAA"}'),
        ('"sig":"AAAA"', '"sig":"AAA_"'),
        ('"keyid":"k"', '"keyid":1'),
        ('"keyid":"k",', '"keyid":"k","keyid":"k",'),
        (VALID, ""),
        (VALID, "[]"),
        (VALID, "NaN"),
        (VALID, "[" * 30_000),
        (VALID, "9" * 10_000),
        (VALID, VALID + "\n"),
        (VALID, VALID + VALID),
        (VALID, "\ufeff" + VALID),
    ],
)
def test_what_is_no_envelope_is_refused(change: tuple[str, str]) -> None:
    assert Envelope.parse(VALID.encode())
    with pytest.raises(EnvelopeError):
        Envelope.parse(VALID.replace(*change, 1).encode())


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(EnvelopeError, match="not JSON in UTF-8"):
        Envelope.parse(b"\xff" + VALID.encode())


def test_another_key_or_type_is_refused(key: Ed25519Signer) -> None:
    envelope = sign(b"{}", key)
    with pytest.raises(SignatureError, match="not by the key"):
        verify(envelope, Ed25519Signer.generate().verifier)
    with pytest.raises(EnvelopeError, match="text/plain"):
        verify(sign(b"{}", key, "text/plain"), key.verifier)
    assert verify(sign(b"{}", key, "text/plain"), key.verifier, "text/plain") == b"{}"
    renamed = Envelope("text/plain", envelope.payload, envelope.signatures)
    with pytest.raises(SignatureError, match="does not verify"):
        verify(renamed, key.verifier, "text/plain")


def test_one_false_signature_of_the_key_refuses_the_envelope(key: Ed25519Signer) -> None:
    true = sign(b"{}", key).signatures[0]
    false = EnvelopeSignature(key.keyid, bytes(64))
    for signatures in ((true, false), (false, true)):
        with pytest.raises(SignatureError):
            verify(Envelope(PAYLOAD_TYPE, b"{}", signatures), key.verifier)


def test_several_signers(key: Ed25519Signer) -> None:
    other = Ed25519Signer.generate()
    both = Envelope(PAYLOAD_TYPE, b"{}", (*sign(b"{}", key).signatures, *sign(b"{}", other).signatures))
    assert verify(both, key.verifier) == verify(both, other.verifier) == b"{}"


def test_sizes_are_bounded(key: Ed25519Signer) -> None:
    with pytest.raises(EnvelopeError, match=f"longer than the {MAX_ENVELOPE_BYTES}"):
        sign(bytes(60_000), key).to_bytes()
    with pytest.raises(EnvelopeError, match=f"longer than the {MAX_ENVELOPE_BYTES}"):
        Envelope.parse(b" " * (MAX_ENVELOPE_BYTES + 1))
    signature = EnvelopeSignature("k", b"s")
    with pytest.raises(EnvelopeError, match="17 signatures"):
        Envelope("t", b"", (signature,) * (MAX_SIGNATURES + 1))
    with pytest.raises(EnvelopeError, match="cannot be written as JSON"):
        Envelope("\ud800", b"", (signature,)).to_bytes()
