"""The one way by which audio reaches a user: make, measure, keep, record, seal, hand out.

Read :func:`generate` from top to bottom: each step's result is the next step's argument, and no file
is handed out before the entries that tell of it are durable.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from api.content import Measured, describe, keep, measure
from api.errors import DraftError, UsageError
from api.history import history, recording, rendition_of
from api.home import Draft
from api.licences import recorded_licence
from api.party_keys import require_party_key
from api.registration import SOFTWARE
from api.seal import MASTER, Part, Sealed, format_of, hand_out, made_by, rendition, seal
from api.signing import signed
from api.weights import open_model
from fingerprint.audio import decode
from generator.midi import read
from generator.render import render
from generator.request import plan
from generator.take import Take
from provenance import store
from provenance.bundle import Exhibit
from provenance.difference import compare
from provenance.disclosure import commit
from provenance.errors import DifferenceError
from provenance.identity import Digest, new_id
from provenance.recording_predicate import Controls, EditPredicate, GenerationPredicate
from provenance.role import require_role
from provenance.statement import Statement, Subject, header

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

    from api.home import Home
    from api.weights import OpenedModel
    from fingerprint.media import MediaType
    from generator.request import GenerationRequest, Plan
    from generator.score import Score
    from ledger.keys import Signer
    from ledger.log import Receipt
    from provenance.difference import Difference
    from provenance.objects import ObjectStore
    from provenance.recording_predicate import Changes, Content
    from provenance.source_predicate import ModelPredicate
    from provenance.store import Recording, Registration

    Also = Callable[[Connection, Sequence[Receipt]], None]
    """Rows that are written in the transaction of an append."""


class Progress(Protocol):
    """Told of each stage: its name, how much of it is done, and how much there is."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Report."""


@dataclass(frozen=True, slots=True)
class MadeFile:
    """A file that lies where the user asked for it."""

    path: Path
    media_type: str
    asset_digest: Digest


@dataclass(frozen=True, slots=True)
class Made:
    """What a generation or an edit came to.

    Attributes:
        leaf_hash: Of the generation or edit.
        files: Every file that was handed out.
        unmatched_words: Words of the prompt that steered nothing.
        changes: How many notes an edit touched; None for a generation.
        left_out: What the edited file says in words, by kind; nothing of it is kept.
    """

    recording_id: str
    leaf_hash: Digest
    log_index: int
    content: Content
    model_id: str
    weights_digest: str
    files: tuple[MadeFile, ...]
    unmatched_words: tuple[str, ...] = ()
    changes: Changes | None = None
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """An edit that is rendered, measured and kept, and that nobody has signed yet.

    Attributes:
        statement: What is to be signed.
        measured: Its sound.
        master: The signed file of what was edited.
        model: What made the first state of the recording.
        left_out: What the file says in words, by kind; nothing of it is kept.
    """

    statement: Statement[EditPredicate]
    measured: Measured
    master: Path
    model: ModelPredicate
    left_out: tuple[str, ...]


def generate(
    home: Home, request: GenerationRequest, output: Path | None = None, progress: Progress | None = None
) -> Made:
    """Compose, render, record, seal and hand out a recording.

    Args:
        home: Where it is recorded.
        request: What to make.
        output: Where the audio goes; its ending chooses the format, and the MIDI file lies beside it. None
            records and seals without handing out.
        progress: Told of each stage.

    Raises:
        UsageError: ``output`` cannot be written, or the model is unknown.
        GeneratorError: The request or the model cannot be used.
    """
    tell = progress or _silent
    media_type = format_of(output) if output else MASTER
    planned = plan(request)
    home.require_signer()
    model = open_model(home, request.model)
    score = model.compose(request, planned.controls, lambda done, total: tell("composing", done, total))
    take = _rendered(score, request.bits, tell)
    with home.objects.staging() as folder:
        tell("fingerprinting", 0, 1)
        measured = measure(take.mix)
        content = describe(measured, keep(home, take))
        draft = _generation(home, model, request, planned, content)
        tell("recording", 0, 1)
        [receipt] = home.append([draft], also=_indexed(home, draft, measured))
        sealed = _sealed(home, folder, draft, receipt.index, measured, media_type, tell)
        files = _handed_out(home, content, sealed, output)
    return Made(
        recording_id=made_by(draft).recording_id,
        leaf_hash=draft.leaf_hash,
        log_index=receipt.index,
        content=content,
        model_id=model.statement.model_id,
        weights_digest=model.statement.weights_digest,
        files=files,
        unmatched_words=planned.unmatched_words,
    )


def edit(
    home: Home,
    recording_id: str,
    edited: Path,
    *,
    party_id: str = "",
    role: str = "Composer",
    licence: str = "",
    signer: Signer | None = None,
    output: Path | None = None,
    progress: Progress | None = None,
) -> Made:
    """Record what a person changed in a recording's notes, and render the result.

    Args:
        home: Where it is recorded.
        recording_id: What was changed.
        edited: A MIDI file saved from the one that was made with the recording.
        party_id: Who changed it. When left out: whoever the ``signer`` belongs to, else the home's owner.
        role: DDEX ContributorRole that the person claims.
        licence: Terms on which the person lets the change be used; empty when there are none. What is not
            understood is recorded as unknown, never as it stands.
        signer: The person's own key, which signs beside the home's; without one, the home alone says who it was.
        output: As in :func:`generate`.
        progress: Told of each stage.

    Raises:
        KeyringError: The key may not sign for that party now.
        RoleError: The role is not on the list.
        UsageError: The party is unknown.
        NothingThereError: The recording is unknown.
        DifferenceError: The file is another piece, or nothing was changed.
        MidiError: The file is not MIDI.
    """
    tell = progress or _silent
    media_type = format_of(output) if output else MASTER
    if signer is not None:
        party_id = require_party_key(home.ring.now(), signer.keyid, party_id).party
    made = prepare(home, home.objects, recording_id, edited, party_id=party_id, role=role, licence=licence, tell=tell)
    draft = home.sign(made.statement) if signer is None else _signed_together(home, made.statement, signer)
    tell("recording", 0, 1)
    [receipt] = home.append([draft], also=_indexed(home, draft, made.measured))
    with home.objects.staging() as folder:
        sealed = _sealed(home, folder, draft, receipt.index, made.measured, media_type, tell, made.master)
        files = _handed_out(home, made.statement.predicate.content, sealed, output, keep=edited)
    return replace(edit_made(draft, receipt.index, made.model, files), left_out=made.left_out)


def prepare(
    home: Home,
    objects: ObjectStore,
    recording_id: str,
    edited: Path,
    *,
    party_id: str,
    role: str,
    licence: str,
    tell: Progress,
) -> Prepared:
    """Do everything about an edit that comes before its signature: compare, render, measure, keep, describe.

    Args:
        home: Whose recording was edited.
        objects: Where the files of the result are kept.
        recording_id: As in :func:`edit`, like all that follow.
        edited: The changed notes.
        party_id: Who changed them; the home's owner when empty.
        role: Claimed role.
        licence: Terms.
        tell: Told of each stage.

    Raises:
        ApiError: As in :func:`edit`.
        ProvenanceError: As in :func:`edit`.
        MidiError: The file is not MIDI.
    """
    role, terms = require_role(role), recorded_licence(licence)
    home.require_signer()
    parent = recording(home, recording_id)
    past = history(home, parent)
    before = past.steps[-1].score
    given = read(edited)
    difference = _changed(before, given.score, edited, recording_id)
    after = _named_as(before, given.score)
    left_out = given.left_out if after == given.score else (*given.left_out, "names of tracks")
    party = _party(home, party_id or home.owner().party_id)
    master = master_of(home, parent.recording_id)
    take = _rendered(after, _bits(master), tell)
    tell("fingerprinting", 0, 1)
    measured = measure(take.mix)
    content = describe(measured, keep(home, take, difference=difference, objects=objects))
    statement = _edit(parent, party, role, terms, difference, content)
    return Prepared(statement, measured, master, past.model, left_out)


def complete(home: Home, draft: Draft, log_index: int, measured: Measured, master: Path, also: Also) -> None:
    """Seal the master of an edit that is in the log, and record it.

    Args:
        home: Where it is recorded.
        draft: The edit.
        log_index: Its place.
        measured: Its sound.
        master: The signed file of what was edited.
        also: More rows to write in the transaction that records the file.

    Raises:
        DraftError: Raised by ``also``, because the edit was sealed by somebody else; there is no second file of it.
    """
    with home.objects.staging() as folder:
        _sealed(home, folder, draft, log_index, measured, MASTER, _silent, master, also=also)


def edit_made(draft: Draft, log_index: int, model: ModelPredicate, files: tuple[MadeFile, ...] = ()) -> Made:
    """Describe an edit that is recorded.

    Args:
        draft: The edit.
        log_index: Its place.
        model: What made the first state of the recording.
        files: What was handed out of it.

    Raises:
        TypeError: It is no edit.
    """
    predicate = made_by(draft)
    if not isinstance(predicate, EditPredicate):
        raise TypeError(f"a {predicate.KIND} is no edit")
    return Made(
        recording_id=predicate.recording_id,
        leaf_hash=draft.leaf_hash,
        log_index=log_index,
        content=predicate.content,
        model_id=model.model_id,
        weights_digest=model.weights_digest,
        files=files,
        changes=predicate.changes,
    )


def master_of(home: Home, recording_id: str) -> Path:
    """Return the signed file of a recording that an edit of it starts from.

    Raises:
        UsageError: It was never made.
    """
    found = rendition_of(home, recording_id, MASTER)
    if found is None:
        raise UsageError(
            f"The recording {recording_id} was never sealed: its making was interrupted. Make it again; an "
            "edit needs the signed file it starts from."
        )
    return home.objects.path(found.asset_digest)


def _rendered(score: Score, bits: int, tell: Progress) -> Take:
    tell("rendering", 0, 1)
    stems, mix = render(score, bits)
    return Take(score, stems, mix)


def _generation(home: Home, model: OpenedModel, request: GenerationRequest, planned: Plan, content: Content) -> Draft:
    controls = planned.controls
    openings = {"prompt": commit(request.prompt), "unmatched_words": commit(" ".join(planned.unmatched_words))}
    made = GenerationPredicate.model_validate(
        header(GenerationPredicate)
        | {
            "recording_id": new_id(),
            "model": model.leaf_hash,
            "model_id": model.statement.model_id,
            "weights_digest": model.statement.weights_digest,
            "controls": Controls(
                tonic=controls.tonic,
                mode="major" if controls.mode == "major" else "minor",
                beats=controls.metre[0],
                beat_type=controls.metre[1],
                tempo_bpm=controls.tempo_bpm,
                bars=controls.bars,
                density=controls.density,
                register_=controls.register,
                era=controls.era,
                seed=str(request.seed),
            ),
            "content": content,
            "software": SOFTWARE,
        }
        | {field: opening.commitment for field, opening in openings.items()}
    )
    return home.sign(Statement(_subject(made), made), openings)


def _party(home: Home, party_id: str) -> Registration:
    with home.reading() as connection:
        found = store.find_registration(connection, "party", party_id)
    if found is None:
        raise UsageError(f"There is no party {party_id[:80]!r}. Register the person: linernotes party add --name NAME")
    return found


def _edit(
    parent: Recording,
    party: Registration,
    role: str,
    licence: str,
    difference: Difference,
    content: Content,
) -> Statement[EditPredicate]:
    made = EditPredicate.model_validate(
        header(EditPredicate)
        | {
            "recording_id": new_id(),
            "parent": parent.leaf_hash,
            "parent_recording_id": parent.recording_id,
            "party": party.leaf_hash,
            "party_id": party.name,
            "role": role,
            "licence": licence,
            "changes": difference.changes(),
            "content": content,
            "software": SOFTWARE,
        }
    )
    return Statement(_subject(made), made)


def _signed_together(home: Home, statement: Statement[EditPredicate], signer: Signer) -> Draft:
    """The person signs what they did, and the home what it measured: one envelope, the same bytes."""
    envelope = signed(statement.to_bytes(), signer, home.service)
    return Draft(statement, envelope, {}, frozenset({signer.keyid, home.service.keyid}))


def _sealed(
    home: Home,
    folder: Path,
    draft: Draft,
    log_index: int,
    measured: Measured,
    media_type: MediaType,
    tell: Progress,
    parent: Path | None = None,
    *,
    also: Also | None = None,
) -> Sealed:
    """Seal the master and the format asked for, record both, and return the latter."""
    part = Part("mix", measured.audio, measured.content_digest, measured.iscc)
    entry = Exhibit(draft.envelope, home.log.tlog_proof(log_index).format())
    wanted = tuple(dict.fromkeys((MASTER, media_type)))
    sealed = []
    for position, each in enumerate(wanted):
        tell("sealing", position, len(wanted))
        sealed.append(seal(home, folder, draft, entry, part, each, parent))
    try:
        home.append([rendition(home, draft, each) for each in sealed], also=also)
    except DraftError:
        for spare in sealed:  # each manifest has an id of its own, so nobody else has made the same bytes
            home.objects.path(spare.asset_digest).unlink()
        raise
    return sealed[-1]


def _handed_out(
    home: Home, content: Content, sealed: Sealed, output: Path | None, *, keep: Path | None = None
) -> tuple[MadeFile, ...]:
    """Copy the signed file to where the user wants it, and the MIDI file beside it.

    Args:
        home: Where they are stored.
        content: Names the MIDI file.
        sealed: The signed file.
        output: Where it goes; None hands out nothing.
        keep: The user's own MIDI file, which is never written over: it has the same notes.
    """
    if output is None:
        return ()
    hand_out(home, sealed.asset_digest, output)
    made = [MadeFile(output, sealed.media_type, sealed.asset_digest)]
    beside = output.with_suffix(".mid")
    if keep is None or beside.resolve() != keep.resolve():
        midi = next(file for file in content.files if file.role == "midi")
        hand_out(home, midi.asset_digest, beside)
        made.append(MadeFile(beside, midi.media_type, Digest(midi.asset_digest)))
    return tuple(made)


def _changed(before: Score, after: Score, edited: Path, recording_id: str) -> Difference:
    difference = compare(before, after)
    if difference.is_empty:
        raise DifferenceError(
            f"{edited} has the same notes as the recording {recording_id}: nothing was changed, so there is nothing to "
            "record. Save the changed notes to the file first."
        )
    return difference


def _named_as(before: Score, after: Score) -> Score:
    """Give changed notes the title and the names of voices that they had, for those in a file may be anybody's."""
    pairs = zip(before.voices, after.voices, strict=True)
    voices = tuple(replace(voice, name=old.name) for old, voice in pairs)
    return replace(after, title=before.title, voices=voices)


def _bits(master: Path) -> int:
    """An edit keeps the sample size of what was edited."""
    return 16 if decode(master).samples.dtype == np.int16 else 24


def _indexed(home: Home, draft: Draft, measured: Measured) -> Also:
    def within(connection: Connection, _receipts: Sequence[Receipt]) -> None:
        home.index.add(connection, made_by(draft).recording_id, measured.fingerprint)

    return within


def _subject(made: GenerationPredicate | EditPredicate) -> tuple[Subject, ...]:
    return (Subject(made.recording_id, Digest(made.content.content_digest)),)


def _silent(stage: str, done: int, total: int) -> None:
    """Report nothing."""
