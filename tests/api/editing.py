"""What tests of edits share: a score that was changed, and a party with a key of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from api.key_record import register_key
from api.key_statements import registration_statement
from api.registry import add_party
from api.signing import signed
from api.submission import Intake
from generator.midi import read_midi, write_midi
from ledger.key_file import create_key

if TYPE_CHECKING:
    from pathlib import Path

    from api.home import Home
    from ledger.keys import Ed25519Signer


@dataclass(frozen=True)
class Contributor:
    """A person with a key that is registered for them."""

    party_id: str
    file: Path
    key: Ed25519Signer


def contributor(home: Home, folder: Path, name: str = "Ada") -> Contributor:
    party_id, file = add_party(home, name).party_id, folder / f"{name.casefold()}.pem"
    key = create_key(file)
    registration = signed(registration_statement("party", key.verifier, home.log_vkey, party_id).to_bytes(), key)
    register_key(home, Intake(home), registration, role="party", party=party_id)
    return Contributor(party_id, file, key)


def transposed(midi: Path, target: Path, notes: int = 2) -> Path:
    """Put the first notes of the lowest voice a semitone up."""
    score = read_midi(midi)
    *upper, lowest = score.voices
    changed = tuple(replace(note, pitch=note.pitch + 1) for note in lowest.notes[:notes])
    lowest = replace(lowest, notes=tuple(sorted((*changed, *lowest.notes[notes:]))))
    write_midi(replace(score, voices=(*upper, lowest)), target)
    return target
