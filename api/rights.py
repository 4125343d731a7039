"""May this be done with a recording, there, then? Decided from its whole lineage, and put on record."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from api.closure import closure_document, closure_from_document, closure_of
from api.history import history
from api.history import recording as recording_of
from api.schemas.rights import DutyShown, ForeignManifestShown, ReasonShown, VerdictShown
from ledger.checkpoint import Checkpoint
from ledger.note import Note
from licensing.closure import File
from licensing.errors import LicensingError, QuestionError
from licensing.policy import Policy, load_policy, shipped_policy
from licensing.question import Question, parse_question
from licensing.terms import shipped_table
from licensing.verdict import Verdict, decide
from provenance.disclosure import Opening, commit
from provenance.identity import Digest, now
from provenance.statement import Statement, Subject, header
from provenance.use_predicate import CheckPredicate

if TYPE_CHECKING:
    from api.home import Home
    from api.recognition import Found
    from licensing.closure import Closure
    from provenance.store import Recording

__all__ = ["Checked", "Question", "ask", "check", "closure_document", "decided_again"]


@dataclass(frozen=True, slots=True)
class Checked:
    """A verdict that is on record.

    Attributes:
        opening: Turns the commitment in the log back into the verdict document.
        closure: What the verdict was computed from.
    """

    verdict: Verdict
    opening: Opening
    closure: Closure
    leaf_hash: Digest
    log_index: int

    def answer(self, found: Found | None = None) -> VerdictShown:
        """Describe the verdict, and how the recording it is about was found."""
        question, recording_id = self.verdict.question, self.closure.recording().id
        return VerdictShown(
            recording_id=recording_id,
            verdict=self.verdict.result.value,
            use=question.use.value,
            territory=question.territory.code,
            date=question.use_date.isoformat(),
            known_as_of=question.known_as_of,
            reasons=[
                ReasonShown(code=r.code, result=r.result.value, path=list(r.path), text=r.text, source=r.source)
                for r in self.verdict.reasons
            ],
            duties=[DutyShown(code=d.code, path=list(d.path), text=d.text) for d in self.verdict.duties],
            policy_version=self.verdict.policy_version,
            tree_size=self.verdict.ledger_size,
            tree_root=self.verdict.ledger_root or "",
            leaf_hash=self.leaf_hash,
            log_index=self.log_index,
            found_by=found.by if found else "id",
            also=[each for each in found.candidates if each != recording_id] if found else [],
            foreign_manifest=ForeignManifestShown.of(found.foreign if found else None),
        )


def ask(home: Home, use: str, territory: str, date: str | None, via: str | None) -> Question:
    """Read a question as typed; it is the home's owner who asks.

    Raises:
        LicensingError: The use, territory or date is not one.
    """
    return parse_question(use, territory, date, now(), asked_by=home.owner().party_id, outlet=via)


def check(home: Home, recording: Recording, question: Question) -> Checked:
    """Decide, and put the verdict on record as a commitment.

    Args:
        home: Where the recording is.
        recording: What is to be used.
        question: For what, where and when.

    Raises:
        LicensingError: The question cannot be answered, such as a date before the recording was made.
    """
    closure, verdict = _decided(home, recording, question)
    return _recorded(home, recording, closure, verdict)


def check_found(home: Home, found: Found, question: Question) -> Checked:
    """Decide about a file: where it may be one of several recordings, the worst verdict counts.

    An excerpt of an edit sounds like the recording it was made from; nobody can tell which of the two was
    meant, so what the file may be used for is what every one of them may be used for. A file that is not shown to
    be the recording, or that another log claims, is decided about as a file of which that is not known.

    Raises:
        LicensingError: As for :func:`check`.
    """
    file, candidates = _in_doubt(found), [recording_of(home, each) for each in found.candidates]
    decided = [(each, *_decided(home, each, question, file)) for each in candidates]
    worst = max(decided, key=lambda each: each[2].result.severity)
    return _recorded(home, *worst)


def _in_doubt(found: Found) -> File | None:
    """The file, where it is not known to be the recording and nobody else's."""
    other_log = found.foreign.log if found.foreign else ""
    return File(found.asset_digest, found.unlike, other_log) if found.unlike or other_log else None


def _decided(home: Home, recording: Recording, question: Question, file: File | None = None) -> tuple[Closure, Verdict]:
    tree = Checkpoint.parse(Note.parse(home.log.checkpoint()).text)
    closure = closure_of(history(home, recording), tree.size, Digest("sha256:" + tree.root_hash.hex()), file)
    return closure, decide(closure, question, shipped_table(), policy_of(home.settings.rights_policy))


def _recorded(home: Home, recording: Recording, closure: Closure, verdict: Verdict) -> Checked:
    opening = commit(verdict.to_bytes().decode())
    predicate = CheckPredicate.model_validate(
        header(CheckPredicate)
        | {
            "recording_id": recording.recording_id,
            "of": recording.leaf_hash,
            "verdict": opening.commitment,
            "policy_version": verdict.policy_version,
            "policy_digest": verdict.policy_digest,
            "tree_size": verdict.ledger_size,
            "tree_root": verdict.ledger_root,
        }
    )
    subject = Subject(recording.recording_id, Digest(recording.content_digest))
    draft = home.sign(Statement((subject,), predicate), {"verdict": opening})
    [receipt] = home.append([draft])
    return Checked(verdict, opening, closure, draft.leaf_hash, receipt.index)


def policy_of(name: str) -> Policy:
    """Return a policy by the name of a shipped one, or by the path of a file.

    Raises:
        LicensingError: There is no such policy, or the file is malformed.
    """
    if not name:
        return shipped_policy()
    path = Path(name)
    return load_policy(path) if path.suffix == ".toml" else shipped_policy(name)


def decided_again(facts: bytes, verdict: bytes) -> tuple[Literal["pass", "fail", "not-checked"], str]:
    """Decide the question of an older verdict again, from the same facts, by what is known today.

    Args:
        facts: The closure document that travelled with the verdict.
        verdict: The verdict document.

    Returns:
        Whether the verdict is still current, and what is found.
    """
    try:
        document = json.loads(verdict)
        asked, before, version = document["question"], document["verdict"], str(document["policy_version"])
        question = parse_question(
            asked["use"],
            asked["territory"],
            asked["use_date"],
            now(),
            asked_by=asked["asked_by"],
            outlet=asked["outlet"],
        )
        closure = closure_from_document(facts)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, LicensingError) as error:
        return "fail", f"the verdict or the facts behind it cannot be read: {error}"
    try:
        policy = shipped_policy(version)
    except LicensingError:
        return "not-checked", f"{before} by the policy {version}, which this program does not have"
    try:
        again = decide(closure, question, shipped_table(), policy)
    except QuestionError as error:
        return "fail", f"the recorded verdict answers what cannot be asked of this recording: {error}"
    what = f"for {question.use} in {question.territory.code} on {question.use_date}, by policy {version}"
    if again.result.value != before:
        reasons = "; ".join(reason.text for reason in again.reasons if reason.result == again.result)
        return "fail", f"it was {before} {what}; today it is {again.result}: {reasons[:400]}"
    return "pass", f"the recorded verdict is {before} {what}; decided again today: the same"
