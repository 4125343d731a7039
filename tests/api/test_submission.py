"""From a key in somebody's drawer to an entry in the log, and what the door keeps out."""

import json
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from api.custody import Custody
from api.errors import NothingThereError, UsageError
from api.home import Draft, Home
from api.key_record import record, register_key, revocation, rotate_service_key, rotation, term_of
from api.key_statements import registration_statement, revocation_statement, rotation_statement
from api.registration import party_statement
from api.registry import add_party
from api.settings import Settings
from api.signing import leaf_of, signed
from api.submission import Intake, submit
from ledger.entry import Receipt
from ledger.envelope import Envelope
from ledger.key_file import create_key, load_key
from ledger.keys import Ed25519Signer
from provenance.admission import Limits
from provenance.document import links
from provenance.errors import (
    AdmissionError,
    DuplicateStatementError,
    KeyTakenError,
    OversizedEntryError,
    ReplacedKeyError,
    RevokedKeyError,
    UnknownKeyError,
    WrongLinkError,
    WrongRoleError,
)
from provenance.identity import new_id
from provenance.keyring import Keyring
from provenance.kind import LINKED
from provenance.signed_entry import read_entry
from provenance.source_predicate import PartyPredicate
from provenance.statement import Statement, Subject, header
from tests.provenance.key_log import SOME


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home made once; what it holds is copied by those who change its keys."""
    root = tmp_path_factory.mktemp("homes") / "home"
    home = Home(Settings(home=root, device="cpu"))
    home.engine.dispose()
    return root


@pytest.fixture
def open_home(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Home]]:
    root, opened = tmp_path / "home", []
    shutil.copytree(made, root)
    monkeypatch.setenv("LINERNOTES_HOME", str(root))

    def open_() -> Home:
        opened.append(Home(Settings(home=root, device="cpu")))
        return opened[-1]

    yield open_
    for each in opened:
        each.engine.dispose()


@pytest.fixture
def home(open_home: Callable[[], Home]) -> Home:
    return open_home()


@pytest.fixture
def intake(home: Home) -> Intake:
    return Intake(home)


def party_of(home: Home) -> str:
    return add_party(home, "Ada").party_id


def registered(home: Home, intake: Intake, role: str = "party", **options: object) -> Ed25519Signer:
    key = Ed25519Signer.generate()
    party = party_of(home) if role == "party" else ""
    envelope = signed(registration_statement(role, key.verifier, home.log_vkey, party).to_bytes(), key)
    register_key(home, intake, envelope, role=role, party=party, **options)
    return key


def a_party(home: Home) -> bytes:
    return signed(party_statement("person", "Bea")[0].to_bytes(), home.service)


def test_a_home_s_own_entries_make_its_ring(home: Home, intake: Intake) -> None:
    ring = intake.keyring()
    assert ring.size == home.log.size()
    assert ring.term(home.service.keyid).key.role == "service"
    assert ring.log == ((home.log_vkey, 0),)
    assert home.credential
    home.require_signer()
    assert {key.role for key in intake.keyring().keys.values()} == {"log", "service", "c2pa"}


def test_all_that_the_pipeline_signs_is_allowed(studio) -> None:
    """Every entry of a home that made a recording, with every signature checked and every rule asked."""
    home = Home(Settings(home=studio.home, device="cpu"))
    ring = Keyring()
    for entry in home.log.entries():
        ring = ring.after(read_entry(entry.index, entry.data, ring.keys))
    assert ring == Intake(home).keyring()
    assert ring.size == home.log.size() > 6
    home.engine.dispose()


def test_what_a_pipeline_links_to_could_be_linked_to_from_outside(finished_studio) -> None:
    home = Home(Settings(home=finished_studio.home, device="cpu"))
    statements = {entry.leaf_hash.hex(): home.statement(entry.leaf_hash.hex()) for entry in home.log.entries()}
    linking = set()
    for statement in statements.values():
        for place, leaf in links(statement.predicate):
            linking.add(statement.kind)
            assert statements[leaf.removeprefix("sha256:")].kind in LINKED[statement.kind][place]
    assert {"generation", "rendition", "model"} <= linking
    home.engine.dispose()


def test_a_link_to_an_entry_of_another_kind(studio) -> None:
    """What was recorded here, said anew of the registration of the home's own key."""
    home = Home(Settings(home=studio.home, device="cpu"))
    entries = [(entry, home.statement(entry.leaf_hash.hex())) for entry in home.log.entries()]
    rendition = next(statement for _, statement in entries if statement.kind == "rendition")
    anew, size = {"statement_id": new_id()}, home.log.size()
    for entry, statement in entries:
        of = {"of": f"sha256:{entry.leaf_hash.hex()}"}
        made = replace(rendition, predicate=rendition.predicate.model_copy(update=anew | of))
        envelope = signed(made.to_bytes(), home.service)
        if statement.kind != "generation":
            with pytest.raises(WrongLinkError, match=f"of is .* of an entry of the kind {statement.kind}; "):
                submit(home, [envelope])
    assert home.log.size() == size
    home.engine.dispose()


def test_what_is_admitted_is_appended_as_it_came_and_folded(home: Home, intake: Intake) -> None:
    envelopes = [a_party(home) for _ in range(3)]
    receipts = intake.submit(envelopes)
    assert [home.log.entry(receipt.index).data for receipt in receipts] == envelopes
    assert [home.statement(leaf_of(data)).kind for data in envelopes] == ["party"] * 3
    assert submit(home, [a_party(home)])[0].index == receipts[-1].index + 1


def test_what_is_refused_leaves_no_trace(home: Home, intake: Intake) -> None:
    size = home.log.size()
    for bad in (b"", b"{}", signed(party_statement("person", "Eve")[0].to_bytes(), Ed25519Signer.generate())):
        with pytest.raises(AdmissionError, match="Entry 1 of the batch"):
            intake.submit([a_party(home), bad])
    with pytest.raises(OversizedEntryError):
        Intake(home, Limits(max_entry_bytes=100)).submit([a_party(home)])
    assert home.log.size() == size


def test_an_identifier_is_used_once(home: Home, intake: Intake) -> None:
    predicate = party_statement("person", "Ada")[0].predicate
    other = PartyPredicate.model_validate(
        header(PartyPredicate) | predicate.model_dump() | {"party_id": "another", "kind": "organisation"}
    )
    assert other.statement_id == predicate.statement_id
    envelopes = [signed(Statement((Subject("x", SOME),), each).to_bytes(), home.service) for each in (predicate, other)]
    size = home.log.size()
    with pytest.raises(DuplicateStatementError, match="identifiers are random and used once"):
        intake.submit(envelopes)
    assert home.log.size() == size


def test_a_revocation_that_comes_between_admission_and_append_counts(home: Home, intake: Intake, monkeypatch) -> None:
    """The door let the statement in; in the doorway stands a revocation that another process appended."""
    key = registered(home, intake, "witness")
    rotated = registered(home, intake, "witness")
    statement = signed(
        rotation_statement(
            "witness", key.keyid, rotated.keyid, intake.keyring().keys[rotated.keyid].leaf_hash
        ).to_bytes(),
        key,
        rotated,
    )
    other, append = Intake(home), home.append

    def after_the_revocation(drafts: Sequence[Draft], **options: object) -> list[Receipt]:
        monkeypatch.setattr(home, "append", append)
        record(other, [revocation(other.keyring(), key.keyid, home.service, "compromised")])
        return append(drafts, **options)

    monkeypatch.setattr(home, "append", after_the_revocation)
    with pytest.raises(RevokedKeyError):
        intake.submit([statement])
    assert intake.keyring().term(key.keyid).ending.reason == "compromised"


def test_of_threads_that_register_one_key_one_wins(home: Home, intake: Intake) -> None:
    key = Ed25519Signer.generate()
    outcomes: list[object] = []

    def attempt() -> None:
        envelope = signed(registration_statement("witness", key.verifier, home.log_vkey).to_bytes(), key)
        try:
            outcomes.append(register_key(home, intake, envelope, role="witness").log_index)
        except KeyTakenError as error:
            outcomes.append(type(error))

    threads = [threading.Thread(target=attempt) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 6
    assert outcomes.count(KeyTakenError) == 5
    assert intake.keyring().term(key.keyid).key.index in outcomes


# Registering


def test_the_home_grants_what_was_asked_for_and_nothing_else(home: Home, intake: Intake) -> None:
    key, party = Ed25519Signer.generate(), party_of(home)

    def asks(role: str, whose: str = "") -> bytes:
        return signed(registration_statement(role, key.verifier, home.log_vkey, whose).to_bytes(), key)

    with pytest.raises(UsageError, match="asks for the role service, and you are granting the role party"):
        register_key(home, intake, asks("service"), role="party", party=party)
    with pytest.raises(UsageError, match="for the party 'another'"):
        register_key(home, intake, asks("party", "another"), role="party", party=party)
    with pytest.raises(NothingThereError, match="has no party 'another'"):
        register_key(home, intake, asks("party", "another"), role="party", party="another")
    with pytest.raises(UsageError, match="party statement, and no registration"):
        register_key(home, intake, a_party(home), role="party", party=party)
    recorded = register_key(home, intake, asks("party", party), role="party", party=party)
    assert recorded.kind == "key"
    assert {s.keyid for s in Envelope.parse(home.log.entry(recorded.log_index).data).signatures} == {
        key.keyid,
        home.service.keyid,
    }


# The service key


def test_the_service_key_is_replaced_and_the_home_goes_on(open_home, home: Home, intake: Intake) -> None:
    old = home.service
    home.require_signer()
    recorded = rotate_service_key(home, intake)
    assert [each.kind for each in recorded] == ["key", "rotation", "key"]
    assert sorted(path.name for path in (home.root / "keys").glob("service*")) == ["service.pem"]
    again = open_home()
    assert again.service.keyid != old.keyid
    with pytest.raises(ReplacedKeyError):
        submit(again, [signed(party_statement("person", "Eve")[0].to_bytes(), old)])
    submit(again, [a_party(again)])
    key = again.statement(again.service_key_leaf).predicate
    assert (key.role, key.keyid) == ("service", again.service.keyid)
    signer = Envelope.parse(again.signer_exhibit.envelope)
    assert [signature.keyid for signature in signer.signatures] == [again.service.keyid]


def test_a_rotation_that_was_interrupted_is_finished(open_home, home: Home, intake: Intake, monkeypatch) -> None:
    """Stopped after the log took it, and before the new key had the old one's place."""
    monkeypatch.setattr(Custody, "settle", lambda *_: None)
    rotate_service_key(home, intake)
    monkeypatch.undo()
    keys = home.root / "keys"
    new = load_key(keys / "service-next.pem")
    assert load_key(keys / "service.pem").keyid == home.service.keyid != new.keyid
    again = open_home()
    assert again.service.keyid == load_key(keys / "service.pem").keyid == new.keyid
    assert not (keys / "service-next.pem").exists()
    submit(again, [a_party(again)])


def test_a_rotation_that_never_reached_the_log_changes_nothing(open_home, home: Home, intake: Intake) -> None:
    keys = home.root / "keys"
    next_ = create_key(keys / "service-next.pem")
    assert open_home().service.keyid == load_key(keys / "service.pem").keyid == home.service.keyid
    rotate_service_key(home, intake)
    assert load_key(keys / "service.pem").keyid == next_.keyid == home.service.keyid
    submit(home, [a_party(home)])


def test_the_term_of_a_key_as_an_answer(home: Home, intake: Intake) -> None:
    key, new = registered(home, intake, "witness"), registered(home, intake, "witness")
    assert term_of(intake.keyring(), key.keyid).ending is None
    [recorded] = record(intake, [rotation(intake.keyring(), key, new)])
    term = term_of(intake.keyring(), key.keyid)
    assert (term.stop, term.ending.successor, term.ending.reason) == (recorded.log_index + 1, new.keyid, "replaced")
    with pytest.raises(UnknownKeyError):
        term_of(intake.keyring(), Ed25519Signer.generate().keyid)
    with pytest.raises(UsageError, match="bored"):
        revocation_statement(key.keyid, term.leaf_hash, "bored")


# The whole story, by its commands


def test_from_a_new_key_to_its_revocation_by_commands(linernotes, home: Home, tmp_path: Path) -> None:
    party = linernotes("party", "add", "--name", "Ada", "--json").json["party_id"]
    log = (home.root / "keys" / "log.vkey").read_text().strip()

    def new(name: str, *options: str) -> str:
        made = linernotes(
            "key", "new", "-o", tmp_path / f"{name}.pem", "--registration", tmp_path / f"{name}.key",
            "--log", log, "--json", *options,
        )  # fmt: skip
        return made.json["keyid"]

    first, second = new("first", "--party", party), new("second", "--party", party)
    owner = new("owner", "--role", "owner")
    for name in ("first", "second"):
        done = linernotes("key", "register", tmp_path / f"{name}.key", "--party", party, "--json")
        assert [entry["kind"] for entry in done.json["entries"]] == ["key"], done.err
    assert linernotes("key", "register", tmp_path / "owner.key").code == 2
    assert "key" in linernotes("key", "register", tmp_path / "owner.key", "--role", "owner").out

    rotated = linernotes("key", "rotate", tmp_path / "first.pem", tmp_path / "second.pem", "--json").json["entries"][0]
    assert rotated["kind"] == "rotation"
    at = rotated["log_index"]
    assert "replaced by" in linernotes("key", "show", first).out.replace("\n", " ")
    assert linernotes("key", "show", first, "--json").json["stop"] == at + 1

    done = linernotes("key", "revoke", second, "--reason", "compromised", "--from-index", at + 1)
    assert done.code == 0, done.err
    assert f"to {at}" in done.out
    assert "does not count" in linernotes("key", "show", second, "--at", at + 1).out
    assert "is spared and counts" in linernotes("key", "show", second, "--at", at).out
    reach = linernotes("key", "revoke", second, "--reason", "lost", "--from-index", 0, "--key", tmp_path / "second.pem")
    assert (reach.code, "does not count" in reach.err) == (2, True)

    service = home.service.keyid
    refused = linernotes("key", "revoke", service, "--reason", "lost", "--from-index", at)
    assert refused.code == 2
    term = linernotes("key", "show", owner, "--json").json
    done = linernotes(
        "key", "revoke", service, "--reason", "compromised", "--key", tmp_path / "owner.pem",
        "--from-index", term["log_index"] + 1, "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "does not count" in linernotes("key", "show", service, "--at", at).out


def test_statements_signed_elsewhere_are_submitted_by_command(linernotes, home: Home, tmp_path: Path) -> None:
    statement = tmp_path / "party.statement"
    statement.write_bytes(party_statement("person", "Ada")[0].to_bytes())
    envelope = tmp_path / "party.envelope"
    service = home.root / "keys" / "service.pem"
    assert linernotes("sign", statement, "--key", service, "-o", envelope).code == 0
    done = linernotes("submit", envelope, "--json")
    assert done.json["entries"][0]["leaf_hash"] == leaf_of(envelope.read_bytes())
    again = linernotes("submit", envelope)
    assert (again.code, "Traceback" in again.err) == (2, False)
    envelope.write_bytes(json.dumps({}).encode())
    assert linernotes("submit", envelope).code == 2
    assert linernotes("key", "rotate", "one.pem").code == 2


def test_wrong_roles_are_told_apart_at_the_command(home: Home, intake: Intake) -> None:
    key = registered(home, intake, "witness")
    with pytest.raises(WrongRoleError):
        submit(home, [signed(party_statement("person", "Eve")[0].to_bytes(), key)])
