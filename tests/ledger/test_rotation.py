"""One log, several keys: who has to have signed which checkpoint, and who may not."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from ledger.errors import CheckpointError, LedgerError, SignatureError, SuccessionError
from ledger.keys import Ed25519Signer
from ledger.note import Note, NoteSigner, NoteVerifier, SignatureType, sign
from ledger.rotation import Succession, Tenure, sign_handover

ORIGIN = "example.com/log"
KEYS = [NoteSigner(ORIGIN, Ed25519Signer.generate()) for _ in range(4)]
OLD, NEW = KEYS[:2]
INDEX = 7
AFTER = Succession.of(OLD.verifier).extended(NEW.verifier, INDEX)


def at(size: int) -> Checkpoint:
    return Checkpoint(ORIGIN, size, bytes([size % 256]) * 32)


@pytest.mark.parametrize("size", [0, 1, INDEX])
def test_the_old_key_signs_up_to_the_entry(size: int) -> None:
    assert AFTER.open(sign_checkpoint(at(size), OLD)) == at(size)
    with pytest.raises(SuccessionError, match=f"size {size} .* has to be signed by the key {re.escape(OLD.vkey)}"):
        AFTER.open(sign_checkpoint(at(size), NEW))


def test_the_checkpoint_of_the_entry_is_signed_by_both() -> None:
    note = sign_handover(at(INDEX + 1), OLD, NEW)
    assert AFTER.open(note) == at(INDEX + 1)
    for signer in (OLD, NEW):
        with pytest.raises(SuccessionError, match="has to be signed"):
            AFTER.open(sign_checkpoint(at(INDEX + 1), signer))


def test_whoever_knows_one_of_the_two_keys_accepts_the_handover() -> None:
    note = sign_handover(at(INDEX + 1), OLD, NEW)
    for signer in (OLD, NEW):
        assert open_checkpoint(note, [signer.verifier]) == at(INDEX + 1)


@pytest.mark.parametrize("size", [INDEX + 2, 2**63 - 1])
def test_a_thief_of_the_old_key_signs_nothing_later(size: int) -> None:
    assert AFTER.open(sign_checkpoint(at(size), NEW)) == at(size)
    with pytest.raises(SuccessionError, match="before or after its time"):
        AFTER.open(sign_checkpoint(at(size), OLD))


def test_a_process_that_slept_through_a_handover_signs_no_more() -> None:
    """Its own key signed the handover too, so it would open it without a word."""
    asleep = Succession.of(OLD.verifier)
    handover = sign_handover(at(INDEX + 1), OLD, NEW)
    assert open_checkpoint(handover, [asleep.current]) == at(INDEX + 1)
    with pytest.raises(SuccessionError, match=f"{NEW.verifier.key_id:08x}, which this process does not know"):
        asleep.require_newest(handover)
    with pytest.raises(SuccessionError, match="handed over"):
        asleep.require_newest(sign_checkpoint(at(INDEX + 2), NEW))
    AFTER.require_newest(handover)
    asleep.require_newest(sign_checkpoint(at(INDEX), OLD))


def test_a_handover_is_no_licence_for_other_sizes() -> None:
    """Both signatures on a later checkpoint hold, since the new key's is one; on an earlier one the old key's is."""
    for size in (INDEX, INDEX + 2):
        assert AFTER.open(sign_handover(at(size), OLD, NEW)) == at(size)


@given(st.lists(st.integers(1, 40), min_size=3, max_size=3, unique=True).map(sorted), st.integers(0, 45))
def test_each_size_has_its_signers(indices: list[int], size: int) -> None:
    keys = Succession.of(KEYS[0].verifier)
    for key, index in zip(KEYS[1:], indices, strict=True):
        keys = keys.extended(key.verifier, index)
    turns = [0, *(index + 1 for index in indices)]
    in_office = max(place for place, first in enumerate(turns) if first <= size)
    expected = {KEYS[in_office].verifier}
    if size in turns[1:]:
        expected.add(KEYS[in_office - 1].verifier)
    assert set(keys.signers(size)) == expected
    for key in KEYS:
        note = sign_checkpoint(at(size), key)
        if {key.verifier} == expected:
            assert keys.open(note) == at(size)
        else:
            with pytest.raises(SuccessionError):
                keys.open(note)


def test_every_flipped_bit_of_a_handover_is_refused() -> None:
    data = sign_handover(at(INDEX + 1), OLD, NEW)
    for position in range(len(data) * 8):
        changed = bytearray(data)
        changed[position // 8] ^= 1 << position % 8
        with pytest.raises(LedgerError):
            AFTER.open(bytes(changed))


def test_further_signatures_are_left_to_others() -> None:
    witness = NoteSigner("witness.example", Ed25519Signer.generate())
    handover = Note.parse(sign_handover(at(INDEX + 1), OLD, NEW))
    line = Note.parse(sign_checkpoint(Checkpoint(witness.name, 1, bytes(32)), witness)).signatures
    assert AFTER.open(Note(handover.text, (*line, *handover.signatures)).format()) == at(INDEX + 1)


def test_a_forged_second_signature_is_refused() -> None:
    handover = Note.parse(sign_handover(at(INDEX + 1), OLD, NEW))
    other = Note.parse(sign_handover(at(INDEX + 2), OLD, NEW))
    with pytest.raises(SignatureError):
        AFTER.open(Note(handover.text, (handover.signatures[0], other.signatures[1])).format())


def test_the_checkpoint_of_another_log_is_refused() -> None:
    stranger = Checkpoint("example.com/other", 3, bytes(32))
    text = stranger.format()
    forged = Note(text, (Note.parse(sign_checkpoint(at(3), OLD)).signatures[0],))
    with pytest.raises(LedgerError):
        AFTER.open(forged.format())
    with pytest.raises(SignatureError, match="none of the 2 keys"):
        AFTER.open(sign_checkpoint(at(3), KEYS[2]))
    with pytest.raises(CheckpointError, match="cannot sign for the log"):
        sign_handover(stranger, OLD, NEW)


def test_a_checkpoint_that_names_another_origin_under_our_key() -> None:
    with pytest.raises(SuccessionError, match="none of the log"):
        AFTER.open(sign(Checkpoint("example.com/other", 3, bytes(32)).format(), OLD).format())


def test_successions_that_cannot_be() -> None:
    first = Succession.of(OLD.verifier)
    with pytest.raises(SuccessionError, match="had before"):
        first.extended(OLD.verifier, INDEX)
    with pytest.raises(SuccessionError, match="cannot follow"):
        AFTER.extended(KEYS[2].verifier, INDEX)
    with pytest.raises(SuccessionError, match="cannot follow"):
        first.extended(NEW.verifier, 2**63)
    with pytest.raises(SuccessionError, match="another name"):
        first.extended(NoteVerifier("example.com/other", NEW.verifier.public_key), INDEX)
    with pytest.raises(SuccessionError, match="another way"):
        first.extended(NoteVerifier(ORIGIN, NEW.verifier.public_key, SignatureType.COSIGNATURE), INDEX)
    for tenures in ((), (Tenure(OLD.verifier, 1),)):
        with pytest.raises(SuccessionError, match="from size 0 on"):
            Succession(tenures)
    with pytest.raises(SuccessionError, match="cannot follow itself"):
        sign_handover(at(1), OLD, OLD)
    assert AFTER.current == NEW.verifier


@given(st.lists(st.integers(1, 2**63 - 2), max_size=3, unique=True).map(sorted))
def test_a_succession_is_read_as_it_was_written(indices: list[int]) -> None:
    keys = Succession.of(KEYS[0].verifier)
    for key, index in zip(KEYS[1:], indices, strict=False):
        keys = keys.extended(key.verifier, index)
    assert Succession.parse(keys.format()) == keys


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        AFTER.format()[:-1],
        AFTER.format() + b"\n",
        AFTER.format().replace(b"\n", b"\r\n"),
        AFTER.format().replace(b"8 ", b"08 "),
        AFTER.format().replace(b"8 ", b"-8 "),
        AFTER.format().replace(b"8 ", b"9223372036854775808 "),
        AFTER.format().replace(b"0 ", b"1 ", 1),
        AFTER.format().replace(b"+", b"-", 1),
        AFTER.format() * 2,
        AFTER.format().splitlines(keepends=True)[0] * 1001,
        b"\xff" + AFTER.format(),
    ],
)
def test_what_is_no_succession_is_refused(data: bytes) -> None:
    with pytest.raises(SuccessionError):
        Succession.parse(data)
