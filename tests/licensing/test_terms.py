from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing import datafile
from licensing.errors import DataFileError
from licensing.expression import normal_form
from licensing.terms import (
    UNKNOWN_LICENCE,
    LicenceDocument,
    TermsTable,
    VendorTerms,
    _statutory,
    read_document,
    rule_document,
    shipped_table,
)
from licensing.territory import WORLDWIDE, parse_territory
from licensing.vocabulary import Effect, Subject, Use

TABLE = shipped_table()
MATERIAL = (Subject.OUTPUT, Subject.MASTER, Subject.COMPOSITION)
COMMERCIAL = (Use.COMMERCIAL_RELEASE, Use.SYNC, Use.BROADCAST)

VENDOR = """
id = "LicenseRef-linernotes-vendor-{version}"
title = "Vendor terms {version}"
version = "{version}"
source = "https://vendor.example/terms"
read = 2026-11-20
vendor = "Vendor"
plan = "free"
effective-from = {begins}
effective-until = {ends}
[[term]]
subjects = ["output"]
uses = ["non-commercial"]
effect = "permitted"
clause = "4"
text = "permits non-commercial use"
"""


@pytest.mark.parametrize("document", TABLE.documents.values(), ids=lambda document: document.id)
def test_every_document_is_named_as_spdx_names_it_and_says_where_it_was_read(document: LicenceDocument) -> None:
    assert normal_form(document.id) == document.id
    assert document.source.startswith("https://")
    assert date(2026, 1, 1) <= document.read
    assert document.names
    assert document.urls
    assert document.terms
    assert all(term.clause and term.text for term in document.terms)


def test_the_creative_commons_family_is_there_by_version() -> None:
    kinds = ("BY", "BY-SA", "BY-NC", "BY-ND", "BY-NC-SA", "BY-NC-ND")
    assert {f"CC-{kind}-{version}" for kind in kinds for version in ("1.0", "2.0", "2.5", "3.0", "4.0")} <= set(
        TABLE.documents
    )


@given(st.sampled_from(sorted(TABLE.documents)), st.sampled_from(Subject), st.sampled_from(Use))
def test_no_restriction_in_a_name_is_lost_in_its_terms(name: str, subject: Subject, use: Use) -> None:
    ruling = TABLE.rule(name, subject, use)
    if "-NC" in name and use is not Use.NON_COMMERCIAL:
        assert ruling.effect is not Effect.PERMITTED
    if "-NC" in name and use in COMMERCIAL and subject is not Subject.CODE:
        assert ruling.effect is Effect.PROHIBITED
    if "-ND" in name and use in {Use.DERIVATIVE, Use.SAMPLING} and subject in MATERIAL:
        assert ruling.effect is not Effect.PERMITTED
    if ruling.effect is Effect.PERMITTED and "-BY" in name:
        assert "attribution" in {duty.code for duty, _ in ruling.duties}
    if ruling.effect is Effect.PERMITTED and "-SA" in name:
        assert "share-alike" in {duty.code for duty, _ in ruling.duties}


@pytest.mark.parametrize(
    ("licence", "subject", "use", "effect"),
    [
        ("CC0-1.0", Subject.OUTPUT, Use.COMMERCIAL_RELEASE, Effect.PERMITTED),
        ("CC-BY-4.0", Subject.MASTER, Use.SYNC, Effect.PERMITTED),
        ("CC-BY-ND-4.0", Subject.MASTER, Use.SYNC, Effect.PROHIBITED),
        ("CC-BY-ND-1.0", Subject.OUTPUT, Use.SYNC, Effect.PARTLY),
        ("CC-BY-ND-4.0", Subject.OUTPUT, Use.COMMERCIAL_RELEASE, Effect.PERMITTED),
        ("CC-BY-ND-4.0", Subject.COMPOSITION, Use.COMMERCIAL_RELEASE, Effect.PARTLY),
        ("CC-BY-ND-4.0", Subject.TRAINING_INPUT, Use.COMMERCIAL_RELEASE, Effect.PARTLY),
        ("CC-BY-NC-4.0", Subject.WEIGHTS, Use.COMMERCIAL_RELEASE, Effect.PROHIBITED),
        ("CC-BY-NC-4.0", Subject.WEIGHTS, Use.NON_COMMERCIAL, Effect.PERMITTED),
        ("CC-BY-NC-4.0", Subject.WEIGHTS, Use.EDUCATION, Effect.PARTLY),
        ("CC-PDM-1.0", Subject.TRAINING_INPUT, Use.NON_COMMERCIAL, Effect.PARTLY),
        ("MIT", Subject.WEIGHTS, Use.COMMERCIAL_RELEASE, Effect.PERMITTED),
        ("MIT", Subject.OUTPUT, Use.COMMERCIAL_RELEASE, Effect.UNKNOWN),
        ("GPL-3.0-only", Subject.CODE, Use.COMMERCIAL_RELEASE, Effect.PERMITTED),
        ("GPL-3.0-only", Subject.WEIGHTS, Use.COMMERCIAL_RELEASE, Effect.PARTLY),
        (UNKNOWN_LICENCE, Subject.WEIGHTS, Use.NON_COMMERCIAL, Effect.UNKNOWN),
        ("LicenseRef-acme", Subject.WEIGHTS, Use.NON_COMMERCIAL, Effect.UNKNOWN),
        ("not an expression (", Subject.WEIGHTS, Use.NON_COMMERCIAL, Effect.UNKNOWN),
        ("", Subject.WEIGHTS, Use.NON_COMMERCIAL, Effect.UNKNOWN),
        (None, Subject.WEIGHTS, Use.NON_COMMERCIAL, Effect.UNKNOWN),
        ("MIT OR CC-BY-NC-4.0", Subject.WEIGHTS, Use.COMMERCIAL_RELEASE, Effect.PERMITTED),
        ("MIT AND CC-BY-NC-4.0", Subject.WEIGHTS, Use.COMMERCIAL_RELEASE, Effect.PROHIBITED),
        ("CC-BY-NC-4.0 OR LicenseRef-acme", Subject.WEIGHTS, Use.COMMERCIAL_RELEASE, Effect.UNKNOWN),
        ("GPL-2.0-only WITH Classpath-exception-2.0", Subject.CODE, Use.SYNC, Effect.UNKNOWN),
    ],
)
def test_rules_on_known_cases(licence: str | None, subject: Subject, use: Use, effect: Effect) -> None:
    ruling = TABLE.rule(licence, subject, use)
    assert ruling.effect is effect
    assert ruling.findings
    assert all(finding.text for finding in ruling.findings)


LICENCES = st.sampled_from([*sorted(TABLE.documents), UNKNOWN_LICENCE])


@given(LICENCES, LICENCES, st.sampled_from(Subject), st.sampled_from(Use))
def test_all_of_two_is_the_worse_and_any_of_two_the_better(one: str, two: str, subject: Subject, use: Use) -> None:
    alone = sorted((TABLE.rule(name, subject, use).effect for name in (one, two)), key=lambda effect: effect.severity)
    assert TABLE.rule(f"{one} OR {two}", subject, use).effect is alone[0]
    assert TABLE.rule(f"{one} AND {two}", subject, use).effect is alone[1]


def test_all_of_two_has_the_duties_of_both() -> None:
    ruling = TABLE.rule("CC-BY-4.0 AND CC-BY-SA-3.0", Subject.OUTPUT, Use.COMMERCIAL_RELEASE)
    assert sorted(duty.code for duty, _ in ruling.duties) == ["attribution", "attribution", "share-alike"]


def test_vendor_terms_are_those_in_force_at_the_time() -> None:
    first = read_document(datafile.parse(VENDOR.format(version="1", begins="2025-01-01", ends="2025-12-31"), "v1"))
    second = read_document(datafile.parse(VENDOR.format(version="2", begins="2026-01-01", ends="2026-12-31"), "v2"))
    table = TermsTable({entry.id: entry for entry in (first, second)}, TABLE.copyright, ())
    offered = VendorTerms("Vendor", "free")
    assert table.vendor_document(offered, date(2025, 12, 31)) == first
    assert table.vendor_document(offered, date(2026, 1, 1)) == second
    assert table.vendor_document(offered, date(2027, 1, 1)) is None
    assert table.vendor_document(VendorTerms("Vendor", "pro"), date(2026, 1, 1)) is None
    assert rule_document(first, Subject.OUTPUT, Use.SYNC).effect is Effect.UNKNOWN


def test_a_document_that_says_two_things_is_refused() -> None:
    again = '[[term]]\nsubjects = ["output"]\neffect = "prohibited"\nclause = "5"\ntext = "prohibits all"\n'
    text = VENDOR.format(version="1", begins="2025-01-01", ends="2025-12-31") + again
    with pytest.raises(DataFileError, match="v1 says two things of non-commercial of output"):
        read_document(datafile.parse(text, "v1"))


def test_the_marking_duty_of_the_ai_act_has_its_place_and_day() -> None:
    (duty,) = (entry for entry in TABLE.statutory if entry.code == "eu-ai-act-50-2")
    germany, mexico = parse_territory("DE"), parse_territory("MX")
    assert not duty.applies(germany, date(2026, 8, 1))
    assert duty.applies(germany, date(2026, 8, 2))
    assert duty.applies(WORLDWIDE, date(2026, 8, 2))
    assert not duty.applies(mexico, date(2026, 8, 2))


@pytest.mark.parametrize(
    ("line", "words"),
    [('group = "NATO"', "is not one of EU, EEA"), ('applies-to = "singing"', "must be generation")],
)
def test_a_duty_by_law_has_a_known_place_and_cause(line: str, words: str) -> None:
    fine = {"group": 'group = "EU"', "applies-to": 'applies-to = "generation"'}
    fine[line.split(" = ", maxsplit=1)[0]] = line
    text = "[[duty]]\n" + "\n".join(fine.values())
    with pytest.raises(DataFileError) as caught:
        list(_statutory(datafile.parse(text, "duties.toml")))
    assert words in str(caught.value)


def test_the_digest_covers_terms_territories_and_people() -> None:
    documents = dict(TABLE.documents)
    documents.pop("MIT")
    assert TermsTable(documents, TABLE.copyright, TABLE.statutory).digest != TABLE.digest
    assert TermsTable(TABLE.documents, TABLE.copyright, ()).digest != TABLE.digest
    people = type(TABLE.copyright)(TABLE.copyright.rules, {})
    assert TermsTable(TABLE.documents, people, TABLE.statutory).digest != TABLE.digest
    again = TermsTable(dict(reversed(TABLE.documents.items())), TABLE.copyright, TABLE.statutory)
    assert again.digest == TABLE.digest
