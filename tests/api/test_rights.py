"""Verdicts about files: what is in doubt is part of what was decided, and of what is on record."""

import json

import pytest
import rfc8785

from api.closure import closure_document
from api.history import recording
from api.home import Home
from api.recognition import ForeignManifest, Found
from api.rights import ask, check, check_found, decided_again
from api.settings import load_settings
from licensing.question import Question
from provenance.identity import digest
from provenance.use_predicate import CheckPredicate

ASSET = digest(b"a file")
FOREIGN = ForeignManifest("urn:c2pa:1", "example.com/log", "01a1", "Somebody")


@pytest.fixture
def home(studio) -> Home:
    return Home(load_settings())


@pytest.fixture
def question(home) -> Question:
    return ask(home, "commercial-release", "DE", None, None)


def found(home, studio, **doubts: object) -> Found:
    return Found(recording(home, studio.recording_id), "fingerprint", asset_digest=ASSET, **doubts)


def test_a_file_without_doubts_gets_the_verdict_of_its_recording(home, studio, question) -> None:
    known = found(home, studio)
    file, itself = check_found(home, known, question), check(home, known.recording, question)
    assert file.verdict.result == itself.verdict.result == "ALLOW"
    assert file.verdict.reasons == itself.verdict.reasons
    nameless = found(home, studio, foreign=ForeignManifest("urn:c2pa:1", "", "", "A delivery tool"))
    delivered = check_found(home, nameless, question)
    assert delivered.verdict.reasons == itself.verdict.reasons
    assert delivered.answer(nameless).foreign_manifest.signer == "A delivery tool"


@pytest.mark.parametrize(
    ("doubts", "codes"),
    [
        ({"unlike": "something is left"}, {"identity-not-shown"}),
        ({"foreign": FOREIGN}, {"other-log"}),
        ({"unlike": "something is left", "foreign": FOREIGN}, {"identity-not-shown", "other-log"}),
    ],
)
def test_a_doubt_is_held_recorded_and_decided_again(home, studio, question, doubts: dict, codes: set[str]) -> None:
    doubtful = found(home, studio, **doubts)
    checked = check_found(home, doubtful, question)
    answer = checked.answer(doubtful)
    assert (answer.verdict, answer.recording_id) == ("HOLD", studio.recording_id)
    assert {reason.code for reason in answer.reasons if reason.result == "HOLD"} == codes
    assert all(reason.path[0] == ASSET for reason in answer.reasons)
    assert (answer.foreign_manifest is None) is ("foreign" not in doubts)
    statement = home.statement(checked.leaf_hash)
    assert isinstance(statement.predicate, CheckPredicate)
    assert statement.predicate.recording_id == studio.recording_id
    assert json.loads(checked.opening.value) == checked.verdict.to_document()
    facts = rfc8785.dumps(closure_document(checked.closure))
    assert decided_again(facts, checked.opening.value.encode())[0] == "pass"
