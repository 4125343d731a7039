"""The content of one state of a recording: measured, and kept before any entry names it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import rfc8785

from fingerprint.audio import Audio, encode
from fingerprint.chroma import Fingerprint, fingerprint
from fingerprint.digest import pcm_digest
from fingerprint.iscc import audio_code
from generator.midi import write_midi
from provenance import recording_predicate
from provenance.identity import Digest, digest
from provenance.recording_predicate import Content, File

if TYPE_CHECKING:
    from api.home import Home
    from generator.take import Pcm, Take
    from provenance.difference import Difference
    from provenance.objects import ObjectStore


@dataclass(frozen=True, slots=True)
class Measured:
    """What the software found out about a sound.

    Attributes:
        audio: The samples, as the fingerprint package takes them.
        content_digest: Their digest.
        fingerprint: Their chromaprint, over the full length.
        iscc: Their ISO 24138 Audio-Code.
    """

    audio: Audio
    content_digest: Digest
    fingerprint: Fingerprint
    iscc: str


@dataclass(frozen=True, slots=True)
class Kept:
    """What was stored beside the sound.

    Attributes:
        files: Score, MIDI file and stems; after an edit also the difference.
        score_digest: Digest of the musical content of the score.
        notes: How many it has.
    """

    files: tuple[File, ...]
    score_digest: Digest
    notes: int


def measure(sound: Pcm | Audio) -> Measured:
    """Compute everything by which a sound can be recognised.

    The digest runs beside the fingerprint, which takes longest: both are native code. (The other way round,
    the fingerprint would begin with memory that this process has never touched, and take a third longer.)
    """
    audio = Audio(sound.samples, sound.sample_rate)
    with ThreadPoolExecutor(1) as beside:
        content_digest = beside.submit(pcm_digest, audio)
        print_ = fingerprint(audio)
        return Measured(audio, Digest(content_digest.result()), print_, audio_code(print_))


def keep(
    home: Home,
    take: Take,
    *,
    difference: Difference | None = None,
    objects: ObjectStore | None = None,
) -> Kept:
    """Store everything a statement will point at beside the sound itself.

    Every file is written here, from the notes and the sound. A file that somebody handed in is never kept: it may
    name people in its texts, and what a statement names by its digest cannot be changed any more.

    Args:
        home: Whose recording it is.
        take: Score and stems.
        difference: What was changed, for an edit.
        objects: Where the files go, if not into the home's own store.
    """
    objects = objects or home.objects
    score = rfc8785.dumps(take.score.to_document())
    files = [
        File(role="score", name="score.json", media_type="application/json", asset_digest=objects.put_bytes(score))
    ]
    with objects.staging() as folder:
        midi = folder / "score.mid"
        write_midi(take.score, midi)
        files.append(File(role="midi", name="score.mid", media_type="audio/midi", asset_digest=objects.put(midi)))
        for stem in take.stems:
            audio = Audio(stem.pcm.samples, stem.pcm.sample_rate)
            path = folder / f"{file_name(stem.name)}.flac"
            encode(audio, path, media_type="audio/flac")
            files.append(
                File(
                    role="stem",
                    name=path.name,
                    media_type="audio/flac",
                    content_digest=pcm_digest(audio),
                    asset_digest=objects.put(path),
                )
            )
    if difference is not None:
        document = objects.put_bytes(rfc8785.dumps(difference.to_document()))
        files.append(
            File(role="difference", name="difference.json", media_type="application/json", asset_digest=document)
        )
    notes = sum(len(voice.notes) for voice in take.score.voices)
    return Kept(tuple(files), Digest(take.score.digest), notes)


def describe(measured: Measured, kept: Kept) -> Content:
    """Return the description of sound, notes and files that a statement carries."""
    return Content(
        content_digest=measured.content_digest,
        score_digest=kept.score_digest,
        fingerprint=recording_predicate.Fingerprint(
            iscc=measured.iscc,
            algorithm=measured.fingerprint.algorithm,
            digest=digest(measured.fingerprint.to_bytes()),
            duration_ms=measured.fingerprint.duration_ms,
        ),
        files=kept.files,
        notes=kept.notes,
    )


def file_name(part: str) -> str:
    """Return a stem's name as it stands in file names: ``Violin I`` becomes ``violin-i``."""
    return part.casefold().replace(" ", "-")
