"""One example of every answer, for the description of the interface; they are checked against it."""

from __future__ import annotations

from typing import Final

from api.schemas.erasure import ErasedField, Erasure
from api.schemas.job import JobShown
from api.schemas.lineage import ContributionShown, Lineage, LineageEdge, LineageNode
from api.schemas.log import Health
from api.schemas.recording import ChangeCounts, ModelUsed, RecordingMade, RecordingPage, RecordingShown, RenditionShown
from api.schemas.registry import (
    CorpusList,
    CorpusShown,
    KeyList,
    KeyShown,
    Membership,
    ModelList,
    ModelShown,
    PartyList,
    PartyShown,
)
from api.schemas.request import CheckAsked, ErasureAsked, GenerationAsked, PartyAsked, StatementAsked
from api.schemas.rights import DutyShown, ReasonShown, VerdictShown
from api.schemas.signing import EditDraftShown, EndingShown, Recorded
from api.schemas.verification import CheckResult, Identification, MatchShown, VerificationReport
from api.schemas.vocabulary import RuleShown, Vocabulary

_RECORDING: Final = "019aa0b2-6c1f-7d2e-9b57-3c1f6de0a412"
_PARENT: Final = "019aa0af-11d4-7a60-8f0e-52b7c9a1e3d8"
_PARTY: Final = "019aa09c-02aa-7c3b-a1d4-7be8107c9f55"
_LEAF: Final = "sha256:" + "3f" * 32
_CONTENT: Final = "sha256:" + "a7" * 32
_ASSET: Final = "sha256:" + "5c" * 32
_WEIGHTS: Final = "sha256:" + "91" * 32
_ROOT: Final = "sha256:" + "e4" * 32
_ISCC: Final = "ISCC:EIA67YNVPKV62FTW"
_TIME: Final = "2026-11-20T10:31:45Z"

GENERATION_ASKED: Final = GenerationAsked(prompt="a calm adagio in D minor", seconds=30, seed=7)
CHECK_ASKED: Final = CheckAsked(use="commercial-release", territory="DE", date="2026-12-24")
PARTY_ASKED: Final = PartyAsked(name="Clara Example", kind="person")

MADE: Final = RecordingMade(
    recording_id=_RECORDING,
    leaf_hash=_LEAF,
    log_index=4,
    content_digest=_CONTENT,
    iscc=_ISCC,
    seconds=30.2,
    notes=164,
    files=[],
    model=ModelUsed(id="quartet-1", weights_digest=_WEIGHTS),
    unmatched_words=["foggy"],
)
_CHANGES: Final = ChangeCounts(kept=161, pitch=3, onset=0, duration=0, velocity=0, voice=0, added=0, removed=0, tempo=0)
EDITED: Final = MADE.model_copy(update={"log_index": 6, "unmatched_words": [], "changes": _CHANGES})
EDIT_DRAFT: Final = EditDraftShown(
    draft_id="019aa0b4-1d0e-7b0f-a6c5-7d5f2c9e4b13",
    state="waiting",
    recording_id=_RECORDING,
    parent_recording_id=_PARENT,
    party=_PARTY,
    role="Arranger",
    licence="CC-BY-4.0",
    changes=_CHANGES,
    content_digest=_CONTENT,
    seconds=30.2,
    notes=164,
    statement_digest="sha256:" + "c8" * 32,
    keyids=["sha256:" + "1b" * 32],
    created=_TIME,
    expires="2026-11-27T10:31:45Z",
    left_out=["lyrics"],
)
JOB: Final = JobShown(
    job_id="019aa0b2-5b60-7e19-8f6a-0d3b4c0f7a21", state="queued", stage="queued", done=0, total=1, created=_TIME
)
JOB_DONE: Final = JOB.model_copy(update={"state": "done", "stage": "done", "done": 1, "recording": MADE})
SHOWN: Final = RecordingShown(
    recording_id=_RECORDING,
    kind="edit",
    parent_recording_id=_PARENT,
    leaf_hash=_LEAF,
    log_index=6,
    content_digest=_CONTENT,
    iscc=_ISCC,
    seconds=30.2,
    time=_TIME,
    renditions=[
        RenditionShown(
            part="mix",
            media_type="audio/wav",
            asset_digest=_ASSET,
            content_digest=_CONTENT,
            manifest_id="urn:c2pa:6b1f0a56-3f0e-4b1f-9c3a-0b7d5f8e2a11",
            leaf_hash="sha256:" + "40" * 32,
            log_index=7,
        )
    ],
)
PAGE: Final = RecordingPage(recordings=[SHOWN.model_copy(update={"renditions": []})], next="bnwy")
LINEAGE: Final = Lineage(
    recording_id=_RECORDING,
    nodes=[
        LineageNode(id=_RECORDING, kind="recording", label="164 notes", leaf_hash=_LEAF),
        LineageNode(id="quartet-1", kind="model", label="CC0-1.0", leaf_hash="sha256:" + "2b" * 32),
    ],
    edges=[LineageEdge(source="quartet-1", target=_RECORDING, relation="made")],
    contributions=[
        ContributionShown(model="quartet-1", role="Composer", notes=161, share="0.9817", ai_contribution="All"),
        ContributionShown(party=_PARTY, role="Composer", notes=3, share="0.0183", ai_contribution="None"),
    ],
    contains_ai="Partly",
    origins={"model": 161, "person-changed-from-model": 3},
    statement="It is evidence of what was recorded, not legal advice.",
)
VERDICT: Final = VerdictShown(
    recording_id=_RECORDING,
    verdict="ALLOW",
    use="commercial-release",
    territory="DE",
    date="2026-12-24",
    known_as_of=_TIME,
    reasons=[
        ReasonShown(
            code="public-domain",
            result="ALLOW",
            path=[_RECORDING, "quartet-1"],
            text="Every composition of the corpus is in the public domain in Germany.",
            source="Urheberrechtsgesetz, section 64",
        )
    ],
    duties=[DutyShown(code="label-ai", path=[_RECORDING], text="Say that the recording contains AI.")],
    policy_version="cautious-1",
    tree_size=8,
    tree_root=_ROOT,
    leaf_hash=_LEAF,
    log_index=8,
)
_ITEM: Final[dict[str, object]] = {
    "identifier": "sq7070319",
    "title": "String Quartet in G minor, Op.14",
    "composer": "Emilie Mayer",
    "born": 1812,
    "died": 1883,
    "source": "https://musescore.com/openscore-string-quartets/scores/7070319",
    "licence": "CC0-1.0",
    "file_digest": "sha256:881ed1e646923e3f6e48f9b2c7f71f685129af32e96a455e3adfad82b48bdd93",
    "content_digest": "sha256:5e6f6bc708575886da5c2bf1d4da094d551b6d6a7ae406730f8fcfb352e75d50",
}
_MEMBERSHIP_PROOF: Final[dict[str, object]] = {
    "key": "identifier",
    "value": "sq7070319",
    "present": True,
    "root": _ROOT,
    "size": 110,
    "neighbours": [{"index": 31, "item": _ITEM, "path": ["sha256:" + "d3" * 32]}],
}
MEMBERSHIP: Final = Membership(
    verdict="yes",
    model="quartet-1",
    asked="composer 'Emilie Mayer'",
    item=_ITEM,
    items=[_ITEM],
    proof=_MEMBERSHIP_PROOF,
    proofs=[_MEMBERSHIP_PROOF],
    candidates=[],
    corpus_root=_ROOT,
    corpus_id="openscore-string-quartets",
    leaf_hash=_LEAF,
    log_index=2,
    note="Found by name; the proof is of the item with its digests.",
)
IDENTIFICATION: Final = Identification(
    matches=[
        MatchShown(
            recording_id=_RECORDING,
            score=41.2,
            query_offset=0.0,
            reference_offset=12.38,
            duration=9.6,
            bit_error_rate=0.0412,
            pitch_semitones=0.0,
            tempo_ratio=1.0,
            tier=1,
        )
    ],
    note="The clip sounds like this recording, or a part of it does. A re-played or re-sung copy is not found.",
)
REPORT: Final = VerificationReport(
    path="quartet.wav",
    recording_id=_RECORDING,
    verified=True,
    checks=[
        CheckResult(id="c2pa-integrity", result="pass", detail="the manifest binds these bytes"),
        CheckResult(id="log-trust", result="not-checked", detail="no policy was given"),
    ],
)
PARTY: Final = PartyShown(
    party_id=_PARTY, kind="person", relation="contributor", name="Clara Example", leaf_hash=_LEAF, log_index=5
)
PARTIES: Final = PartyList(parties=[PARTY])
MODELS: Final = ModelList(
    models=[
        ModelShown(
            model_id="quartet-1",
            weights_digest=_WEIGHTS,
            weights_licence="CC0-1.0",
            output_licence="CC0-1.0",
            corpus=_LEAF,
            leaf_hash="sha256:" + "2b" * 32,
            log_index=3,
        )
    ]
)
CORPORA: Final = CorpusList(
    corpora=[
        CorpusShown(
            corpus_id="openscore-string-quartets",
            title="OpenScore String Quartets",
            items=110,
            licence="CC0-1.0",
            roots={"identifier": _ROOT, "file": _ROOT, "content": _ROOT},
            manifest_digest=_ASSET,
            leaf_hash=_LEAF,
            log_index=2,
        )
    ]
)
KEYS: Final = KeyList(
    keys=[
        KeyShown(
            role="log",
            state="active",
            keyid="sha256:" + "7d" * 32,
            vkey="linernotes.local/5e2f+3ad45c7e+AbVS1m2lTnBvGJkHxrKc0aRj2f5q0Y6m0W5l6T3jYk8Q",
            log_index=0,
        ),
        KeyShown(
            role="service",
            state="revoked",
            keyid="sha256:" + "5c" * 32,
            log_index=0,
            stop=58,
            ending=EndingShown(
                from_index=58, log_index=64, by="sha256:" + "0f" * 32, reason="compromised", successor=""
            ),
        ),
    ]
)
HEALTH: Final = Health(status="ok", log_size=8)
VOCABULARY: Final = Vocabulary(
    rules=[RuleShown(words=["adagio", "adagio cantabile"], effects=["sets tempo_bpm 50-68"])],
    forms=["D minor, F# major, key of B flat major"],
    note="Every other word of a prompt is reported as not understood.",
)
RECORDED: Final = Recorded(kind="key", leaf_hash=_LEAF, log_index=12)
ERASURE_ASKED: Final = ErasureAsked(name=_RECORDING, fields=["prompt"])
ERASED: Final = Erasure(erased=[ErasedField(leaf_hash=_LEAF, field="prompt", log_index=13)], left_to_do=[])
CHECKPOINT: Final = (
    "linernotes.local/5e2f\n8\n5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OQ=\n\n— linernotes.local/5e2f OtRcfg…\n"
)
PROOF: Final = f"c2sp.org/tlog-proof@v1\nindex 4\nMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzM=\n\n{CHECKPOINT}"
STATEMENT_ASKED: Final = StatementAsked(kind="revocation", predicate={"keyid": "sha256:" + "1b" * 32, "reason": "lost"})
STATEMENT: Final = {
    "_type": "https://in-toto.io/Statement/v1",
    "predicate": {"keyid": "sha256:" + "1b" * 32, "reason": "lost"},
    "predicateType": "https://linernotes.org/revocation/v1",
    "subject": [{"digest": {"sha256": "1b" * 32}, "name": "sha256:" + "1b" * 32}],
}
ENVELOPE: Final = {
    "payload": "eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEifQ==",
    "payloadType": "application/vnd.in-toto+json",
    "signatures": [{"keyid": "sha256:" + "7d" * 32, "sig": "c2lnbmF0dXJl"}],
}
EVENTS: Final = (
    "event: progress\n"
    f"data: {JOB.model_copy(update={'state': 'running', 'stage': 'composing'}).model_dump_json()}\n\n"
    f"event: done\ndata: {JOB_DONE.model_dump_json()}\n\n"
)
