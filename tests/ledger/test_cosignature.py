import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.cosignature import Cosigner, cosigned_at, with_signatures
from ledger.encoding import MAX_NUMBER
from ledger.errors import NoteError, SignatureError
from ledger.keys import Ed25519Signer
from ledger.note import MAX_SIGNATURES, Note, NoteSigner, NoteVerifier, Signature, open_note

REAL_CHECKPOINT = """\
arche2025h1.staging.ct.transparency.dev
1432088532
U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=

— arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIg\
IpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=
— arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei5\
9RA23oHP7Ry1k3ZFWwQ=
— remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0D\
rAWfBw==
"""
"""A checkpoint that a public log published, with the cosignature of a public witness: not made by this software."""
REAL_LOG = "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f"
REAL_WITNESS = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"


def cosigner(number: int = 1, name: str = "witness.example/w1") -> Cosigner:
    return Cosigner(name, Ed25519Signer(Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)))


def checkpoint_note(signer: NoteSigner, size: int = 7, extensions: tuple[str, ...] = ()) -> Note:
    return Note.parse(sign_checkpoint(Checkpoint(signer.name, size, bytes(32), extensions), signer))


def test_a_real_cosignature_verifies() -> None:
    witness = NoteVerifier.parse(REAL_WITNESS)
    opened = open_note(REAL_CHECKPOINT.encode(), [witness, NoteVerifier.parse(REAL_LOG)])
    assert [signature.name for signature in opened.signatures] == [
        "arche2025h1.staging.ct.transparency.dev",
        "remora.n621.de",
    ]
    assert cosigned_at(opened.signatures[1]) == 1_779_573_024
    with pytest.raises(SignatureError, match="does not verify"):
        open_note(REAL_CHECKPOINT.replace("1432088532", "1432088533").encode(), [witness])


def test_the_example_of_the_specification_reads(c2sp: Path) -> None:
    example = (c2sp / "tlog-cosignature.md").read_text().split("```\n")[1]
    note = Note.parse(example.encode())
    assert note.format() == example.encode()
    assert cosigned_at(note.signatures[1]) == 1_679_315_147
    assert Checkpoint.parse(note.text).size == 20_852_163


@given(st.integers(1, MAX_NUMBER))
def test_cosignatures_verify_and_keep_their_time(seconds: int) -> None:
    note = checkpoint_note(NoteSigner("example.com/log", cosigner(9).key), extensions=("one", "two"))
    cosigned = with_signatures(note, [cosigner().cosign(note.text, seconds)])
    opened = open_note(cosigned.format(), [cosigner().verifier])
    assert [cosigned_at(signature) for signature in opened.signatures] == [seconds]
    with pytest.raises(SignatureError):
        open_note(cosigned.format().replace(b"two", b"tow"), [cosigner().verifier])


@given(st.integers(max_value=0) | st.integers(min_value=MAX_NUMBER + 1))
def test_a_time_that_is_none_is_not_stated(seconds: int) -> None:
    with pytest.raises(SignatureError, match="set the clock"):
        cosigner().cosign("log\n1\nroot\n", seconds)


def test_a_time_of_zero_is_not_read() -> None:
    with pytest.raises(SignatureError, match="states the time 0"):
        cosigned_at(Signature("witness", 1, bytes(72)))


def test_the_message_is_that_of_the_specification(signer: NoteSigner, tmp_path: Path) -> None:
    """Checked by openssl over bytes written out here by the letter of tlog-cosignature."""
    note = checkpoint_note(signer)
    cosignature = cosigner().cosign(note.text, 1_679_315_147)
    message = (
        b"cosignature/v1\n"
        b"time 1679315147\n"
        b"example.com/log\n"
        b"7\n"
        b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
    )  # fmt: skip
    assert cosignature.signature[:8] == bytes.fromhex("000000006418 50cb")
    (tmp_path / "message").write_bytes(message)
    (tmp_path / "signature").write_bytes(cosignature.signature[8:])
    public = Ed25519PublicKey.from_public_bytes(cosigner().verifier.public_key)
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    (tmp_path / "key").write_bytes(public.public_bytes(encoding, form))
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key", "-rawin", "-in", "message"]
    done = subprocess.run([*command, "-sigfile", "signature"], cwd=tmp_path, capture_output=True, check=False)
    assert b"Verified Successfully" in done.stdout, done.stderr
    (tmp_path / "message").write_bytes(message.replace(b"1679315147", b"1679315148"))
    done = subprocess.run([*command, "-sigfile", "signature"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode != 0


def test_sigstore_reads_a_cosigned_note(signer: NoteSigner) -> None:
    from sigstore._internal.rekor.checkpoint import LogCheckpoint, SignedNote

    note = checkpoint_note(signer)
    cosigned = with_signatures(note, [cosigner(n, f"w{n}").cosign(note.text, n) for n in (1, 2)])
    theirs = SignedNote.from_text(cosigned.format().decode())
    assert theirs.note == note.text
    assert LogCheckpoint.from_text(theirs.note).log_size == 7
    assert [(s.name, s.sig_hash) for s in theirs.signatures] == [
        (s.name, s.key_id.to_bytes(4, "big")) for s in cosigned.signatures
    ]


def test_an_independent_implementation_accepts_cosigned_checkpoints(signer: NoteSigner) -> None:
    aics_tlog = pytest.importorskip("aics_tlog", reason="aics-tlog is not installed: it needs Python 3.12")
    note = checkpoint_note(signer, extensions=("an extension",))
    witnesses = [cosigner(number, f"witness.example/w{number}") for number in (1, 2, 3)]
    cosigned = with_signatures(note, [each.cosign(note.text, 1_700_000_000) for each in witnesses[:2]])

    def verified(data: bytes, quorum: int) -> Any:
        log, *others = [aics_tlog.parse_vkey(each.vkey) for each in (signer, *witnesses)]
        return aics_tlog.verify_checkpoint(aics_tlog.parse_note(data), log, others, quorum)

    assert verified(cosigned.format(), 2).ok
    assert not verified(cosigned.format(), 3).ok
    assert not verified(cosigned.format().replace(b"an extension", b"no extension"), 0).ok


def test_a_newer_signature_takes_the_place_of_the_older(signer: NoteSigner) -> None:
    note = checkpoint_note(signer)
    one = with_signatures(note, [cosigner().cosign(note.text, 10), cosigner(2).cosign(note.text, 20)])
    two = with_signatures(one, [cosigner().cosign(note.text, 30)])
    assert [cosigned_at(s) for s in two.signatures[1:]] == [30, 20]
    assert two.signatures[0] == note.signatures[0]
    assert with_signatures(two, []) == two
    many = [Signature(f"w{n}", n, b"x") for n in range(MAX_SIGNATURES)]
    with pytest.raises(NoteError, match="more than the"):
        with_signatures(note, many)


def test_a_cosigner_says_what_it_is() -> None:
    witness = cosigner()
    assert NoteVerifier.parse(witness.vkey) == witness.verifier
    assert "private" not in repr(witness)
    with pytest.raises(NoteError):
        cosigner(name="a name")
