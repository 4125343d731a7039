import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest
import rfc8785
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from licensing import datafile
from licensing.closure import (
    Closure,
    Contribution,
    Corpus,
    CorpusItem,
    Edge,
    File,
    Generation,
    Grant,
    Model,
    Recording,
)
from licensing.errors import LicensingError, QuestionError
from licensing.policy import Policy, shipped_policy
from licensing.question import Question, parse_question
from licensing.terms import UNKNOWN_LICENCE, TermsTable, VendorTerms, read_document, shipped_table
from licensing.verdict import Verdict, decide, explain
from licensing.vocabulary import Result, Subject, Use

MADE = "2026-11-20T10:00:00Z"
ADA = Contribution("edit", "party-ada", "Composer")


def codes(verdict: Verdict, result: Result) -> set[str]:
    return {reason.code for reason in verdict.reasons if reason.result is result}


@pytest.mark.parametrize(
    ("weights", "use", "result", "code"),
    [
        ("CC0-1.0", "commercial-release", Result.ALLOW, "weights-permitted"),
        ("CC-BY-NC-4.0", "commercial-release", Result.DENY, "weights-prohibited"),
        ("CC-BY-NC-4.0", "sync", Result.DENY, "weights-prohibited"),
        ("CC-BY-NC-4.0", "non-commercial", Result.ALLOW, "weights-permitted"),
        ("CC-BY-NC-4.0", "education", Result.HOLD, "weights-partly"),
        ("LicenseRef-unknown", "non-commercial", Result.HOLD, "weights-unknown"),
        ("LicenseRef-linernotes-vendor", "commercial-release", Result.HOLD, "weights-unknown"),
        (None, "commercial-release", Result.HOLD, "weights-unknown"),
        ("MIT", "commercial-release", Result.ALLOW, "weights-permitted"),
        ("CC-BY-NC-4.0 OR MIT", "commercial-release", Result.ALLOW, "weights-permitted"),
        ("CC-BY-NC-4.0 AND MIT", "commercial-release", Result.DENY, "weights-prohibited"),
    ],
)
def test_the_weights_decide_by_use(
    ask: Callable[..., Verdict], weights: str | None, use: str, result: Result, code: str
) -> None:
    verdict = ask(use, "DE", weights=weights)
    assert verdict.result is result
    assert code in codes(verdict, result)


def test_a_denial_names_the_weights_the_clause_and_the_view_it_takes(ask: Callable[..., Verdict]) -> None:
    verdict = ask("commercial-release", "DE", weights="CC-BY-NC-4.0")
    reason = verdict.reasons[0]
    assert reason.path == ("track", "generation", "model")
    assert "The weights of the model" in reason.text
    assert "CC-BY-NC-4.0, sections 1 (NonCommercial) and 2(a)(1)" in reason.text
    assert "have not answered" in reason.text
    assert "Under policy cautious-1 this is DENY" in reason.text
    assert reason.source == "https://creativecommons.org/licenses/by-nc/4.0/legalcode"
    assert ask("commercial-release", "DE", weights="CC-BY-NC-4.0", policy="permissive-1").result is Result.HOLD


@pytest.mark.parametrize(
    ("output", "result"),
    [("CC0-1.0", Result.ALLOW), ("CC-BY-NC-4.0", Result.DENY), ("MIT", Result.HOLD), (None, Result.HOLD)],
)
def test_weights_and_output_are_two_things(ask: Callable[..., Verdict], output: str | None, result: Result) -> None:
    assert ask("commercial-release", "DE", output=output).result is result


@pytest.mark.parametrize(
    ("changes", "result", "code"),
    [
        ({"asked_by": "party-ada"}, Result.ALLOW, "contribution-own"),
        ({}, Result.HOLD, "grant-missing"),
        ({"asked_by": "party-bob"}, Result.HOLD, "grant-missing"),
        ({"licence": "CC-BY-4.0"}, Result.ALLOW, "composition-permitted"),
        ({"licence": "CC-BY-NC-4.0"}, Result.DENY, "composition-prohibited"),
        ({"licence": "LicenseRef-unknown"}, Result.HOLD, "composition-unknown"),
        ({"rights": frozenset({Subject.MASTER}), "licence": "CC-BY-ND-4.0"}, Result.HOLD, "master-partly"),
    ],
)
def test_a_contribution_needs_its_holder(
    ask: Callable[..., Verdict], changes: dict[str, object], result: Result, code: str
) -> None:
    asked_by = changes.pop("asked_by", None)
    verdict = ask(asked_by=asked_by, contributions=(replace(ADA, **changes),))
    assert verdict.result is result
    assert code in codes(verdict, result)
    (reason,) = (reason for reason in verdict.reasons if reason.code == code)
    assert reason.path == ("track", "edit")
    assert "party-ada as Composer" in reason.text


def test_a_missing_grant_says_whose_and_for_what(ask: Callable[..., Verdict]) -> None:
    (reason,) = (reason for reason in ask("sync", "AT", contributions=(ADA,)).reasons if reason.code == "grant-missing")
    for words in ("party-ada", "sync in Austria (AT) on 2026-11-20", "a grant is missing"):
        assert words in reason.text


def grant(node: str, subject: Subject, **changes: object) -> Grant:
    whole = Grant("g1", node, subject, frozenset(Use), frozenset({"worldwide"}), date(2026, 1, 1), None, MADE)
    return replace(whole, **changes)


def test_a_grant_lets_a_contribution_through_and_a_partial_one_does_not(ask: Callable[..., Verdict]) -> None:
    full = grant("edit", Subject.COMPOSITION)
    assert ask(contributions=(ADA,), grants=(full,)).result is Result.ALLOW
    yesterday = replace(full, valid_until=date(2026, 11, 19))
    verdict = ask(contributions=(ADA,), grants=(yesterday,))
    assert verdict.result is Result.HOLD
    assert "Grant g1 ended on 2026-11-19." in verdict.reasons[0].text
    elsewhere = replace(full, territories=frozenset({"DE"}))
    assert ask("sync", "JP", contributions=(ADA,), grants=(elsewhere,)).result is Result.HOLD
    both = replace(ADA, rights=frozenset({Subject.COMPOSITION, Subject.MASTER}))
    assert ask(contributions=(both,), grants=(full,)).result is Result.HOLD
    rest = replace(full, id="g2", subject=Subject.MASTER)
    assert ask(contributions=(both,), grants=(full, rest)).result is Result.ALLOW


def test_a_separate_licence_from_the_maker_lifts_a_denial(ask: Callable[..., Verdict]) -> None:
    bought = (grant("model", Subject.WEIGHTS),)
    assert ask("commercial-release", "DE", weights="CC-BY-NC-4.0", grants=bought).result is Result.ALLOW
    trial = (grant("model", Subject.WEIGHTS, uses=frozenset({Use.TRAINING})),)
    verdict = ask("commercial-release", "DE", weights="CC-BY-NC-4.0", grants=trial)
    assert verdict.result is Result.DENY
    assert "Grant g1 is for training and not for commercial-release." in verdict.reasons[0].text


def test_fine_tunes_inherit(lineage: Callable[..., Closure], ask: Callable[..., Verdict]) -> None:
    base = lineage()
    parent = Model("base", "the base model", "CC-BY-NC-4.0", None)
    own = Corpus("base-corpus", "its corpus", (CorpusItem("x", "X", "Joseph Haydn", 1732, 1809, "CC0-1.0", 1790),))
    closure = replace(
        base,
        nodes=(*base.nodes, parent, own),
        edges=(*base.edges, Edge("model", "base"), Edge("base", "base-corpus")),
    )
    verdict = ask("commercial-release", "DE", closure=closure)
    assert verdict.result is Result.DENY
    assert verdict.reasons[0].path == ("track", "generation", "model", "base")


@pytest.mark.parametrize("lost", ["generation", "model", "corpus"])
def test_what_is_not_on_record_is_held(lineage: Callable[..., Closure], ask: Callable[..., Verdict], lost: str) -> None:
    order = ["track", "generation", "model", "corpus"]
    kept = order[: order.index(lost)]
    whole = lineage()
    closure = Closure(
        "track",
        tuple(node for node in whole.nodes if node.id in kept),
        tuple(edge for edge in whole.edges if edge.source in kept),
    )
    verdict = ask(closure=closure)
    assert verdict.result is Result.HOLD
    assert "lineage-incomplete" in codes(verdict, Result.HOLD)


def test_a_corpus_without_items_is_held(ask: Callable[..., Verdict]) -> None:
    verdict = ask(items=())
    assert verdict.result is Result.HOLD
    assert "no items on record" in verdict.reasons[0].text


def test_an_outlet_without_rules_is_held(ask: Callable[..., Verdict]) -> None:
    verdict = ask(outlet="Somewhere")
    assert verdict.result is Result.HOLD
    assert codes(verdict, Result.HOLD) == {"outlet-unknown"}


VENDOR = """
id = "LicenseRef-linernotes-vendor-{plan}-{version}"
title = "Vendor terms {version}, plan {plan}"
version = "{version}"
source = "https://vendor.example/terms"
read = 2026-11-20
vendor = "Vendor"
plan = "{plan}"
effective-from = {begins}
[[term]]
subjects = ["output"]
effect = "{effect}"
clause = "4"
text = "rules on output"
"""


def test_a_song_of_the_free_plan_stays_one_after_an_upgrade() -> None:
    table = shipped_table()
    documents = dict(table.documents)
    for plan, effect in (("free", "prohibited"), ("pro", "permitted")):
        text = VENDOR.format(plan=plan, version="1", begins="2025-01-01", effect=effect)
        document = read_document(datafile.parse(text, plan))
        documents[document.id] = document
    terms = TermsTable(documents, table.copyright, table.statutory)
    haydn = CorpusItem("x", "X", "Joseph Haydn", 1732, 1809, "CC0-1.0", 1790)

    def made(plan: str, when: str = MADE, given: tuple[Grant, ...] = ()) -> Result:
        nodes = (
            Recording("r", MADE),
            Generation("g", when, VendorTerms("Vendor", plan)),
            Model("m", "m", "CC0-1.0", "CC0-1.0"),
            Corpus("c", "c", (haydn,)),
        )
        closure = Closure("r", nodes, (Edge("r", "g"), Edge("g", "m"), Edge("m", "c")), given)
        question = parse_question("commercial-release", "DE", "2027-06-01", MADE)
        return decide(closure, question, terms, shipped_policy()).result

    assert made("free") is Result.DENY
    assert made("pro") is Result.ALLOW
    assert made("gold") is Result.HOLD
    assert made("pro", "2024-12-31T23:59:59Z") is Result.HOLD
    assert made("free", given=(grant("g", Subject.OUTPUT),)) is Result.ALLOW


def test_the_duty_to_mark_comes_with_generated_sound_in_the_union(ask: Callable[..., Verdict]) -> None:
    (duty,) = ask("commercial-release", "DE").duties
    assert duty.code == "eu-ai-act-50-2"
    assert duty.path == ("track", "generation")
    assert "Article 50(2)" in duty.clause
    assert ask("commercial-release", "JP").duties == ()
    assert [duty.code for duty in ask("commercial-release", "worldwide").duties] == ["eu-ai-act-50-2"]


def test_a_human_recording_has_no_marking_duty(ask: Callable[..., Verdict]) -> None:
    closure = Closure("r", (Recording("r", MADE), ADA), (Edge("r", "edit"),))
    verdict = ask(closure=closure, asked_by="party-ada")
    assert verdict.result is Result.ALLOW
    assert verdict.duties == ()


@pytest.mark.parametrize(
    ("day", "words"), [("1066-10-14", "before the recording was made: give one from 2026-11-20 to 2200-12-31")]
)
def test_a_day_before_the_recording_is_an_error(ask: Callable[..., Verdict], day: str, words: str) -> None:
    with pytest.raises(LicensingError) as caught:
        ask("sync", "DE", day)
    assert words in str(caught.value)
    with pytest.raises(QuestionError, match="too far off"):
        ask("sync", "DE", "2999-01-01")


def test_the_document_is_canonical_and_carries_what_it_rests_on(ask: Callable[..., Verdict]) -> None:
    verdict = ask("commercial-release", "MX")
    document = verdict.to_document()
    assert json.loads(verdict.to_bytes()) == document
    assert verdict.to_bytes() == rfc8785.dumps(document)
    assert document["verdict"] == "HOLD"
    assert document["policy_version"] == "cautious-1"
    assert document["policy_digest"] == shipped_policy().digest
    assert document["terms_digest"] == shipped_table().digest
    assert document["ledger"] == {"size": 7, "root": None}
    assert document["question"]["territory"] == "MX"
    assert {"code", "path", "text"} <= document["reasons"][0].keys()


def test_everything_that_was_weighed_is_in_the_inputs_digest(ask: Callable[..., Verdict]) -> None:
    seen = {
        verdict.inputs
        for verdict in (
            ask(),
            ask("sync"),
            ask("sync", "AT"),
            ask(day="2026-11-21"),
            ask(policy="strict-1"),
            ask(asked_by="party-ada"),
            ask(outlet="Somewhere"),
            ask(weights="MIT"),
            ask(first_published=1900),
            ask(grants=(grant("model", Subject.WEIGHTS),)),
            ask(contributions=(ADA,)),
        )
    }
    assert len(seen) == 11


FILE = File("sha256:file", "", "")


def brought(lineage: Callable[..., Closure], file: File) -> Closure:
    closure = lineage()
    edges = (*closure.edges, Edge(file.id, "track"))
    return replace(closure, root=file.id, nodes=(*closure.nodes, file), edges=edges)


def test_a_file_that_is_only_like_a_recording_is_held(
    lineage: Callable[..., Closure], ask: Callable[..., Verdict]
) -> None:
    verdict = ask(closure=brought(lineage, replace(FILE, unlike="12 dB are left")))
    assert verdict.result is Result.HOLD
    (reason,) = (reason for reason in verdict.reasons if reason.result is Result.HOLD)
    assert (reason.code, reason.path) == ("identity-not-shown", ("sha256:file", "track"))
    assert "sounds like the recording track and is not shown to be it" in reason.text
    assert "12 dB are left" in reason.text
    assert all(reason.path[0] == "sha256:file" for reason in verdict.reasons)


def test_a_file_that_another_log_claims_is_held(lineage: Callable[..., Closure], ask: Callable[..., Verdict]) -> None:
    verdict = ask(closure=brought(lineage, replace(FILE, other_log="example.com/log")))
    assert verdict.result is Result.HOLD
    (reason,) = (reason for reason in verdict.reasons if reason.result is Result.HOLD)
    assert (reason.code, reason.path) == ("other-log", ("sha256:file",))
    assert "intact manifest of the log example.com/log" in reason.text


def test_a_denial_stays_one_whatever_the_file_is(lineage: Callable[..., Closure], ask: Callable[..., Verdict]) -> None:
    closure = brought(lineage, replace(FILE, unlike="x", other_log="y"))
    model = replace(closure.by_id["model"], weights_licence="CC-BY-NC-4.0")
    nodes = tuple(model if node.id == "model" else node for node in closure.nodes)
    assert ask("commercial-release", "DE", closure=replace(closure, nodes=nodes)).result is Result.DENY


def test_a_file_without_doubts_is_its_recording(lineage: Callable[..., Closure], ask: Callable[..., Verdict]) -> None:
    assert ask(closure=brought(lineage, FILE)).result is Result.ALLOW


def test_explains_itself_line_by_line(ask: Callable[..., Verdict]) -> None:
    lines = explain(ask("commercial-release", "MX", weights="CC-BY-NC-4.0"))
    assert lines[0].startswith("DENY: commercial-release in Mexico (MX) on 2026-11-20")
    assert lines[1].startswith("  DENY (weights-prohibited) The weights of the model")
    assert lines[2] == "    path: track > generation > model"
    assert any(line.startswith("  HOLD (composition-in-copyright)") for line in lines)
    assert "not legal advice" in lines[-1]
    marked = explain(ask("commercial-release", "DE"))
    place = marked.index("Duties:")
    assert marked[place + 1].startswith("  eu-ai-act-50-2: Keep the output marked")
    assert marked[place + 2] == "    path: track > generation"
    assert "    source: https://creativecommons.org/publicdomain/zero/1.0/legalcode" in marked


# Properties over generated closures.

LICENCES = st.sampled_from(
    [
        *("CC0-1.0", "CC-BY-4.0", "CC-BY-NC-4.0", "CC-BY-ND-4.0", "MIT", "CC-PDM-1.0", UNKNOWN_LICENCE, None),
        *("CC-BY-SA-4.0", "CC-BY-SA-3.0", "CC-BY-SA-1.0", "CC-BY-NC-SA-4.0", "CC-BY-NC-SA-2.0"),
        *("CC-BY-SA-4.0 OR CC-BY-NC-SA-4.0", "CC-BY-SA-4.0 AND CC-BY-NC-4.0"),
    ]
)
ITEMS = st.builds(
    CorpusItem,
    st.uuids().map(str),
    st.just("Quartet"),
    st.sampled_from(["Béla Bartók", "Claude Debussy", "Somebody"]),
    st.none(),
    st.none() | st.integers(1850, 1960),
    LICENCES,
    st.none() | st.integers(1850, 2020),
)
CONTRIBUTIONS = st.builds(
    Contribution,
    st.uuids().map(str),
    st.sampled_from(["party-ada", "party-bob"]),
    st.just("Composer"),
    st.sampled_from([frozenset({Subject.COMPOSITION}), frozenset({Subject.MASTER, Subject.COMPOSITION})]),
    LICENCES,
)
QUESTIONS = st.builds(
    parse_question,
    st.sampled_from(Use),
    st.sampled_from(["DE", "MX", "US", "FR", "JP", "TD"]),
    st.sampled_from([None, "2035-06-01"]),
    st.just(MADE),
    asked_by=st.sampled_from([None, "party-ada"]),
)
POLICIES = st.sampled_from(["cautious-1", "strict-1", "permissive-1"]).map(shipped_policy)
PLENTY = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@st.composite
def closures(draw: st.DrawFn) -> Closure:
    items = tuple(draw(st.lists(ITEMS, max_size=3, unique_by=lambda item: item.id)))
    edits = tuple(draw(st.lists(CONTRIBUTIONS, max_size=2, unique_by=lambda edit: edit.id)))
    nodes = (
        Recording("track", MADE),
        Generation("generation", MADE),
        Model("model", "the model", draw(LICENCES), draw(LICENCES)),
        Corpus("corpus", "the corpus", items),
        *edits,
    )
    edges = (Edge("track", "generation"), Edge("generation", "model"), Edge("model", "corpus"))
    closure = Closure("track", nodes, edges + tuple(Edge("track", edit.id) for edit in edits))
    return replace(closure, grants=tuple(draw(st.lists(grants(closure), max_size=2, unique_by=lambda one: one.id))))


def grants(closure: Closure) -> st.SearchStrategy[Grant]:
    things = [node.id for node in closure.nodes]
    things += [item.id for node in closure.nodes if isinstance(node, Corpus) for item in node.items]
    return st.builds(
        Grant,
        st.uuids().map(str),
        st.sampled_from(things),
        st.sampled_from(Subject),
        st.frozensets(st.sampled_from(Use), min_size=1) | st.just(frozenset(Use)),
        st.sampled_from([frozenset({"worldwide"}), frozenset({"DE", "US"})]),
        st.sampled_from([date(2026, 1, 1), date(2030, 1, 1)]),
        st.sampled_from([None, date(2027, 1, 1)]),
        st.just(MADE),
        st.sampled_from([None, "party-ada"]),
    )


def rule(closure: Closure, question: Question, policy: Policy) -> Verdict:
    return decide(closure, question, shipped_table(), policy)


@PLENTY
@given(st.data(), closures(), QUESTIONS, POLICIES)
def test_adding_a_grant_never_makes_it_worse(
    data: st.DataObject, closure: Closure, question: Question, policy: Policy
) -> None:
    more = replace(closure, grants=(*closure.grants, data.draw(grants(closure))))
    before, after = rule(closure, question, policy).result, rule(more, question, policy).result
    assert after.severity <= before.severity


def restricted(draw: st.DrawFn, closure: Closure) -> Closure:
    """Return the closure with one more restriction."""
    kind = draw(st.sampled_from(["licence", "item", "contribution", "model", "file", "no grant", "short grant"]))
    nodes, edges, kept = list(closure.nodes), list(closure.edges), list(closure.grants)
    if kind == "licence":
        place = draw(st.sampled_from(["weights_licence", "output_terms"]))
        model = closure.by_id["model"]
        before, other = getattr(model, place), draw(LICENCES)
        stricter = None if before is None or other is None else f"({before}) AND {other}"
        nodes[nodes.index(model)] = replace(model, **{place: stricter})
    elif kind == "item":
        corpus = closure.by_id["corpus"]
        if corpus.items:
            nodes[nodes.index(corpus)] = Corpus("corpus", "the corpus", (*corpus.items, draw(ITEMS)))
    elif kind == "contribution":
        edit = draw(CONTRIBUTIONS)
        nodes.append(edit)
        edges.append(Edge("track", edit.id))
    elif kind == "model":
        nodes.append(Model("parent", "the parent", draw(LICENCES), draw(LICENCES)))
        edges += [Edge("model", "parent"), Edge("parent", "corpus")]
    elif kind == "file":
        file = draw(st.builds(File, st.just("file"), st.sampled_from(["", "unlike"]), st.sampled_from(["", "log"])))
        edges.append(Edge("file", "track"))
        return replace(closure, root="file", nodes=(*nodes, file), edges=tuple(edges))
    elif kept:
        lost = kept.pop()
        if kind == "short grant":
            kept.append(replace(lost, uses=frozenset(sorted(lost.uses)[:1]), valid_until=date(2027, 1, 1)))
    return replace(closure, nodes=tuple(nodes), edges=tuple(edges), grants=tuple(kept))


@PLENTY
@given(st.data(), closures(), QUESTIONS, POLICIES)
def test_adding_a_restriction_never_makes_it_better(
    data: st.DataObject, closure: Closure, question: Question, policy: Policy
) -> None:
    worse = restricted(data.draw, closure)
    before, after = rule(closure, question, policy).result, rule(worse, question, policy).result
    assert after.severity >= before.severity


@PLENTY
@given(closures(), QUESTIONS, POLICIES)
def test_the_unknown_is_never_allowed(closure: Closure, question: Question, policy: Policy) -> None:
    bare = replace(closure, grants=())
    model = bare.by_id["model"]
    corpus = bare.by_id["corpus"]
    unknown = (
        {model.weights_licence, model.output_terms} & {None, UNKNOWN_LICENCE}
        or {item.encoding_licence for item in corpus.items} & {None, UNKNOWN_LICENCE}
        or not corpus.items
    )
    verdict = rule(bare, question, policy)
    if unknown:
        assert verdict.result is not Result.ALLOW
    if verdict.result is Result.ALLOW and policy.compositions.weighed:
        assert question.territory.code != "TD"
        assert all(item.died is not None for item in corpus.items if question.territory.code != "US")


@PLENTY
@given(closures(), QUESTIONS, POLICIES, st.randoms())
def test_the_same_inputs_give_the_same_bytes_in_any_order(
    closure: Closure, question: Question, policy: Policy, random: object
) -> None:
    nodes, edges, kept = list(closure.nodes), list(closure.edges), list(closure.grants)
    for entries in (nodes, edges, kept):
        random.shuffle(entries)
    shuffled = [
        replace(node, items=tuple(random.sample(node.items, len(node.items)))) if isinstance(node, Corpus) else node
        for node in nodes
    ]
    again = Closure("track", tuple(shuffled), tuple(edges), tuple(kept))
    assert rule(again, question, policy).to_bytes() == rule(closure, question, policy).to_bytes()


@PLENTY
@given(closures(), QUESTIONS, POLICIES)
def test_every_reason_has_a_path_that_the_lineage_has(closure: Closure, question: Question, policy: Policy) -> None:
    verdict = rule(closure, question, policy)
    items = {item.id for node in closure.nodes if isinstance(node, Corpus) for item in node.items}
    assert verdict.result.severity == max(reason.result.severity for reason in verdict.reasons)
    severities = [reason.result.severity for reason in verdict.reasons]
    assert severities == sorted(severities, reverse=True)
    for reason in verdict.reasons:
        assert reason.text
        assert reason.path[0] == "track"
        for made, source in zip(reason.path, reason.path[1:], strict=False):
            assert Edge(made, source) in closure.edges or (made == "corpus" and source in items)
        assert {item.id for item in reason.items} <= items
        assert len(reason.items) in {0, reason.count}
    for duty in verdict.duties:
        assert duty.path[0] == "track"
        assert duty.source
