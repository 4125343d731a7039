"""Edits that wait for a signature: bounded, durable, good for one signature by the right key, and then gone."""

from __future__ import annotations

import errno
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import pytest

import api.drafts
from api import store
from api.draft_files import DraftFiles
from api.drafts import DAYS, Drafts
from api.erasure import erase
from api.errors import DraftError, NothingThereError
from api.history import history, recording
from api.home import Home
from api.integrity import fsck
from api.key_record import record, register_key, revocation
from api.key_statements import registration_statement
from api.problems import KNOWN
from api.recording import generate
from api.schemas.recording import RecordingMade
from api.settings import Settings
from api.signing import signed
from api.submission import Intake
from generator.midi import read_midi, write_midi
from generator.request import GenerationRequest
from ledger.database import appending
from ledger.envelope import Envelope, EnvelopeSignature
from ledger.key_file import create_key
from ledger.keys import Ed25519Signer
from provenance.errors import (
    AdmissionError,
    BadSignatureError,
    DamagedObjectError,
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

    from ledger.log import Receipt
    from tests.conftest import Studio

T = TypeVar("T")
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


def kinds(home: Home, recording_id: str) -> list[str]:
    """What the log says about a recording."""
    statements = [parse(Envelope.parse(entry.data).payload) for entry in home.log.entries()]
    return [each.kind for each in statements if getattr(each.predicate, "recording_id", "") == recording_id]


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
    for what in ("a file of it", "its sound"):
        draft = ask()
        name = draft.mix if what == "its sound" else parse(draft.payload).predicate.content.files[0].asset_digest
        path = kept / draft.draft_id / name[7:9] / name[9:]
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(DamagedObjectError, match=f"{draft.draft_id} is missing, or was altered.*Ask for the edit"):
            drafts.sign(TOKEN, draft.draft_id, signed(draft.payload, ada.key))
        path.unlink()
        with pytest.raises(DamagedObjectError, match="is missing, or was altered"):
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
    """What somebody wrote into the file they sent is nowhere afterwards, nor is what was to be signed."""
    name = "Zacharias Quetzalcoatl"
    score = read_midi(transposed(studio.midi, tmp_path / "named.mid"))
    write_midi(replace(score, title=name), tmp_path / "named.mid")
    one, two = ask(file=tmp_path / "named.mid"), ask()

    def holding(what: str) -> list[Path]:
        return [each for each in home.root.rglob("*") if each.is_file() and what.encode() in each.read_bytes()]

    assert holding(one.recording_id)
    assert erase(home, one.recording_id).withdrawn == [one.draft_id]
    assert not holding(one.recording_id)
    assert not holding(name)
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
    assert kinds(again, made.recording_id) == ["edit", "rendition"]
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


class Interrupted(Intake):
    """Something else happens just before a submission.

    Attributes:
        meanwhile: What; once.
    """

    def __init__(self, home: Home) -> None:
        super().__init__(home)
        self.meanwhile: list[Callable[[], object]] = []

    def submit(self, *arguments: object, **options: object) -> list[Receipt]:
        while self.meanwhile:
            self.meanwhile.pop()()
        return super().submit(*arguments, **options)


@dataclass(frozen=True)
class Services:
    """Two services of one home, as two processes would be, and an edit that waits.

    Attributes:
        one: With a way into the log that can be interrupted.
        intake: That way.
        other: The other service.
        envelope: Its signature.
    """

    home: Home
    one: Drafts
    intake: Interrupted
    other: Drafts
    draft: store.EditDraft
    envelope: bytes

    def sign(self, service: Drafts) -> RecordingMade:
        return service.sign(TOKEN, self.draft.draft_id, self.envelope)

    def is_on_record_once(self) -> bool:
        """Whether nothing is left of it but one recording with one file."""
        left = (folders(self.home), warnings(self.home), list((self.home.objects.root / "staging").iterdir()))
        return left == ([], [], []) and kinds(self.home, self.draft.recording_id) == ["edit", "rendition"]


on_both = pytest.mark.parametrize("services", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def services(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Services]:
    if getattr(request, "param", "sqlite") == "sqlite":
        studio = request.getfixturevalue("studio")
        settings, recording_id, midi = Settings(home=studio.home, device="cpu"), studio.recording_id, studio.midi
        home = Home(settings)
    else:
        settings = Settings(home=tmp_path / "home", database=request.getfixturevalue("new_postgresql")(), device="cpu")
        home, midi = Home(settings), tmp_path / "take.mid"
        asked = GenerationRequest("a busy allegro in D major", seed=11, bars=3)
        recording_id = generate(home, asked, tmp_path / "take.wav").recording_id
    second = Home(settings)
    ada, intake = contributor(home, tmp_path), Interrupted(home)
    one, other = Drafts(home, intake), Drafts(second, Intake(second))
    edited = transposed(midi, tmp_path / "edited.mid")
    draft = one.prepare(TOKEN, recording_id, edited, party_id=ada.party_id, role="Composer", licence="")
    yield Services(home, one, intake, other, draft, signed(draft.payload, ada.key))
    for each in (home, second):
        each.close()


def at_once(*tasks: Callable[[], T]) -> list[T | Exception]:
    """Do some things in threads of their own, and return what each of them came to."""
    outcomes: list[T | Exception] = []

    def attempt(task: Callable[[], T]) -> None:
        try:
            outcomes.append(task())
        except (*KNOWN, OSError) as fault:
            outcomes.append(fault)

    threads = [threading.Thread(target=attempt, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


@on_both
def test_one_envelope_sent_to_two_services_at_once_has_one_answer(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each finds it waiting, and each seals it."""
    finding, sealing = threading.Barrier(2, timeout=10), threading.Barrier(2, timeout=10)
    measured, complete = Drafts._measured, api.drafts.complete

    def found_by_both(*arguments: object) -> object:
        finding.wait()
        return measured(*arguments)

    def sealed_by_both(*arguments: object) -> None:
        sealing.wait()
        complete(*arguments)

    monkeypatch.setattr(Drafts, "_measured", found_by_both)
    monkeypatch.setattr("api.drafts.complete", sealed_by_both)
    first, second = at_once(lambda: services.sign(services.one), lambda: services.sign(services.other))
    assert isinstance(first, RecordingMade), first
    assert first == second == services.sign(services.one)
    assert services.is_on_record_once()


def test_many_times_at_once_without_being_told_when(services: Services) -> None:
    both = (services.one, services.other) * 2
    answers = at_once(*(lambda service=each: services.sign(service) for each in both))
    assert isinstance(answers[0], RecordingMade), answers
    assert answers == [answers[0]] * 4
    assert services.is_on_record_once()


def test_of_two_envelopes_at_once_one_is_taken(services: Services, tmp_path: Path) -> None:
    """Each is good: the party has two keys."""
    second = create_key(tmp_path / "second.pem")
    asked = registration_statement("party", second.verifier, services.home.log_vkey, services.draft.party_id)
    register_key(
        services.home,
        Intake(services.home),
        signed(asked.to_bytes(), second),
        role="party",
        party=services.draft.party_id,
    )
    another = signed(services.draft.payload, second)
    services.intake.meanwhile.append(lambda: services.other.sign(TOKEN, services.draft.draft_id, another))
    with pytest.raises(DraftError, match="signed already, with another envelope"):
        services.sign(services.one)
    assert services.is_on_record_once()


@on_both
def test_a_service_that_starts_while_another_one_seals(
    services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    complete = api.drafts.complete

    def overtaken(home: Home, *arguments: object) -> None:
        if home is services.home:
            services.other.start()
            services.other.stop()
            assert services.other.find(TOKEN, services.draft.draft_id).state == "sealed"
        complete(home, *arguments)

    monkeypatch.setattr("api.drafts.complete", overtaken)
    made = services.sign(services.one)
    assert made == services.sign(services.other)
    assert services.is_on_record_once()
    assert not caplog.records


def test_a_service_that_starts_and_is_overtaken_has_nothing_to_report(
    services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    complete = api.drafts.complete
    monkeypatch.setattr("api.drafts.complete", failing)
    with pytest.raises(OSError, match="full"):
        services.sign(services.one)

    def overtaken(home: Home, *arguments: object) -> None:
        if home is not services.home:
            services.sign(services.one)
        complete(home, *arguments)

    monkeypatch.setattr("api.drafts.complete", overtaken)
    services.other.start()
    services.other.stop()
    assert services.is_on_record_once()
    assert not caplog.records


def failing(*_: object) -> None:
    raise OSError(errno.ENOSPC, "the disk is full")


def test_withdrawn_while_it_is_signed(services: Services) -> None:
    services.intake.meanwhile.append(lambda: services.other.withdraw(TOKEN, services.draft.draft_id))
    with pytest.raises(NothingThereError, match=f"for {DAYS} days"):
        services.sign(services.one)
    assert (folders(services.home), warnings(services.home)) == ([], [])
    assert kinds(services.home, services.draft.recording_id) == []


@on_both
def test_withdrawn_when_it_is_too_late(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """A withdrawal that comes during the transaction waits for it, and is told."""
    adopt = DraftFiles.adopt
    answers: list[store.EditDraft | Exception] = []
    withdrawal = threading.Thread(
        target=lambda: answers.extend(at_once(lambda: services.other.withdraw(TOKEN, services.draft.draft_id)))
    )

    def while_they_are_copied(*arguments: object) -> None:
        withdrawal.start()
        adopt(*arguments)

    monkeypatch.setattr(DraftFiles, "adopt", while_they_are_copied)
    assert services.sign(services.one).changes
    withdrawal.join()
    [refusal] = answers
    assert isinstance(refusal, DraftError)
    assert "it is on record" in str(refusal)
    assert services.is_on_record_once()


def test_withdrawn_twice_at_once(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    remove = store.remove_edit_draft
    monkeypatch.setattr(store, "remove_edit_draft", lambda *row: remove(*row) and remove(*row))
    with pytest.raises(NothingThereError):
        services.one.withdraw(TOKEN, services.draft.draft_id)


def test_expired_while_it_is_signed(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    def expire() -> None:
        monkeypatch.setattr("api.drafts.now", lambda: services.draft.expires)
        services.other.clear()

    services.intake.meanwhile.append(expire)
    with pytest.raises(NothingThereError, match=f"for {DAYS} days"):
        services.sign(services.one)
    assert (folders(services.home), warnings(services.home)) == ([], [])
    assert kinds(services.home, services.draft.recording_id) == []


def test_expired_while_its_files_are_read(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is no damage: there is nothing to be restored."""
    measured = Drafts._measured

    def gone(drafts: Drafts, draft: store.EditDraft, *more: object) -> object:
        with services.home.writing() as connection:
            store.remove_expired_edit_drafts(connection, draft.expires)
        DraftFiles(services.home.objects).remove(draft.draft_id)
        return measured(drafts, draft, *more)

    monkeypatch.setattr(Drafts, "_measured", gone)
    with pytest.raises(NothingThereError, match=f"for {DAYS} days"):
        services.sign(services.one)


def test_what_is_signed_in_its_last_moment_keeps_its_files(new_postgresql: Callable[[], str], tmp_path: Path) -> None:
    """On PostgreSQL, an expiry may begin before the signature is durable, and end after it."""
    home = Home(Settings(home=tmp_path / "home", database=new_postgresql(), device="cpu"))
    draft = store.EditDraft("a", TOKEN, "waiting", "b", "c", b"", "", "2026-11-20T12:00:00Z", "2026-11-27T12:00:00Z")
    with home.writing() as connection:
        store.add_edit_draft(connection, draft)
    expired: list[str] = []

    def expire() -> None:
        with home.writing() as connection:
            expired.extend(store.remove_expired_edit_drafts(connection, draft.expires))

    def waits() -> bool:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        with home.reading() as connection:
            return bool(connection.exec_driver_sql(query).scalar())

    expiry = threading.Thread(target=expire)
    with appending(home.engine) as connection:
        assert store.change_edit_draft(connection, "a", "waiting", state="recorded")
        expiry.start()
        _until(waits)
    expiry.join()
    assert expired == []
    with home.reading() as connection:
        assert store.edit_drafts_with_files(connection) == {"a"}
    home.close()


def test_the_keeper_outlives_a_fault_of_the_database(
    services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What it could not do in one round it does in the next."""
    monkeypatch.setattr("api.drafts._EVERY_SECONDS", 0.02)
    complete = api.drafts.complete
    monkeypatch.setattr("api.drafts.complete", failing)
    with pytest.raises(OSError, match="full"):
        services.sign(services.one)
    monkeypatch.setattr("api.drafts.complete", complete)
    with services.home.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE edit_draft RENAME TO away")
    services.other.start()
    _until(lambda: "edits that are recorded were not sealed" in caplog.text)
    with services.home.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO edit_draft")
    _until(lambda: services.one.find(TOKEN, services.draft.draft_id).state == "sealed")
    services.other.stop()
    assert services.is_on_record_once()


def test_what_is_sealed_late_is_answered_all_the_same(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is remembered for as long as if it had been given at once."""
    complete = api.drafts.complete
    monkeypatch.setattr("api.drafts.complete", failing)
    with pytest.raises(OSError, match="full"):
        services.sign(services.one)
    monkeypatch.setattr("api.drafts.complete", complete)
    with services.home.writing() as connection:
        store.change_edit_draft(connection, services.draft.draft_id, "recorded", expires="2020-01-01T00:00:00Z")
    services.other.start()
    services.other.stop()
    assert services.sign(services.one).recording_id == services.draft.recording_id
    assert services.is_on_record_once()


def test_the_keeper_outlives_a_defect(
    services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("api.drafts._EVERY_SECONDS", 0.02)
    monkeypatch.setattr(Drafts, "clear", lambda _: {}["nothing"])
    services.other.start()
    _until(lambda: caplog.text.count("edits that expired were not removed") > 1)
    services.other.stop()
    assert "KeyError" in caplog.text


def _until(happened: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_folders_that_another_process_removes_meanwhile(home: Home) -> None:
    files, root = DraftFiles(home.objects), home.objects.root / "drafts"
    for name in ("one", "two"):
        (root / name).mkdir(parents=True)

    class Vanishing(set[str]):
        """Each is gone as soon as somebody asks for it."""

        def __contains__(self, name: object) -> bool:
            shutil.rmtree(root / str(name))
            return False

    files.remove_others(Vanishing())
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
