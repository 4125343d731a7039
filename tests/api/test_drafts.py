"""Edits that wait for a signature: bounded, durable, good for one signature by the right key, and then gone."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from api import store
from api.drafts import DAYS, Drafts
from api.erasure import erase
from api.errors import DraftError, NothingThereError
from api.history import history, recording
from api.home import Home
from api.integrity import fsck
from api.key_record import record, revocation
from api.recording import generate
from api.settings import Settings
from api.signing import signed
from api.submission import Intake
from fingerprint.errors import AudioError
from generator.midi import read_midi, write_midi
from generator.request import GenerationRequest
from ledger.envelope import Envelope, EnvelopeSignature
from ledger.keys import Ed25519Signer
from provenance.errors import (
    AdmissionError,
    BadSignatureError,
    ObjectError,
    RevokedKeyError,
    UnknownKeyError,
    WrongPartyError,
    WrongRoleError,
)
from provenance.recording_predicate import EditPredicate
from provenance.statement import Statement, parse
from tests.api.editing import Contributor, contributor, transposed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Studio

TOKEN, OTHER = "01a1f9da-0000-7000-8000-000000000001", "01a1f9da-0000-7000-8000-000000000002"


@pytest.fixture
def opened(studio: Studio) -> Iterator[Callable[[], Home]]:
    """Opens the studio, as often as one likes."""
    homes: list[Home] = []

    def open_() -> Home:
        homes.append(Home(Settings(home=studio.home, device="cpu")))
        return homes[-1]

    yield open_
    for each in homes:
        each.close()


@pytest.fixture
def home(opened: Callable[[], Home]) -> Home:
    return opened()


@pytest.fixture
def drafts(home: Home) -> Drafts:
    return Drafts(home, Intake(home))


@pytest.fixture
def ada(home: Home, tmp_path: Path) -> Contributor:
    return contributor(home, tmp_path)


@pytest.fixture
def ask(drafts: Drafts, studio: Studio, ada: Contributor, tmp_path: Path) -> Callable[..., store.EditDraft]:
    """Ask for an edit to be signed."""
    edited = transposed(studio.midi, tmp_path / "edited.mid")

    def ask(token: str = TOKEN, party: str = ada.party_id, file: Path = edited) -> store.EditDraft:
        return drafts.prepare(token, studio.recording_id, file, party_id=party, role="Arranger", licence="CC-BY-4.0")

    return ask


def folders(home: Home) -> list[str]:
    return sorted(path.name for path in (home.objects.root / "drafts").glob("*"))


def warnings(home: Home) -> list[str]:
    report = fsck(home)
    assert report.problems == ()
    return [f"{warning.where}: {warning.what}" for warning in report.warnings]


def test_what_waits_is_handed_out_and_not_on_record(home: Home, drafts: Drafts, ada: Contributor, ask) -> None:
    size, files = home.log.size(), sorted(home.objects.names())
    draft = ask()
    statement = parse(draft.payload)
    assert isinstance(statement.predicate, EditPredicate)
    assert (statement.predicate.party_id, statement.predicate.role) == (ada.party_id, "Arranger")
    assert (draft.state, draft.recording_id) == ("waiting", statement.predicate.recording_id)
    shown = drafts.show(drafts.find(TOKEN, draft.draft_id))
    assert (shown.changes.pitch, shown.keyids, shown.recording) == (2, [ada.key.keyid], None)
    assert (home.log.size(), sorted(home.objects.names())) == (size, files)
    assert not warnings(home)
    assert folders(home) == [draft.draft_id]
    assert not list((home.objects.root / "staging").iterdir())


def test_with_the_signature_it_is_a_recording(home: Home, drafts: Drafts, ada: Contributor, ask) -> None:
    draft = ask()
    envelope = signed(draft.payload, ada.key)
    made = drafts.sign(TOKEN, draft.draft_id, envelope)
    entry = Envelope.parse(home.entry_bytes(made.leaf_hash))
    assert entry.payload == draft.payload
    assert [signature.keyid for signature in entry.signatures] == [ada.key.keyid, home.service.keyid]
    past = history(home, recording(home, made.recording_id))
    assert [(each.role, each.party, each.counts) for each in past.signatures[-1]] == [
        ("party", ada.party_id, True),
        ("service", "", True),
    ]
    assert [each.role for each in past.signatures[0]] == ["service"]
    size = home.log.size()
    assert drafts.sign(TOKEN, draft.draft_id, envelope) == made
    assert (home.log.size(), folders(home), warnings(home)) == (size, [], [])
    shown = drafts.show(drafts.find(TOKEN, draft.draft_id))
    assert (shown.state, shown.recording) == ("recorded", made)
    with pytest.raises(DraftError, match="signed already, with another envelope"):
        drafts.sign(TOKEN, draft.draft_id, signed(draft.payload, ada.key, home.service))
    with pytest.raises(DraftError, match="it is on record"):
        drafts.withdraw(TOKEN, draft.draft_id)


def test_it_waits_over_a_restart(opened: Callable[[], Home], ada: Contributor, ask) -> None:
    draft = ask()
    again = opened()
    later = Drafts(again, Intake(again))
    later.start()
    made = later.sign(TOKEN, draft.draft_id, signed(draft.payload, ada.key))
    later.stop()
    assert recording(again, made.recording_id).kind == "edit"


def test_it_belongs_to_the_token_that_asked(drafts: Drafts, ada: Contributor, ask) -> None:
    draft = ask()
    for attempt in (
        lambda: drafts.find(OTHER, draft.draft_id),
        lambda: drafts.withdraw(OTHER, draft.draft_id),
        lambda: drafts.sign(OTHER, draft.draft_id, signed(draft.payload, ada.key)),
        lambda: drafts.find(TOKEN, "nothing"),
    ):
        with pytest.raises(NothingThereError):
            attempt()


def test_only_the_signature_of_the_party_over_the_very_bytes_is_taken(
    home: Home, drafts: Drafts, ada: Contributor, ask, tmp_path: Path
) -> None:
    bea = contributor(home, tmp_path, "Bea")
    draft, size = ask(), home.log.size()
    good = Envelope.parse(signed(draft.payload, ada.key))
    flipped = bytes([good.signatures[0].sig[0] ^ 1, *good.signatures[0].sig[1:]])
    spoilt = replace(good, signatures=(EnvelopeSignature(ada.key.keyid, flipped),)).to_bytes()
    statement = parse(draft.payload)
    other = Statement(statement.subjects, statement.predicate.model_copy(update={"role": "Composer"})).to_bytes()
    for envelope, refusal in (
        (b"", AdmissionError),
        (b"{}", AdmissionError),
        (spoilt, BadSignatureError),
        (signed(draft.payload, home.service), WrongRoleError),
        (signed(draft.payload, bea.key), WrongPartyError),
        (signed(draft.payload, Ed25519Signer.generate()), UnknownKeyError),
        (signed(other, ada.key), DraftError),
        (signed(draft.payload, ada.key, home.service), DraftError),
        (signed(draft.payload, ada.key, bea.key), DraftError),
    ):
        with pytest.raises(refusal):
            drafts.sign(TOKEN, draft.draft_id, envelope)
    record(Intake(home), [revocation(home.ring.now(), bea.key.keyid, home.service, "lost")])
    assert (home.log.size(), drafts.find(TOKEN, draft.draft_id).state) == (size + 1, "waiting")
    assert drafts.sign(TOKEN, draft.draft_id, good.to_bytes()).changes


def test_a_key_that_was_revoked_meanwhile_signs_nothing(home: Home, drafts: Drafts, ada: Contributor, ask) -> None:
    draft = ask()
    record(Intake(home), [revocation(home.ring.now(), ada.key.keyid, ada.key, "lost")])
    assert drafts.show(draft).keyids == []
    with pytest.raises(RevokedKeyError):
        drafts.sign(TOKEN, draft.draft_id, signed(draft.payload, ada.key))
    assert drafts.find(TOKEN, draft.draft_id).state == "waiting"


def test_without_a_key_nothing_is_rendered(drafts: Drafts, ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.recording.render", lambda *_: pytest.fail("it was rendered"))
    with pytest.raises(DraftError, match="no key of it is on record"):
        ask(party="somebody")
    with pytest.raises(DraftError, match="no key of it is on record"):
        ask(party="")  # the owner has none


def test_what_waits_is_bounded(home: Home, drafts: Drafts, ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.drafts.MAX_OF_A_TOKEN", 1)
    monkeypatch.setattr("api.drafts.MAX_WAITING", 2)
    first = ask()
    with pytest.raises(DraftError, match="1 edits that this token asked for wait"):
        ask()
    ask(OTHER)
    with pytest.raises(DraftError, match="2 edits wait"):
        ask("01a1f9da-0000-7000-8000-000000000003")
    assert len(folders(home)) == 2
    drafts.withdraw(TOKEN, first.draft_id)
    with pytest.raises(NothingThereError):
        drafts.find(TOKEN, first.draft_id)
    assert first.draft_id not in folders(home)
    assert ask().state == "waiting"


def test_of_two_that_are_prepared_at_once_one_is_too_many(home: Home, drafts: Drafts, ask, monkeypatch) -> None:
    monkeypatch.setattr("api.drafts.MAX_WAITING", 1)
    outcomes: list[object] = []
    together = threading.Barrier(2)
    place = drafts._files.place

    def wait_and_place(*arguments: object) -> None:
        together.wait(60)
        place(*arguments)

    monkeypatch.setattr(drafts._files, "place", wait_and_place)

    def attempt() -> None:
        try:
            outcomes.append(ask().state)
        except DraftError:
            outcomes.append(DraftError)

    threads = [threading.Thread(target=attempt) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes, key=str) == [DraftError, "waiting"]
    assert len(folders(home)) == 1


def test_what_expires_goes_with_its_files(home: Home, drafts: Drafts, ada: Contributor, ask, monkeypatch) -> None:
    draft, done = ask(), ask()
    drafts.sign(TOKEN, done.draft_id, signed(done.payload, ada.key))
    monkeypatch.setattr("api.drafts.now", lambda: draft.expires)
    with pytest.raises(NothingThereError, match=f"for {DAYS} days"):
        drafts.sign(TOKEN, draft.draft_id, signed(draft.payload, ada.key))
    drafts.clear()
    with home.reading() as connection:
        assert store.find_edit_draft(connection, draft.draft_id) is None
    assert (folders(home), warnings(home)) == ([], [])


def test_what_was_altered_while_it_waited_is_not_recorded(home: Home, drafts: Drafts, ada: Contributor, ask) -> None:
    size, kept = home.log.size(), home.objects.root / "drafts"
    for what, refusal in (("a file of it", ObjectError), ("its sound", AudioError)):
        draft = ask()
        name = draft.mix if what == "its sound" else parse(draft.payload).predicate.content.files[0].asset_digest
        path = kept / draft.draft_id / name[7:9] / name[9:]
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(refusal):
            drafts.sign(TOKEN, draft.draft_id, signed(draft.payload, ada.key))
        assert drafts.find(TOKEN, draft.draft_id).state == "waiting"
    assert home.log.size() == size


def test_another_sound_than_the_one_described_is_not_recorded(
    home: Home, drafts: Drafts, ada: Contributor, ask, tmp_path: Path, studio: Studio
) -> None:
    one, other = ask(), ask(file=transposed(studio.midi, tmp_path / "other.mid", notes=3))
    with home.writing() as connection:
        assert store.change_edit_draft(connection, one.draft_id, "waiting", mix=other.mix)
    kept = home.objects.root / "drafts"
    shutil.copytree(kept / other.draft_id, kept / one.draft_id, dirs_exist_ok=True)
    with pytest.raises(DraftError, match="not measured as it was"):
        drafts.sign(TOKEN, one.draft_id, signed(one.payload, ada.key))


def test_erasing_a_party_or_what_would_be_a_recording(
    home: Home, drafts: Drafts, ask, ada: Contributor, studio: Studio, tmp_path: Path
) -> None:
    """What somebody wrote into the file they sent is nowhere afterwards."""
    name = "Zacharias Quetzalcoatl"
    score = read_midi(transposed(studio.midi, tmp_path / "named.mid"))
    write_midi(replace(score, title=name), tmp_path / "named.mid")
    one, two = ask(file=tmp_path / "named.mid"), ask()

    def holding() -> list[Path]:
        return [each for each in home.root.rglob("*") if each.is_file() and name.encode() in each.read_bytes()]

    assert holding()
    assert erase(home, one.recording_id).withdrawn == [one.draft_id]
    assert not holding()
    assert (folders(home), drafts.find(TOKEN, two.draft_id).state) == ([two.draft_id], "waiting")
    assert erase(home, ada.party_id, ["name"]).withdrawn == []
    assert erase(home, ada.party_id).withdrawn == [two.draft_id]
    with pytest.raises(NothingThereError):
        drafts.sign(TOKEN, two.draft_id, signed(two.payload, ada.key))
    with pytest.raises(NothingThereError):
        erase(home, ada.party_id)
    assert (folders(home), warnings(home)) == ([], [])


PROGRAM = """
import os, signal, sys
from pathlib import Path
from api import drafts
from api.home import Home
from api.settings import Settings
from api.submission import Intake

root, step, token, draft_id, envelope = sys.argv[1:]
home = Home(Settings(home=Path(root), device="cpu"))

def killed(*_arguments, **_options):
    os.kill(os.getpid(), signal.SIGKILL)

match step:
    case "within the transaction":
        home.index.add = killed
    case "before the seal":
        drafts.complete = killed
    case "within the sealing transaction":
        change = drafts.store.change_edit_draft
        drafts.store.change_edit_draft = lambda *a, **o: killed() if o["state"] == "sealed" else change(*a, **o)
    case "before the files are removed":
        drafts.DraftFiles.remove = killed
drafts.Drafts(home, Intake(home)).sign(token, draft_id, Path(envelope).read_bytes())
"""


@pytest.mark.parametrize(
    ("step", "state"),
    [
        ("within the transaction", "waiting"),
        ("before the seal", "recorded"),
        ("within the sealing transaction", "recorded"),
        ("before the files are removed", "sealed"),
    ],
)
def test_killed_at_any_step_it_waits_or_is_on_record(
    home: Home, opened: Callable[[], Home], ada: Contributor, ask, tmp_path: Path, step: str, state: str
) -> None:
    draft, envelope = ask(), tmp_path / "envelope"
    envelope.write_bytes(signed(draft.payload, ada.key))
    command = [sys.executable, "-c", PROGRAM, str(home.root), step, TOKEN, draft.draft_id, str(envelope)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    again = opened()
    drafts = Drafts(again, Intake(again))
    assert drafts.find(TOKEN, draft.draft_id).state == state
    assert fsck(again).problems == ()
    if step == "before the seal":  # the next start ends it
        drafts.start()
        drafts.stop()
        assert drafts.find(TOKEN, draft.draft_id).state == "sealed"
    made = drafts.sign(TOKEN, draft.draft_id, envelope.read_bytes())
    kinds = [parse(Envelope.parse(entry.data).payload) for entry in again.log.entries()]
    about = [each.kind for each in kinds if getattr(each.predicate, "recording_id", "") == made.recording_id]
    assert about == ["edit", "rendition"]
    assert fsck(again).problems == ()
    assert not [each for each in fsck(again).warnings if "recording" in each.where]


def test_what_was_interrupted_before_it_waited_is_removed(home: Home, drafts: Drafts, ask, monkeypatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "add_edit_draft", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ask()
    assert len(folders(home)) == 1
    drafts.clear()
    assert len(folders(home)) == 1  # it may be on its way
    monkeypatch.setattr("api.draft_files._STALE_SECONDS", -1)
    drafts.clear()
    assert folders(home) == []


def test_on_postgresql(new_postgresql: Callable[[], str], tmp_path: Path) -> None:
    home = Home(Settings(home=tmp_path / "home", database=new_postgresql(), device="cpu"))
    made = generate(home, GenerationRequest("a busy allegro in D major", seed=11, bars=3), tmp_path / "take.wav")
    ada, drafts = contributor(home, tmp_path), Drafts(home, Intake(home))
    edited = transposed(tmp_path / "take.mid", tmp_path / "edited.mid")

    def ask() -> store.EditDraft:
        return drafts.prepare(TOKEN, made.recording_id, edited, party_id=ada.party_id, role="Composer", licence="")

    one, two, three = ask(), ask(), ask()
    envelope = signed(one.payload, ada.key)
    recorded = drafts.sign(TOKEN, one.draft_id, envelope)
    assert drafts.sign(TOKEN, one.draft_id, envelope) == recorded
    drafts.withdraw(TOKEN, two.draft_id)
    assert folders(home) == [three.draft_id]
    assert erase(home, ada.party_id).withdrawn == [three.draft_id]
    assert (folders(home), warnings(home)) == ([], [])
    home.close()
