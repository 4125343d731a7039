"""Edits that were handed out over HTTP to be signed: rendered and described, and on record only when they are signed.

The home signs nothing before the person has: what it hands out are the bytes of the statement alone, which are good
for nothing without the person's signature. Each draft has a row, and a folder of its own for the files that the
statement names, so that nothing of it lies among the files of recordings while it may still be withdrawn.

1. The folder is put in its place, then the row is written: from here on it *waits*, for at most a week.
2. The envelope is appended with both signatures; the same transaction marks the row as *recorded*, and copies the files
   into the store.
3. The recording is sealed; the transaction that records the signed file marks the row as *sealed*, with the answer
   that is given. The folder goes.

Whatever is interrupted before 2 is done goes on to wait. What is interrupted before 3 is done is taken up by any
service of the home, within minutes, or by the same envelope when it is sent again.

Several processes may do the same at once, or withdraw what another one records: each step of the row is made once, by
whoever commits it first. Nobody waits for a process that may be dead; whoever comes second leaves no files, looks at
the row, and goes on from there.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from api import store
from api.content import measure
from api.draft_files import DraftFiles
from api.errors import DraftError, NothingThereError
from api.history import history, recording
from api.party_keys import keys_in_force, require_party_key
from api.problems import KNOWN
from api.recording import complete, edit_made, master_of, prepare
from api.schemas.recording import RecordingMade
from api.schemas.signing import EditDraftShown
from api.signing import countersigned, leaf_of
from api.store import EditDraft
from fingerprint.audio import decode, encode
from provenance.admission import receive
from provenance.identity import digest, new_id, now
from provenance.objects import ObjectStore
from provenance.recording_predicate import EditPredicate
from provenance.signed_entry import checked_signers
from provenance.statement import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

    from api.content import Measured
    from api.home import Home
    from api.submission import Intake
    from ledger.log import Receipt

MAX_OF_A_TOKEN: Final = 16
MAX_WAITING: Final = 64
DAYS: Final = 7
"""How long a draft waits for its signature; and how long the answer to the signature is remembered."""
_EVERY_SECONDS: Final = 600.0
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
_log = logging.getLogger("linernotes")


class Drafts:
    """The drafts of a home; any number of threads and processes may use them.

    Args:
        home: Where recordings go.
        intake: The way into its log.
    """

    def __init__(self, home: Home, intake: Intake) -> None:
        self._home = home
        self._intake = intake
        self._files = DraftFiles(home.objects)
        self._signing = threading.Lock()
        self._stopping = threading.Event()
        self._keeper = threading.Thread(target=self._keep_house, name="linernotes-drafts", daemon=True)

    def start(self) -> None:
        """Take up what was interrupted, and remove what expires, from now on."""
        self._keeper.start()

    def stop(self) -> None:
        """End."""
        self._stopping.set()
        if self._keeper.is_alive():
            self._keeper.join()

    def prepare(
        self, token_id: str, recording_id: str, edited: Path, *, party_id: str, role: str, licence: str
    ) -> EditDraft:
        """Render and describe an edit, and keep it until the person who made it has signed it.

        Args:
            token_id: Who asks.
            recording_id: What was changed.
            edited: The changed notes, a MIDI file.
            party_id: Who changed them, and is to sign; the home's owner when empty.
            role: As in :func:`api.recording.edit`, like ``licence``.
            licence: Terms.

        Raises:
            DraftError: Nobody could sign for that party now, or too many drafts wait.
            ApiError: As in :func:`api.recording.edit`.
            ProvenanceError: As in :func:`api.recording.edit`.
            MidiError: The file is not MIDI.
        """
        recording(self._home, recording_id)
        signer = self._signer_of(party_id or self._home.owner().party_id)
        self.clear()
        with self._home.reading() as connection:
            _require_room(connection, token_id)
        with self._home.objects.staging() as staging:
            kept = ObjectStore(staging / "kept")
            made = prepare(
                self._home,
                kept,
                recording_id,
                edited,
                party_id=party_id,
                role=role,
                licence=licence,
                tell=lambda _stage, _done, _total: None,
            )
            payload = made.statement.to_bytes()
            self._intake.foresee(payload, [signer, self._home.service.keyid])
            encode(made.measured.audio, staging / "mix", media_type="audio/flac")
            predicate, created = made.statement.predicate, now()
            draft = EditDraft(
                draft_id=new_id(),
                token_id=token_id,
                state="waiting",
                recording_id=predicate.recording_id,
                party_id=predicate.party_id,
                payload=payload,
                mix=kept.put(staging / "mix"),
                created=created,
                expires=_later(created),
                left_out=made.left_out,
            )
            self._files.place(kept.root, draft.draft_id)
        try:
            with self._home.writing() as connection:
                _require_room(connection, token_id)
                store.add_edit_draft(connection, draft)
        except DraftError:
            self._files.remove(draft.draft_id)
            raise
        return draft

    def find(self, token_id: str, draft_id: str) -> EditDraft:
        """Return a draft to the token that asked for it.

        Raises:
            NothingThereError: It has none of that id, or its time is over.
        """
        with self._home.reading() as connection:
            draft = store.find_edit_draft(connection, draft_id)
        if draft is None or draft.token_id != token_id or (draft.state != "recorded" and draft.expires <= now()):
            raise NothingThereError(
                f"No edit {draft_id[:80]!r} waits for a signature that was asked for with this token. A draft is kept "
                f"for {DAYS} days; ask for the edit again."
            )
        return draft

    def sign(self, token_id: str, draft_id: str, envelope: bytes) -> RecordingMade:
        """Record an edit that its maker has signed: store, append, seal.

        Args:
            token_id: The token that asked for the draft.
            draft_id: The draft.
            envelope: A DSSE envelope around the very bytes that were handed out, with the one signature of a key of
                the party. The home adds its own.

        Returns:
            The recording. The same envelope gives the same answer again.

        Raises:
            NothingThereError: There is no such draft.
            DraftError: The envelope is around other bytes, has another number of signatures, or the draft was signed
                with another one.
            AdmissionError: The signature does not hold, or is by a key that may not sign for the party now.
            DamagedObjectError: A file that was kept for the draft is missing, or was altered.
        """
        with self._signing:  # only to spare the work: other processes do not know of it
            measured: Measured | None = None
            while (draft := self._signed_with(token_id, draft_id, envelope)).state != "sealed":
                with self._unless_overtaken(draft):
                    if draft.state == "waiting":
                        self._require_signed(draft, envelope)
                    measured = measured or self._measured(draft)
                    if draft.state == "waiting":
                        self._record(draft, measured, envelope)
                    else:
                        self._seal(draft, measured)
        return RecordingMade.model_validate_json(draft.result)

    def withdraw(self, token_id: str, draft_id: str) -> EditDraft:
        """Forget a draft that nobody has signed, with its files.

        Raises:
            NothingThereError: There is no such draft, or none any more.
            DraftError: It was signed.
        """
        draft = self.find(token_id, draft_id)
        with self._home.writing() as connection:
            removed = store.remove_edit_draft(connection, draft_id)
        if not removed:
            self.find(token_id, draft_id)
            raise DraftError(f"The edit {draft_id} was signed; it is on record, and stays there.")
        self._files.remove(draft_id)
        return draft

    def clear(self) -> None:
        """Remove the drafts whose time is over, and the files of those that are gone."""
        with self._home.writing() as connection:
            expired = store.remove_expired_edit_drafts(connection, now())
            needed = store.edit_drafts_with_files(connection)
        for draft_id in expired:
            self._files.remove(draft_id)
        self._files.remove_others(needed)

    def show(self, draft: EditDraft) -> EditDraftShown:
        """Describe a draft."""
        predicate = _predicate(draft)
        return EditDraftShown.of(
            draft,
            predicate,
            keyids=keys_in_force(self._intake.keyring(), draft.party_id),
            made=RecordingMade.model_validate_json(draft.result) if draft.result else None,
        )

    def _signer_of(self, party_id: str) -> str:
        found = keys_in_force(self._intake.keyring(), party_id)
        if not found:
            raise DraftError(
                f"Nobody could sign for the party {party_id[:80]!r} now: no key of it is on record and in force. Make "
                "one and have it registered (`linernotes key new`, `linernotes key register`), or name the party that "
                "is to sign."
            )
        return found[0]

    def _signed_with(self, token_id: str, draft_id: str, envelope: bytes) -> EditDraft:
        """Return a draft as it stands now, if no other envelope was faster."""
        draft = self.find(token_id, draft_id)
        if draft.envelope not in {"", digest(envelope)}:
            raise DraftError(f"The edit {draft_id} was signed already, with another envelope. It is on record once.")
        return draft

    @contextmanager
    def _unless_overtaken(self, draft: EditDraft) -> Iterator[None]:
        """Pass over what fails because somebody else has taken the draft a step further at the same moment.

        Raises:
            NothingThereError: It was withdrawn at the same moment, or its time is over.
        """
        try:
            yield
        except (*KNOWN, OSError):
            if self.find(draft.token_id, draft.draft_id).state == draft.state:
                raise

    def _measured(self, draft: EditDraft) -> Measured:
        """Read the sound of a draft, and find out whether it is still the one that was described."""
        measured = measure(decode(self._files.path(draft.draft_id, draft.mix)))
        stated = _predicate(draft).content
        found = (measured.content_digest, digest(measured.fingerprint.to_bytes()))
        if found != (stated.content_digest, stated.fingerprint.digest):
            raise DraftError(
                f"The sound that was kept for the edit {draft.draft_id} is not measured as it was when it was "
                "described: its row was altered, or another release of this program described it. Ask for the edit "
                "again."
            )
        return measured

    def _record(self, draft: EditDraft, measured: Measured, envelope: bytes) -> None:
        """Append the edit with both signatures, if it is still about what it was about."""
        predicate = _predicate(draft)
        if recording(self._home, predicate.parent_recording_id).leaf_hash != predicate.parent:
            raise DraftError(
                f"The recording {predicate.parent_recording_id} is not the one any more that was edited. Ask for the "
                "edit again."
            )
        master_of(self._home, predicate.parent_recording_id)
        complete_envelope = countersigned(envelope, self._home.service)
        recorded = {"envelope": digest(envelope), "leaf_hash": leaf_of(complete_envelope), "expires": _later(now())}

        def within(connection: Connection, _receipts: Sequence[Receipt]) -> None:
            if not store.change_edit_draft(connection, draft.draft_id, "waiting", state="recorded", **recorded):
                raise DraftError(f"The edit {draft.draft_id} was signed or withdrawn at the same moment.")
            self._home.index.add(connection, predicate.recording_id, measured.fingerprint)
            self._files.adopt(draft.draft_id, predicate.content.files)  # now that nobody can withdraw it any more

        self._intake.submit([complete_envelope], also=within)

    def _require_signed(self, draft: EditDraft, envelope: bytes) -> None:
        """Refuse whatever is not the very statement with the one signature of the party."""
        received = receive(envelope)
        if received.envelope.payload != draft.payload:
            raise DraftError(
                f"The envelope is around other bytes than those that were handed out for the edit {draft.draft_id}. "
                "Sign the very bytes that were handed out."
            )
        names = [signature.keyid for signature in received.envelope.signatures]
        if len(names) != 1:
            raise DraftError(
                f"The envelope has {len(names)} signatures. Send it with the one of the party; the home adds its own."
            )
        ring = self._intake.keyring()
        require_party_key(ring, names[0], draft.party_id)
        checked_signers(received.envelope, received.statement, ring.keys)

    def _seal(self, draft: EditDraft, measured: Measured) -> None:
        made = recording(self._home, draft.recording_id)
        signed = self._home.draft(draft.leaf_hash)
        edited = edit_made(signed, made.log_index, history(self._home, made).model)
        answer = RecordingMade.of(replace(edited, left_out=draft.left_out))
        sealed = {"result": answer.model_dump_json(), "expires": _later(now())}

        def within(connection: Connection, _receipts: Sequence[Receipt]) -> None:
            if not store.change_edit_draft(connection, draft.draft_id, "recorded", state="sealed", **sealed):
                raise DraftError(f"The edit {draft.draft_id} was sealed at the same moment.")

        master = master_of(self._home, _predicate(draft).parent_recording_id)
        complete(self._home, signed, made.log_index, measured, master, within)
        self._files.remove(draft.draft_id)

    def _keep_house(self) -> None:
        while True:
            self._attempt("edits that are recorded were not sealed", self._take_up)
            self._attempt("edits that expired were not removed", self.clear)
            if self._stopping.wait(_EVERY_SECONDS):
                return

    def _take_up(self) -> None:
        with self._home.reading() as connection:
            left = store.edit_drafts_in_state(connection, "recorded")
        for draft in left:
            self._attempt(f"the edit {draft.draft_id} is recorded, and not sealed yet", partial(self._resume, draft))

    def _resume(self, left: EditDraft) -> None:
        with self._signing:
            draft = self.find(left.token_id, left.draft_id)
            if draft.state == "recorded":
                with self._unless_overtaken(draft):
                    self._seal(draft, self._measured(draft))

    def _attempt(self, otherwise: str, task: Callable[[], None]) -> None:
        try:
            task()
        except Exception as fault:  # noqa: BLE001 - whatever it is, other drafts and the next round are not to miss it
            _log.error("%s: %s", otherwise, fault, exc_info=None if isinstance(fault, (*KNOWN, OSError)) else fault)


def _require_room(connection: Connection, token_id: str) -> None:
    own, all_ = store.count_edit_drafts(connection, token_id), store.count_edit_drafts(connection)
    if own >= MAX_OF_A_TOKEN or all_ >= MAX_WAITING:
        whose = f"{own} edits that this token asked for" if own >= MAX_OF_A_TOKEN else f"{all_} edits"
        raise DraftError(
            f"{whose} wait for a signature already, and no more can. Have one signed, or withdraw one; after {DAYS} "
            "days they are forgotten."
        )


def _predicate(draft: EditDraft) -> EditPredicate:
    predicate = parse(draft.payload).predicate
    if not isinstance(predicate, EditPredicate):
        raise TypeError(f"the draft {draft.draft_id} holds a {predicate.KIND} statement")
    return predicate


def _later(moment: str) -> str:
    return (dt.datetime.strptime(moment, _TIME).replace(tzinfo=dt.UTC) + dt.timedelta(days=DAYS)).strftime(_TIME)
