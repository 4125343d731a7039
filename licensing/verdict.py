"""The verdict: may this be done with the recording, and why.

A pure function of the lineage closure, the question, the terms and the policy. The worst reason
decides; every reason is listed; the same inputs give the same bytes on any machine, in any year.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import rfc8785

from licensing.case import Case, granted, ruled
from licensing.closure import Contribution, Corpus, File, Generation, Model, Recording
from licensing.corpus_ruling import rule_corpus
from licensing.document import Json, document_digest
from licensing.moment import require_moment
from licensing.question import require_day_after
from licensing.reason import Duty, Grounds, Reason
from licensing.share_alike import rule_share_alike
from licensing.terms import rule_document
from licensing.vocabulary import Result, Subject, worst

if TYPE_CHECKING:
    from licensing.closure import Closure, Node
    from licensing.policy import Policy
    from licensing.question import Question
    from licensing.terms import TermsTable
    from provenance.identity import Digest


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to one question.

    Attributes:
        result: The worst of the reasons' results.
        reasons: Worst first, then by code, path and text.
        duties: What ALLOW, or a person's decision, comes with.
        question: What was asked.
        policy_version: By which policy.
        policy_digest: SHA-256 of that policy.
        terms_digest: SHA-256 of the terms and territory data.
        inputs: SHA-256 of everything the verdict was computed from.
        ledger_size: Entries of the log that the lineage was read from.
        ledger_root: Root of its tree at that size.
    """

    result: Result
    reasons: tuple[Reason, ...]
    duties: tuple[Duty, ...]
    question: Question
    policy_version: str
    policy_digest: Digest
    terms_digest: Digest
    inputs: Digest
    ledger_size: int
    ledger_root: Digest | None

    def to_document(self) -> dict[str, Json]:
        """Return the verdict as JSON without floats."""
        return {
            "verdict": self.result.value,
            "question": _question_document(self.question),
            "reasons": [reason.to_document() for reason in self.reasons],
            "duties": [duty.to_document() for duty in self.duties],
            "policy_version": self.policy_version,
            "policy_digest": self.policy_digest,
            "terms_digest": self.terms_digest,
            "inputs": self.inputs,
            "ledger": {"size": self.ledger_size, "root": self.ledger_root},
        }

    def to_bytes(self) -> bytes:
        """Return the RFC 8785 bytes of the verdict's document."""
        return rfc8785.dumps(self.to_document())


def decide(closure: Closure, question: Question, terms: TermsTable, policy: Policy) -> Verdict:
    """Answer a question about a recording.

    Raises:
        QuestionError: The day asked about, or the moment of knowledge, is before the recording.
    """
    require_day_after(question, closure.recording().made_at)
    case = Case(closure, question, terms, policy)
    grounds = sum((_rule_node(case, node) for node in closure.nodes), _rule_outlet(case))
    grounds += rule_share_alike(case, grounds)
    reasons = sorted(
        grounds.reasons, key=lambda reason: (-reason.result.severity, reason.code, reason.path, reason.text)
    )
    duties = sorted({*grounds.duties, *_statutory(case)}, key=lambda duty: (duty.code, duty.path, duty.text))
    return Verdict(
        result=worst(reason.result for reason in reasons),
        reasons=tuple(reasons),
        duties=tuple(duties),
        question=question,
        policy_version=policy.version,
        policy_digest=policy.digest,
        terms_digest=terms.digest,
        inputs=document_digest([closure, _question_document(question), terms.digest, policy.digest]),
        ledger_size=closure.ledger_size,
        ledger_root=closure.ledger_root,
    )


def explain(verdict: Verdict) -> tuple[str, ...]:
    """Return the verdict as lines for people to read."""
    asked = verdict.question
    known = f"as known at {asked.known_as_of}, by policy {verdict.policy_version}"
    lines = [f"{verdict.result}: {asked.use} in {asked.territory} on {asked.use_date}, {known}."]
    for reason in verdict.reasons:
        lines.append(f"  {reason.result} ({reason.code}) {reason.text}")
        lines.append(f"    path: {' > '.join(reason.path)}")
        if reason.source:
            lines.append(f"    source: {reason.source}")
    if verdict.duties:
        lines.append("Duties:")
    for duty in verdict.duties:
        lines.append(f"  {duty.code}: {duty.text} ({duty.clause})")
        lines.append(f"    path: {' > '.join(duty.path)}")
    lines.append("This is a computed opinion on what is on record, and not legal advice.")
    return tuple(lines)


def _rule_node(case: Case, node: Node) -> Grounds:
    match node:
        case File():
            return _rule_file(case, node)
        case Recording():
            return _require_sources(case, node.id, (Recording, Generation, Contribution), "how this recording was made")
        case Generation():
            return _rule_generation(case, node)
        case Model():
            return _rule_model(case, node)
        case Corpus():
            return rule_corpus(case, node) + _require_items(case, node)
        case Contribution():
            return _rule_contribution(case, node)


def _rule_file(case: Case, file: File) -> Grounds:
    """Rule on what is not known of a file: whether it is the recording, and whose it is."""
    recording = case.closure.recording().id
    grounds = Grounds()
    if file.unlike:
        text = (
            f"The file sounds like the recording {recording} and is not shown to be it, so that something may have "
            f"been added whose terms are not known: {file.unlike}. Listen to both, or ask about the recording itself."
        )
        grounds += Grounds((Reason("identity-not-shown", Result.HOLD, case.path(recording), text),))
    if file.other_log:
        text = (
            f"The file carries an intact manifest of the log {file.other_log}, and was not handed out here: another "
            "record of the same sound tells who made it and on what terms, and is not known here. Read what it says "
            "(linernotes verify FILE), and ask whoever keeps it; or use a file that was handed out here."
        )
        grounds += Grounds((Reason("other-log", Result.HOLD, case.path(file.id), text),))
    return grounds


def _rule_generation(case: Case, generation: Generation) -> Grounds:
    grounds = _require_sources(case, generation.id, (Model,), "which model made this recording")
    if (offered := generation.vendor_terms) is None:
        return grounds
    day = require_moment(generation.generated_at, "The generation").date()
    noun = f"What {offered.vendor} put out on its plan {offered.plan} on {day}"
    document = case.terms.vendor_document(offered, day)
    path = case.path(generation.id)
    if grant := case.covering(generation.id, Subject.OUTPUT):
        return grounds + granted(case, grant, path, noun)
    if document is None:
        ruling = case.terms.rule(None, Subject.OUTPUT, case.question.use)
    else:
        ruling = rule_document(document, Subject.OUTPUT, case.question.use)
    more = case.shortfalls(generation.id, Subject.OUTPUT)
    return grounds + ruled(case, ruling, case.policy.output, Subject.OUTPUT, path, noun, more=more)


def _rule_model(case: Case, model: Model) -> Grounds:
    grounds = _require_sources(case, model.id, (Corpus,), f"what {model.name} learned from")
    for subject, licence, weight, noun in (
        (Subject.WEIGHTS, model.weights_licence, case.policy.weights, f"The weights of {model.name}"),
        (Subject.OUTPUT, model.output_terms, case.policy.output, f"The output of {model.name}"),
    ):
        path = case.path(model.id)
        if grant := case.covering(model.id, subject):
            grounds += granted(case, grant, path, noun)
            continue
        ruling = case.terms.rule(licence, subject, case.question.use)
        grounds += ruled(case, ruling, weight, subject, path, noun, more=case.shortfalls(model.id, subject))
    return grounds


def _rule_contribution(case: Case, contribution: Contribution) -> Grounds:
    noun = f"The contribution of {contribution.party} as {contribution.role}"
    path = case.path(contribution.id)
    if contribution.party == case.question.asked_by:
        text = f"{noun} is the asking party's own."
        return Grounds((Reason("contribution-own", Result.ALLOW, path, text),))
    grounds = Grounds()
    for right in sorted(contribution.rights):
        if grant := case.covering(contribution.id, right):
            grounds += granted(case, grant, path, f"{noun} ({right})")
        elif contribution.licence:
            ruling = case.terms.rule(contribution.licence, right, case.question.use)
            more = case.shortfalls(contribution.id, right)
            grounds += ruled(case, ruling, case.policy.contributions, right, path, f"{noun} ({right})", more=more)
        else:
            text = (
                f"{noun} is theirs ({right}), and no licence or grant of {contribution.party} for {case.asked} is on "
                f"record: a grant is missing.{case.shortfalls(contribution.id, right)}"
            )
            grounds += Grounds((Reason("grant-missing", case.policy.contributions.unknown, path, text),))
    return grounds


def _require_sources(case: Case, node: str, kinds: tuple[type[Node], ...], what: str) -> Grounds:
    if any(isinstance(source, kinds) for source in case.closure.sources(node)):
        return Grounds()
    text = f"It is not on record {what}, so that its terms are not known."
    return Grounds((Reason("lineage-incomplete", Result.HOLD, case.path(node), text),))


def _require_items(case: Case, corpus: Corpus) -> Grounds:
    if corpus.items:
        return Grounds()
    text = f"{corpus.name} has no items on record, so that nobody can say what is in it."
    return Grounds((Reason("lineage-incomplete", Result.HOLD, case.path(corpus.id), text),))


def _rule_outlet(case: Case) -> Grounds:
    if case.question.outlet is None:
        return Grounds()
    text = f"There are no rules on record for the outlet {case.question.outlet}: ask it, or ask without an outlet."
    return Grounds((Reason("outlet-unknown", Result.HOLD, (case.closure.root,), text),))


def _statutory(case: Case) -> set[Duty]:
    generations = [node for node in case.closure.nodes if isinstance(node, Generation)]
    if not generations:
        return set()
    path = min(case.path(node.id) for node in generations)
    return {
        Duty(duty.code, duty.text, path, duty.clause, duty.source)
        for duty in case.terms.statutory
        if duty.applies(case.question.territory, case.question.use_date)
    }


def _question_document(question: Question) -> dict[str, Json]:
    return {
        "use": question.use.value,
        "territory": question.territory.code,
        "use_date": question.use_date.isoformat(),
        "known_as_of": question.known_as_of,
        "asked_by": question.asked_by,
        "outlet": question.outlet,
    }
