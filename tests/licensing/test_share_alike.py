"""Share-alike duties that cannot be met together are held, and name each clause."""

from collections.abc import Callable
from itertools import product

import pytest

from licensing import datafile
from licensing.closure import Contribution, CorpusItem
from licensing.errors import DataFileError
from licensing.terms import SHARE_ALIKE, LicenceDocument, read_document, shipped_table
from licensing.verdict import Verdict
from licensing.vocabulary import Result, Subject, Use

VERSIONS = ("1.0", "2.0", "2.5", "3.0", "4.0")
HELD = "share-alike-conflict"


def edit(licence: str | None, party: str = "party-bob") -> Contribution:
    return Contribution("edit", party, "Arranger", licence=licence)


def conflict(verdict: Verdict) -> str:
    """The text of the conflict; empty where there is none."""
    return "".join(reason.text for reason in verdict.reasons if reason.code == HELD)


def test_two_licences_that_each_ask_for_themselves(ask: Callable[..., Verdict]) -> None:
    verdict = ask(
        "non-commercial", weights="CC-BY-SA-4.0", output="CC-BY-SA-4.0", contributions=(edit("CC-BY-NC-SA-4.0"),)
    )
    assert verdict.result is Result.HOLD
    (reason,) = (reason for reason in verdict.reasons if reason.result is Result.HOLD)
    assert reason.code == HELD
    for words in (
        "The output of the model: Offer what is adapted from the material under CC-BY-SA-4.0",
        "The weights of the model: On a conservative reading share-alike reaches models",
        "The contribution of party-bob as Arranger (composition): Offer what is adapted",
        "from the material under CC-BY-NC-SA-4.0",
        "(section 3(b))",
        "no licence is accepted by all of these",
    ):
        assert words in reason.text
    assert reason.clause == "section 3(b)"
    assert "by-sa/4.0" in reason.source
    assert "by-nc-sa/4.0" in reason.source
    assert reason.path[0] == "track"
    assert {duty.code for duty in verdict.duties} >= {SHARE_ALIKE}


@pytest.mark.parametrize(("one", "other"), list(product(VERSIONS, VERSIONS)))
@pytest.mark.parametrize("kind", ["BY-SA", "BY-NC-SA"])
def test_later_versions_are_accepted_but_by_the_first(
    ask: Callable[..., Verdict], kind: str, one: str, other: str
) -> None:
    verdict = ask("non-commercial", output=f"CC-{kind}-{one}", contributions=(edit(f"CC-{kind}-{other}"),))
    assert bool(conflict(verdict)) is (one != other and "1.0" in {one, other})


@pytest.mark.parametrize("use", ["non-commercial", "commercial-release"])
def test_within_one_expression(ask: Callable[..., Verdict], use: str) -> None:
    both = ask(use, output="CC-BY-SA-4.0 AND CC-BY-NC-SA-4.0")
    assert both.result is not Result.ALLOW
    if use == "non-commercial":
        assert conflict(both)
    assert not conflict(ask(use, output="CC-BY-SA-4.0 OR CC-BY-NC-SA-4.0"))


def test_between_things_that_a_model_learned_from(ask: Callable[..., Verdict]) -> None:
    items = tuple(
        CorpusItem(licence, licence, "Joseph Haydn", 1732, 1809, licence, 1790)
        for licence in ("CC-BY-SA-4.0", "CC-BY-NC-SA-4.0")
    )
    assert conflict(ask("non-commercial", items=items))
    assert not conflict(ask("non-commercial", items=items[:1]))


@pytest.mark.parametrize(
    ("licence", "clause"),
    [
        ("CC-BY-NC-4.0", "sections 1 (NonCommercial)"),
        ("CC-BY-ND-4.0", "section"),
        ("CC-BY-SA-3.0", ""),
        ("CC0-1.0", ""),
    ],
)
def test_what_everybody_must_be_allowed_and_another_licence_forbids(
    ask: Callable[..., Verdict], licence: str, clause: str
) -> None:
    said = conflict(ask("non-commercial", output="CC-BY-SA-4.0", contributions=(edit(licence),)))
    assert bool(said) is bool(clause)
    if clause:
        assert "what must be allowed to everybody is forbidden by another licence" in said
        assert "The output of the model: Offer what is adapted" in said
        assert "The contribution of party-bob as Arranger (composition): Creative Commons" in said
        assert clause in said


def test_a_licence_that_forbids_no_more_than_share_alike_does(ask: Callable[..., Verdict]) -> None:
    verdict = ask("non-commercial", output="CC-BY-NC-SA-4.0", contributions=(edit("CC-BY-NC-4.0"),))
    assert not conflict(verdict)


def test_what_is_ones_own_or_granted_stands_against_nothing(ask: Callable[..., Verdict]) -> None:
    own = ask("non-commercial", output="CC-BY-SA-4.0", contributions=(edit("CC-BY-NC-4.0"),), asked_by="party-bob")
    assert own.result is Result.ALLOW


def test_a_denial_is_not_softened(ask: Callable[..., Verdict]) -> None:
    verdict = ask("commercial-release", output="CC-BY-SA-4.0", contributions=(edit("CC-BY-NC-SA-4.0"),))
    assert verdict.result is Result.DENY


@pytest.mark.parametrize("document", shipped_table().documents.values(), ids=lambda document: document.id)
def test_every_share_alike_licence_says_what_it_accepts(document: LicenceDocument) -> None:
    duties = [duty for duty in document.duties if duty.code == SHARE_ALIKE]
    assert bool(duties) is ("-SA-" in document.id or document.id.startswith("GPL"))
    for duty in duties:
        assert document.id in duty.offers
        assert all(other in shipped_table().documents for other in duty.offers)


def test_what_a_licence_lets_everybody_do() -> None:
    table = shipped_table()
    assert table.lets("CC-BY-SA-4.0", Subject.OUTPUT) == frozenset(Use)
    assert Use.COMMERCIAL_RELEASE not in table.lets("CC-BY-NC-SA-4.0", Subject.OUTPUT)
    assert table.lets("LicenseRef-nobody-knows", Subject.OUTPUT) == frozenset(Use)


@pytest.mark.parametrize(
    ("code", "offers"), [("share-alike", ""), ("share-alike", "offers = []"), ("attribution", 'offers = ["MIT"]')]
)
def test_a_duty_that_is_half_written_is_refused(code: str, offers: str) -> None:
    text = f"""
id = "LicenseRef-linernotes-x"
title = "X"
version = "1"
source = "https://example.com"
read = 2026-11-20
[[duty]]
code = "{code}"
{offers}
clause = "1"
text = "Offer it."
"""
    with pytest.raises(DataFileError, match="must name the licences that may be offered for share-alike"):
        read_document(datafile.parse(text, "x"))
