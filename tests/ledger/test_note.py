import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import KeyRejectedError, NoteError, SignatureError
from ledger.keys import Ed25519Signer
from ledger.note import (
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    Note,
    NoteSigner,
    NoteVerifier,
    Signature,
    SignatureType,
    open_note,
    sign,
)

NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"], exclude_characters="+"),
    min_size=1,
    max_size=20,
).filter(lambda name: not any(character.isspace() for character in name))
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], include_characters="\n"), max_size=60
).map(lambda text: text + "\n")
SIGNATURES = st.builds(Signature, NAMES, st.integers(0, 2**32 - 1), st.binary(min_size=1, max_size=80))


def signer_of(number: int, name: str = "example.com/key") -> NoteSigner:
    key = Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
    return NoteSigner(name, Ed25519Signer(key))


def cosign(note: Note, name: str, key: Ed25519Signer, seconds: int) -> Note:
    """Adds a cosignature v1 by the letter of C2SP tlog-cosignature."""
    message = f"cosignature/v1\ntime {seconds}\n{note.text}".encode()
    verifier = NoteVerifier(name, key.verifier.public_key, SignatureType.COSIGNATURE)
    stamped = seconds.to_bytes(8, "big") + key.sign(message)
    return Note(note.text, (*note.signatures, Signature(name, verifier.key_id, stamped)))


@given(TEXTS, st.lists(SIGNATURES, min_size=1, max_size=4))
def test_round_trip(text: str, signatures: list[Signature]) -> None:
    note = Note(text, tuple(signatures))
    assert Note.parse(note.format()) == note


@given(st.binary(max_size=80) | st.text(alphabet="— a\nAAAAB=", max_size=40).map(str.encode))
def test_what_parses_has_one_form(data: bytes) -> None:
    try:
        note = Note.parse(data)
    except NoteError:
        return
    assert note.format() == data


@given(TEXTS)
def test_signed_notes_open(text: str) -> None:
    signer = signer_of(1)
    data = sign(text, signer).format()
    assert open_note(data, [signer_of(2).verifier, signer.verifier]).text == text


@given(st.data())
def test_one_flipped_bit_is_refused(data: st.DataObject) -> None:
    signer = signer_of(1)
    note = bytearray(sign("a text\nof two lines\n", signer).format())
    position = data.draw(st.integers(0, len(note) * 8 - 1))
    note[position // 8] ^= 1 << position % 8
    with pytest.raises((NoteError, SignatureError)):
        open_note(bytes(note), [signer.verifier])


def test_golden_note_of_golang(vectors: Callable[[str], Path]) -> None:
    golden = json.loads((vectors("signed-note") / "golang-note.json").read_text())
    data = f"{golden['text']}\n{golden['signatureLine']}".encode()
    verifier = NoteVerifier.parse(golden["vkey"])
    assert open_note(data, [verifier]).text == golden["text"]
    assert verifier.vkey == golden["vkey"]
    seed = base64.b64decode(golden["skey"].split("+", 4)[4])[1:]
    signer = NoteSigner("PeterNeumann", Ed25519Signer(Ed25519PrivateKey.from_private_bytes(seed)))
    assert signer.vkey == golden["vkey"]
    assert sign(golden["text"], signer).format() == data
    for bad in golden["badVkeys"]:
        with pytest.raises((NoteError, KeyRejectedError)):
            NoteVerifier.parse(bad)


def test_example_of_the_specification(c2sp: Path) -> None:
    blocks = (c2sp / "signed-note.md").read_text().split("### Example")[1]
    vkey = next(line.strip() for line in blocks.splitlines() if "example.com/foo+" in line)
    data = blocks.split("```\n")[1].encode()
    assert open_note(data, [NoteVerifier.parse(vkey)]).text == "This is an example message.\n"


def test_a_note_may_hold_empty_lines_and_look_like_a_signature() -> None:
    text = "a\n\n— example.com/key AAAAAAA=\n\n"
    note = Note.parse(sign(text, signer_of(1)).format())
    assert note.text == text
    assert len(note.signatures) == 1


def test_unknown_signatures_are_left_out() -> None:
    one, other = signer_of(1, "one"), signer_of(2, "other")
    both = Note("text\n", sign("text\n", one).signatures + sign("text\n", other).signatures)
    for known in (one, other):
        opened = open_note(both.format(), [known.verifier])
        assert [signature.name for signature in opened.signatures] == [known.name]
    assert len(open_note(both.format(), [one.verifier, other.verifier]).signatures) == 2


def test_one_false_signature_by_a_known_key_refuses_the_note() -> None:
    one, other = signer_of(1, "one"), signer_of(2, "other")
    note = Note("text\n", sign("text\n", one).signatures + sign("changed\n", other).signatures)
    assert open_note(note.format(), [one.verifier])
    with pytest.raises(SignatureError, match="does not verify"):
        open_note(note.format(), [one.verifier, other.verifier])


def test_a_name_or_a_key_id_alone_is_not_known() -> None:
    data = sign("text\n", signer_of(1)).format()
    for stranger in (signer_of(2), signer_of(1, "other")):
        with pytest.raises(SignatureError, match="none of the 1 keys"):
            open_note(data, [stranger.verifier])


def test_cosignatures_verify_with_their_time() -> None:
    note = cosign(sign("log\n1\nroot\n", signer_of(1)), "witness", signer_of(3).key, 1_679_315_147)
    witness = NoteVerifier("witness", signer_of(3).verifier.public_key, SignatureType.COSIGNATURE)
    assert NoteVerifier.parse(witness.vkey) == witness
    assert [s.name for s in open_note(note.format(), [witness]).signatures] == ["witness"]
    later = note.signatures[1].signature[:7] + b"\x00" + note.signatures[1].signature[8:]
    changed = Note(note.text, (Signature("witness", witness.key_id, later),))
    with pytest.raises(SignatureError):
        open_note(changed.format(), [witness])
    endless = Signature("witness", witness.key_id, b"\xff" * 72)
    with pytest.raises(SignatureError, match=r"beyond 2\^63-1"):
        open_note(Note(note.text, (endless,)).format(), [witness])
    short = Signature("witness", witness.key_id, b"\x00" * 8)
    with pytest.raises(SignatureError, match="0 bytes"):
        open_note(Note(note.text, (short,)).format(), [witness])


def test_a_cosignature_key_does_not_pass_for_a_note_key() -> None:
    key = signer_of(1).verifier
    cosigner = NoteVerifier(key.name, key.public_key, SignatureType.COSIGNATURE)
    assert cosigner.key_id != key.key_id


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"text\n",
        b"text\n\n",
        "text\n— a AAAAAAA=\n".encode(),
        "text\n\n— a AAAAAAA=".encode(),
        "text\n\n— a AAAAAA==\n".encode(),  # four bytes: a key ID without a signature
        "text\n\n— a AAAAAAA\n".encode(),
        "text\n\n— a AAAAAAB=\n".encode(),
        "text\n\n— a  AAAAAAA=\n".encode(),
        "text\n\n— a AAAAAAA= \n".encode(),
        "text\n\n—a AAAAAAA=\n".encode(),
        b"text\n\n- a AAAAAAA=\n",
        "text\n\n—  AAAAAAA=\n".encode(),
        "text\n\n— a+b AAAAAAA=\n".encode(),
        "text\n\n— a\u00a0b AAAAAAA=\n".encode(),
        "text\n\n— a AAAAAAA=\nmore\n".encode(),
        "text\r\n\n— a AAAAAAA=\n".encode(),
        "te\txt\n\n— a AAAAAAA=\n".encode(),
        b"t\xff\n\n\xe2\x80\x94 a AAAAAAA=\n",
        b"t\xed\xa0\x80\n\n\xe2\x80\x94 a AAAAAAA=\n",
        b"x" * (MAX_NOTE_BYTES + 1),
        ("text\n\n" + "— a AAAAAAA=\n" * (MAX_SIGNATURES + 1)).encode(),
    ],
)
def test_what_is_no_note_is_refused(data: bytes) -> None:
    with pytest.raises(NoteError):
        Note.parse(data)


def test_sixteen_signatures_are_read() -> None:
    """signed-note: verifiers "MUST accept at least up to 16 signatures"."""
    signature = Signature("example.com/key", 1, b"x" * 5000)
    assert len(Note.parse(Note("text\n", (signature,) * 16).format()).signatures) == 16


@pytest.mark.parametrize("text", ["", "no newline", "tab\t\n", "\ud800\n"])
def test_what_is_no_text_is_not_signed(text: str) -> None:
    with pytest.raises(NoteError):
        sign(text, signer_of(1))


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u2003b", "a\nb", "a\x00b", "\ud800"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(NoteError, match="name"):
        signer_of(1, name)


@given(NAMES, st.integers(0, 255), st.sampled_from(SignatureType))
def test_vkey_round_trip(name: str, seed: int, signature_type: SignatureType) -> None:
    verifier = NoteVerifier(name, signer_of(seed).verifier.public_key, signature_type)
    assert NoteVerifier.parse(verifier.vkey) == verifier


def test_a_changed_vkey_is_refused() -> None:
    vkey = signer_of(1).vkey
    for position in range(len(vkey)):
        changed = vkey[:position] + chr(ord(vkey[position]) ^ 1) + vkey[position + 1 :]
        with pytest.raises((NoteError, KeyRejectedError)):
            NoteVerifier.parse(changed)


@pytest.mark.parametrize(
    "vkey",
    ["", "name", "name+12345678", "name+12345678+", "+12345678+AQ==", "name+12345678+!!!!", "name+1+BgAA"],
)
def test_what_is_no_vkey_is_refused(vkey: str) -> None:
    with pytest.raises((NoteError, KeyRejectedError)):
        NoteVerifier.parse(vkey)


def test_unsupported_types_are_named() -> None:
    with pytest.raises(NoteError, match=r"0x06.*not supported"):
        NoteVerifier.parse("witness+00000000+" + base64.b64encode(b"\x06" + bytes(1312)).decode())


def test_an_unsound_key_is_refused_in_a_vkey() -> None:
    with pytest.raises(KeyRejectedError, match=r"In the verifier key .*small order"):
        NoteVerifier.parse("log+00000000+" + base64.b64encode(b"\x01" + bytes(32)).decode())
