"""The assertions as documents: what is written is read back, and what is malformed is refused."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.assertion import (
    MAX_ENVELOPE_BYTES,
    MAX_FURTHER,
    MAX_PROOF_CHARACTERS,
    SOURCE_TYPE_PREFIX,
    Action,
    LedgerEvidence,
    LoggedStatement,
    MiningPermission,
    ModelReference,
    SoftwareAgent,
    SourceType,
    TrainingMining,
    Use,
    iscc_of,
    require_iscc,
    soft_binding_document,
)
from provenance.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Callable

ISCC = "ISCC:EIDSJBBKJJ2IJICKMCHKUTROQYRGWAEEHIFIBBBKJI6INKCLMYCCA2Q"

texts = st.text(max_size=30)
digests = st.binary(min_size=32, max_size=32).map(lambda raw: "sha256:" + raw.hex())
models = st.builds(ModelReference, texts, digests)
agents = st.builds(SoftwareAgent, texts, texts)
permissions = st.builds(MiningPermission, st.sampled_from(get_args(Use)), st.none() | texts)
envelopes = st.binary(max_size=99)
further = st.lists(st.builds(LoggedStatement, envelopes, texts), max_size=3).map(tuple)
evidences = st.builds(LedgerEvidence, texts, digests, envelopes, texts, envelopes, texts, envelopes, texts, further)
actions = st.builds(
    Action,
    name=texts,
    description=st.none() | texts,
    source_type=st.none() | st.sampled_from(get_args(SourceType)) | st.just("http://c2pa.org/digitalsourcetype/empty"),
    agent=st.none() | agents,
    model=st.none() | models,
    recording_id=st.none() | texts,
)


def through_json(document: object) -> object:
    return json.loads(json.dumps(document))


@given(evidences)
def test_ledger_evidence_comes_back(evidence: LedgerEvidence) -> None:
    assert LedgerEvidence.from_document(through_json(evidence.to_document())) == evidence


@given(st.builds(TrainingMining, *[st.none() | permissions] * 4))
def test_training_and_mining_come_back(mining: TrainingMining) -> None:
    assert TrainingMining.from_document(through_json(mining.to_document())) == mining


@given(actions)
def test_actions_come_back(action: Action) -> None:
    assert Action.from_document(through_json(action.to_document())) == action


def test_the_soft_binding_comes_back() -> None:
    assert iscc_of(through_json(soft_binding_document(ISCC))) == ISCC


def test_a_soft_binding_by_another_algorithm_is_passed_over() -> None:
    assert iscc_of({"alg": "com.example.watermark", "blocks": []}) is None


def test_our_source_types_are_written_as_iptc_names() -> None:
    document = Action("c2pa.created", source_type="trainedAlgorithmicMedia").to_document()
    assert document["digitalSourceType"] == SOURCE_TYPE_PREFIX + "trainedAlgorithmicMedia"


def test_the_model_and_the_parent_are_parameters() -> None:
    model = ModelReference("quartet-1", "sha256:" + "0" * 64)  # type: ignore[arg-type] # a digest
    document = Action("c2pa.opened", model=model, recording_id="r", ingredient="parent").to_document()
    assert document["parameters"] == {
        "ingredientIds": ["parent"],
        "org.linernotes.recording": "r",
        "org.linernotes.model": "quartet-1",
        "org.linernotes.weights_digest": "sha256:" + "0" * 64,
    }


def test_an_agent_of_the_older_form_is_a_name() -> None:
    assert Action.from_document({"action": "a", "softwareAgent": "Old 1.0"}).agent == SoftwareAgent("Old 1.0", "")


def test_the_permissions_are_written_as_cawg_names() -> None:
    document = TrainingMining.uniform(MiningPermission("notAllowed")).to_document()
    names = ["cawg.ai_generative_training", "cawg.ai_inference", "cawg.ai_training", "cawg.data_mining"]
    assert document == {"entries": {name: {"use": "notAllowed"} for name in names}}


@pytest.mark.parametrize(
    ("permission", "effective"),
    [
        (MiningPermission("allowed"), "allowed"),
        (MiningPermission("notAllowed"), "notAllowed"),
        (MiningPermission("constrained"), "notAllowed"),
        (MiningPermission("constrained", ""), "notAllowed"),
        (MiningPermission("constrained", "see the terms"), "constrained"),
    ],
)
def test_a_constraint_that_nobody_can_read_allows_nothing(permission: MiningPermission, effective: str) -> None:
    assert permission.effective_use == effective


def test_entries_of_other_kinds_are_passed_over() -> None:
    document = {"entries": {"cawg.data_mining": {"use": "allowed"}, "com.example.other": {"use": "never"}}}
    assert TrainingMining.from_document(document) == TrainingMining(data_mining=MiningPermission("allowed"))


EVIDENCE = LedgerEvidence("origin", "sha256:" + "a" * 64, b"one", "proof", b"two", "proof", b"three", "proof")  # type: ignore[arg-type] # a digest


@pytest.mark.parametrize("member", sorted(EVIDENCE.to_document()))
@pytest.mark.parametrize("value", [None, 7, [], {}])
def test_a_missing_or_wrong_member_is_named(member: str, value: object) -> None:
    with pytest.raises(ManifestError, match=member):
        LedgerEvidence.from_document({**EVIDENCE.to_document(), member: value})


@pytest.mark.parametrize("member", ["envelope", "key_envelope"])
@pytest.mark.parametrize("value", ["b25l=", "b25lZR==", "b25l\n", "b25-", "ü"])
def test_bytes_are_read_in_their_one_form_only(member: str, value: str) -> None:
    with pytest.raises(ManifestError, match="base64"):
        LedgerEvidence.from_document({**EVIDENCE.to_document(), member: value})


@pytest.mark.parametrize(
    "value", ["", "a" * 64, "sha256:" + "A" * 64, "sha256:" + "a" * 63, "sha256:" + "a" * 64 + "\n"]
)
def test_a_digest_is_read_in_its_one_form_only(value: str) -> None:
    with pytest.raises(ManifestError, match="leaf hash"):
        LedgerEvidence.from_document({**EVIDENCE.to_document(), "leaf_hash": value})
    with pytest.raises(ManifestError, match="weights digest"):
        ModelReference("quartet-1", value)  # type: ignore[arg-type] # not a digest


def test_evidence_has_a_size_limit() -> None:
    for member, value in (
        ("envelope", base64.b64encode(bytes(MAX_ENVELOPE_BYTES + 1)).decode()),
        ("key_envelope", base64.b64encode(bytes(MAX_ENVELOPE_BYTES + 1)).decode()),
        ("tlog_proof", "p" * (MAX_PROOF_CHARACTERS + 1)),
        ("key_tlog_proof", "p" * (MAX_PROOF_CHARACTERS + 1)),
    ):
        with pytest.raises(ManifestError, match="are the most"):
            LedgerEvidence.from_document({**EVIDENCE.to_document(), member: value})


LOGGED = {"envelope": "b25l", "tlog_proof": "proof"}


def test_further_entries_are_there_only_where_they_are_needed() -> None:
    assert "further" not in EVIDENCE.to_document()
    read = LedgerEvidence.from_document({**EVIDENCE.to_document(), "further": [LOGGED] * 2})
    assert read.further == (LoggedStatement(b"one", "proof"),) * 2
    assert read.to_document()["further"] == [LOGGED] * 2


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        {},
        "further",
        [None],
        [{}],
        [{"envelope": "b25l"}],
        [LOGGED | {"envelope": "b25l="}],
        [LOGGED | {"tlog_proof": "p" * (MAX_PROOF_CHARACTERS + 1)}],
        [LOGGED | {"envelope": base64.b64encode(bytes(MAX_ENVELOPE_BYTES + 1)).decode()}],
        [LOGGED] * (MAX_FURTHER + 1),
    ],
)
def test_further_entries_that_are_none(value: object) -> None:
    with pytest.raises(ManifestError, match=r"org\.linernotes\.ledger"):
        LedgerEvidence.from_document({**EVIDENCE.to_document(), "further": value})
    with pytest.raises(ManifestError, match="further entries"):
        replace(EVIDENCE, further=(LoggedStatement(b"", ""),) * (MAX_FURTHER + 1))


def test_members_that_come_later_do_not_disturb() -> None:
    assert LedgerEvidence.from_document({**EVIDENCE.to_document(), "witnesses": []}) == EVIDENCE


@pytest.mark.parametrize("code", ["", "ISCC:", "iscc:EIDSJBBKJJ2IJICKMCHK", "ISCC:EIDSJBBKJJ2I1", ISCC + " "])
def test_what_is_no_iscc_is_refused(code: str) -> None:
    with pytest.raises(ManifestError, match="not an ISCC"):
        require_iscc(code)


@pytest.mark.parametrize(
    ("parse", "document"),
    [
        (Action.from_document, []),
        (Action.from_document, {}),
        (Action.from_document, {"action": "a", "parameters": []}),
        (Action.from_document, {"action": "a", "softwareAgent": {"version": "1"}}),
        (Action.from_document, {"action": "a", "digitalSourceType": 1}),
        (Action.from_document, {"action": "a", "parameters": {"org.linernotes.model": "m"}}),
        (TrainingMining.from_document, {}),
        (TrainingMining.from_document, {"entries": {"cawg.data_mining": {"use": "maybe"}}}),
        (TrainingMining.from_document, {"entries": {"cawg.data_mining": "allowed"}}),
        (iscc_of, []),
        (iscc_of, {"alg": "io.iscc.v0"}),
        (iscc_of, {"alg": "io.iscc.v0", "blocks": []}),
        (iscc_of, {"alg": "io.iscc.v0", "blocks": [{"scope": {}}]}),
    ],
)
def test_malformed_assertions_are_refused(parse: Callable[[object], object], document: object) -> None:
    with pytest.raises(ManifestError):
        parse(document)
