import json

import pytest

from api.closure import closure_document, closure_from_document, closure_of
from api.history import history, recording
from api.home import Home
from api.rights import decided_again
from api.settings import load_settings
from licensing.closure import Closure, File
from licensing.errors import LicensingError
from licensing.policy import shipped_policy
from licensing.question import parse_question
from licensing.terms import shipped_table
from licensing.verdict import decide
from provenance.identity import digest, now


@pytest.fixture
def closure(studio) -> Closure:
    home = Home(load_settings())
    return closure_of(history(home, recording(home, studio.recording_id)), 5, digest(b"root"))


def encoded(closure) -> bytes:
    import rfc8785

    return rfc8785.dumps(closure_document(closure))


def test_a_closure_survives_its_wire_form(closure) -> None:
    assert closure_from_document(encoded(closure)) == closure


def test_a_closure_has_every_item_of_the_corpus(closure) -> None:
    [corpus] = [node for node in closure.nodes if type(node).__name__ == "Corpus"]
    assert len(corpus.items) == 110


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"root": 1}'])
def test_rubbish_is_no_closure(data: bytes) -> None:
    with pytest.raises((ValueError, LicensingError)):
        closure_from_document(data)


@pytest.mark.parametrize("territory", ["DE", "MX", "US"])
def test_the_same_facts_give_the_same_verdict_again(closure, territory: str) -> None:
    question = parse_question("commercial-release", territory, None, now())
    verdict = decide(closure, question, shipped_table(), shipped_policy())
    result, detail = decided_again(encoded(closure), verdict.to_bytes())
    assert result == "pass", detail
    assert verdict.result in detail


def test_a_verdict_that_no_longer_holds_fails(closure) -> None:
    question = parse_question("commercial-release", "MX", None, now())
    verdict = decide(closure, question, shipped_table(), shipped_policy())
    result, detail = decided_again(encoded(closure), verdict.to_bytes().replace(b'"HOLD"', b'"ALLOW"'))
    assert result == "fail"
    assert "today it is HOLD" in detail


def test_a_verdict_for_a_day_before_the_recording_fails(closure) -> None:
    question = parse_question("commercial-release", "DE", None, now())
    verdict = decide(closure, question, shipped_table(), shipped_policy())
    document = json.loads(verdict.to_bytes())
    document["question"]["use_date"] = "1913-11-20"
    result, detail = decided_again(encoded(closure), json.dumps(document).encode())
    assert result == "fail"
    assert "before the recording was made" in detail


def test_a_verdict_by_a_policy_that_is_not_at_hand_is_not_checked(closure) -> None:
    question = parse_question("commercial-release", "DE", None, now())
    verdict = decide(closure, question, shipped_table(), shipped_policy())
    document = verdict.to_bytes().replace(b"cautious-1", b"label-7")
    assert decided_again(encoded(closure), document)[0] == "not-checked"


@pytest.mark.parametrize(("unlike", "other_log"), [("something is left", ""), ("", "example.com/log"), ("x", "y")])
def test_a_file_in_doubt_is_held_and_survives_its_wire_form(closure, studio, unlike: str, other_log: str) -> None:
    home = Home(load_settings())
    past = history(home, recording(home, studio.recording_id))
    file = File(digest(b"file"), unlike, other_log)
    doubtful = closure_of(past, 5, digest(b"root"), file)
    assert closure_from_document(encoded(doubtful)) == doubtful
    assert (doubtful.root, doubtful.recording()) == (file.id, closure.recording())
    question = parse_question("commercial-release", "DE", None, now())
    verdict = decide(doubtful, question, shipped_table(), shipped_policy())
    held = {reason.code: reason.path for reason in verdict.reasons if reason.result.value == "HOLD"}
    expected = {"identity-not-shown": (file.id, studio.recording_id)} if unlike else {}
    assert held == expected | ({"other-log": (file.id,)} if other_log else {})
    assert decided_again(encoded(doubtful), verdict.to_bytes())[0] == "pass"
