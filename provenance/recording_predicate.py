"""Predicates about recordings: how one was made, how another was made of it, and its files."""

from typing import Annotated, ClassVar, Literal

from pydantic import FailFast, Field, StringConstraints

from provenance.disclosure import Commitment
from provenance.document import Count, Document, Identifier, LeafHash, Text
from provenance.identity import DigestText
from provenance.predicate import Known, Predicate, Role

Seed = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,19}$")]


class Software(Document):
    """The program that made the statement."""

    name: Identifier
    version: Identifier


class Controls(Document):
    """What the model was asked for, after the prompt's words were understood."""

    tonic: Annotated[int, Field(ge=0, le=11)]
    mode: Literal["major", "minor"]
    beats: Count
    beat_type: Count
    tempo_bpm: Count
    bars: Count
    density: Identifier
    # BaseModel itself has an attribute of this name, from the ABC it derives from.
    register_: Annotated[Identifier, Field(alias="register")]
    era: Identifier
    seed: Seed


class File(Document):
    """One file made for a recording.

    Attributes:
        role: What the file is to the recording.
        name: A name within the recording, such as ``viola.flac``.
        asset_digest: SHA-256 of the file's bytes as stored.
        content_digest: Digest of the sound, for audio files; empty otherwise.
    """

    role: Literal["mix", "stem", "midi", "score", "difference", "source"]
    name: Identifier
    media_type: Identifier
    asset_digest: DigestText
    content_digest: DigestText | Literal[""] = ""


class Fingerprint(Document):
    """How the sound can be recognised without its file.

    Attributes:
        iscc: ISO 24138 Audio-Code.
        algorithm: Name of the sub-fingerprint algorithm.
        digest: SHA-256 of the sub-fingerprints as little-endian 32-bit integers.
        duration_ms: Length of the fingerprinted sound in milliseconds.
    """

    iscc: Identifier
    algorithm: Identifier
    digest: DigestText
    duration_ms: Count


class Content(Document):
    """What one state of a recording is: its sound, its notes, its files."""

    content_digest: DigestText
    score_digest: DigestText
    fingerprint: Fingerprint
    files: Annotated[tuple[File, ...], FailFast()]
    notes: Count


class GenerationPredicate(Predicate):
    """A model made a recording.

    Attributes:
        model: Leaf hash of the model statement.
        prompt: Commitment to the prompt; prompts are recorded and never counted as authorship.
        unmatched_words: Commitment to the words of the prompt that steered nothing.
    """

    KIND: ClassVar[str] = "generation"
    KNOWN: ClassVar[dict[str, Known]] = {
        "model": "measured",
        "controls": "measured",
        "content": "measured",
        "prompt": "measured",
        "unmatched_words": "measured",
        "software": "declared",
    }

    recording_id: Identifier
    model: LeafHash
    model_id: Identifier
    weights_digest: DigestText
    controls: Controls
    prompt: Commitment
    unmatched_words: Commitment
    content: Content
    software: Software


class Changes(Document):
    """How many notes an edit touched, by what was done to them."""

    kept: Count
    pitch: Count
    onset: Count
    duration: Count
    velocity: Count
    voice: Count
    added: Count
    removed: Count
    tempo: Count


class EditPredicate(Predicate):
    """A person changed a recording; the result is a new recording.

    Attributes:
        parent: Leaf hash of the generation or edit that was changed.
        party: Leaf hash of the party statement of the person who made the change.
        role: DDEX ContributorRole claimed for the change.
        changes: What the comparison of the two scores found.
        licence: Terms on which the person lets the change be used: an SPDX expression, or empty
            when none were recorded.
    """

    KIND: ClassVar[str] = "edit"
    KNOWN: ClassVar[dict[str, Known]] = {
        "parent": "proven",
        "party": "declared",
        "role": "declared",
        "licence": "declared",
        "changes": "measured",
        "content": "measured",
        "software": "declared",
    }
    SIGNED_BY: ClassVar[frozenset[Role]] = frozenset(("service", "party"))

    recording_id: Identifier
    parent: LeafHash
    parent_recording_id: Identifier
    party: LeafHash
    party_id: Identifier
    role: Identifier
    licence: Text
    changes: Changes
    content: Content
    software: Software


class RenditionPredicate(Predicate):
    """One signed file of a recording, as it was handed out.

    Attributes:
        of: Leaf hash of the generation or edit whose sound the file carries.
        part: ``mix``, or the name of the stem.
        content_digest: Of the sound as it is in this file.
        encoded_from: Content digest of the take a lossy file was encoded from; empty for lossless.
        manifest_id: The active C2PA manifest's label.
    """

    KIND: ClassVar[str] = "rendition"
    KNOWN: ClassVar[dict[str, Known]] = {
        "of": "proven",
        "content_digest": "measured",
        "asset_digest": "measured",
        "manifest_id": "measured",
        "encoded_from": "measured",
    }

    recording_id: Identifier
    of: LeafHash
    part: Identifier
    media_type: Identifier
    asset_digest: DigestText
    bytes: Count
    content_digest: DigestText
    encoded_from: DigestText | Literal[""]
    manifest_id: Identifier
