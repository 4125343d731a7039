"""Terms as typed data: what each licence document says of each use of each kind of thing.

Code, weights, training input, output, master and composition are six subjects: a document that
permits a use of one says nothing of the others. The documents are data files, one per version.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from licensing import datafile
from licensing.document import HIDDEN, document_digest
from licensing.errors import DataFileError
from licensing.expression import Compound, Join, structure
from licensing.term_rules import CopyrightTerms, shipped_terms
from licensing.territory import WORLDWIDE, Territory, gazetteer
from licensing.vocabulary import Effect, Subject, Use

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import date

    from licensing.datafile import Table
    from provenance.identity import Digest

UNKNOWN_LICENCE: Final = "LicenseRef-unknown"
"""Stands for a licence text that was not understood."""

SHARE_ALIKE: Final = "share-alike"
"""Code of the duty to offer what is made to everybody on the same terms."""


@dataclass(frozen=True, slots=True)
class Term:
    """What one clause says of some uses of some subjects."""

    subjects: tuple[Subject, ...]
    uses: tuple[Use, ...]
    effect: Effect
    clause: str
    text: str


@dataclass(frozen=True, slots=True)
class Obligation:
    """A duty that comes with using some subjects under a document.

    Attributes:
        offers: For share-alike, the licences of which one must be offered to everybody; else empty.
    """

    code: str
    subjects: tuple[Subject, ...]
    uses: tuple[Use, ...]
    clause: str
    text: str
    offers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VendorTerms:
    """Names the terms a vendor offered: they are found by vendor and plan at the time of generation.

    Attributes:
        vendor: As in the document.
        plan: As in the document, such as ``free``.
    """

    vendor: str
    plan: str


@dataclass(frozen=True, slots=True)
class LicenceDocument:
    """One version of one licence, or of one vendor's terms for one plan.

    Attributes:
        id: SPDX identifier, or our own ``LicenseRef-``.
        source: Where the text is.
        read: When it was read.
        names: Exact names it goes by, besides its id.
        urls: Host and path of its pages, without scheme, ``www.`` and a slash at the end.
        offered: Vendor and plan, for a vendor's terms.
        effective_from: First day of a vendor's terms.
        effective_until: Last day, or None while they are in force.
    """

    id: str
    title: str
    version: str
    source: str
    read: date
    note: str
    names: tuple[str, ...]
    urls: tuple[str, ...]
    terms: tuple[Term, ...]
    duties: tuple[Obligation, ...]
    offered: VendorTerms | None = None
    effective_from: date | None = None
    effective_until: date | None = None

    def term(self, subject: Subject, use: Use) -> Term | None:
        """Return what the document says of a use of a subject, or None where it is silent."""
        return next((term for term in self.terms if subject in term.subjects and use in term.uses), None)

    def in_force(self, day: date) -> bool:
        """Tell whether a vendor's terms were in force on a day."""
        begun = self.effective_from is None or self.effective_from <= day
        return begun and (self.effective_until is None or day <= self.effective_until)


@dataclass(frozen=True, slots=True)
class StatutoryDuty:
    """A duty that the law of a place lays on a release.

    Attributes:
        territories: Codes of the places.
        starts: First day of the duty.
    """

    code: str
    territories: tuple[str, ...]
    starts: date
    clause: str
    text: str
    source: str
    read: date

    def applies(self, territory: Territory, day: date) -> bool:
        """Tell whether a release in a territory on a day has this duty."""
        return day >= self.starts and (territory == WORLDWIDE or territory.code in self.territories)


@dataclass(frozen=True, slots=True)
class Finding:
    """One clause that decided, or the silence that did.

    Attributes:
        licence: Id of the document, or the expression as it stood.
        clause: Empty where a document is silent or not known.
    """

    licence: str
    clause: str
    text: str
    source: str


@dataclass(frozen=True, slots=True)
class Ban:
    """A use that a document prohibits, whatever was asked about."""

    use: Use
    finding: Finding


@dataclass(frozen=True, slots=True)
class Ruling:
    """What an expression of licences says of one use of one subject.

    Attributes:
        duties: Each duty, with the source of the document that asks for it.
        bans: Every use of the subject that is prohibited: whoever must let everybody do it, cannot.
    """

    effect: Effect
    findings: tuple[Finding, ...]
    duties: tuple[tuple[Obligation, str], ...] = ()
    bans: tuple[Ban, ...] = ()


@dataclass(frozen=True, slots=True)
class TermsTable:
    """Everything sourced that a verdict rests on.

    Attributes:
        documents: By id.
        copyright: Copyright terms by territory.
        statutory: Duties by law.
        digest: SHA-256 of all of it in canonical form.
    """

    documents: Mapping[str, LicenceDocument]
    copyright: CopyrightTerms
    statutory: tuple[StatutoryDuty, ...]
    digest: Digest = field(init=False, metadata=HIDDEN)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", document_digest([self.documents, self._copyright(), self.statutory]))

    def _copyright(self) -> list[object]:
        people = [[name, died, facts] for (name, died), facts in sorted(self.copyright.people.items())]
        return [self.copyright.rules, people]

    def rule(self, expression: str | None, subject: Subject, use: Use) -> Ruling:
        """Rule on one use of one subject under an expression of licences.

        Where the expression offers a choice (OR) the best branch decides; where it asks for several
        licences at once (AND) the worst does. What is not known is never permitted.

        Args:
            expression: SPDX expression as :func:`licensing.licence.understand` gives it; None or
                empty when no licence is on record.
            subject: What is used.
            use: For what.
        """
        if not expression:
            return Ruling(Effect.UNKNOWN, (Finding("", "", "no licence is on record", ""),))
        return self._rule_part(structure(expression) or expression, subject, use)

    def lets(self, licence: str, subject: Subject) -> frozenset[Use]:
        """Return what a licence lets everybody do with a subject; every use, where it is not on record."""
        document = self.documents.get(licence)
        if document is None:
            return frozenset(Use)
        terms = {use: document.term(subject, use) for use in Use}
        return frozenset(use for use, term in terms.items() if term and term.effect is Effect.PERMITTED)

    def vendor_document(self, terms: VendorTerms, day: date) -> LicenceDocument | None:
        """Return the version of a vendor's terms that was in force on a day, if it is on record."""
        offered = (entry for entry in self.documents.values() if entry.offered == terms and entry.in_force(day))
        return next(offered, None)

    def _rule_part(self, part: str | Compound, subject: Subject, use: Use) -> Ruling:
        if isinstance(part, Compound):
            rulings = [self._rule_part(entry, subject, use) for entry in part.parts]
            return _best(rulings) if part.join is Join.ANY else _all(rulings)
        document = self.documents.get(part)
        return _unknown(part) if document is None else rule_document(document, subject, use)


def rule_document(document: LicenceDocument, subject: Subject, use: Use) -> Ruling:
    """Rule on one use of one subject under one document."""
    term, bans = document.term(subject, use), _bans(document, subject)
    if term is None:
        silence = f"{document.title} says nothing of {use} of {_NOUNS[subject]}"
        return Ruling(Effect.UNKNOWN, (Finding(document.id, "", silence, document.source),), bans=bans)
    finding = _finding(document, term)
    if term.effect is Effect.PROHIBITED:
        return Ruling(term.effect, (finding,), bans=bans)
    duties = [duty for duty in document.duties if subject in duty.subjects and use in duty.uses]
    return Ruling(term.effect, (finding,), tuple((duty, document.source) for duty in duties), bans)


_NOUNS: Final[Mapping[Subject, str]] = {
    Subject.CODE: "code",
    Subject.WEIGHTS: "weights",
    Subject.TRAINING_INPUT: "what a model learned from",
    Subject.OUTPUT: "a model's output",
    Subject.MASTER: "a sound recording",
    Subject.COMPOSITION: "a composition",
}


def _finding(document: LicenceDocument, term: Term) -> Finding:
    return Finding(document.id, term.clause, f"{document.title} {term.text}", document.source)


def _bans(document: LicenceDocument, subject: Subject) -> tuple[Ban, ...]:
    terms = ((use, document.term(subject, use)) for use in Use)
    return tuple(Ban(use, _finding(document, term)) for use, term in terms if term and term.effect is Effect.PROHIBITED)


def _unknown(expression: str) -> Ruling:
    if expression == UNKNOWN_LICENCE:
        text = "the licence as found was not understood"
    else:
        text = f"the terms of {expression} are not on record"
    return Ruling(Effect.UNKNOWN, (Finding(expression, "", text, ""),))


def _best(rulings: list[Ruling]) -> Ruling:
    best = min(rulings, key=lambda ruling: (ruling.effect.severity, len(ruling.duties)))
    everywhere = frozenset.intersection(*(frozenset(ban.use for ban in ruling.bans) for ruling in rulings))
    return replace(best, bans=tuple(ban for ban in best.bans if ban.use in everywhere))


def _all(rulings: list[Ruling]) -> Ruling:
    effect = max((ruling.effect for ruling in rulings), key=lambda effect: effect.severity)
    deciding = [ruling for ruling in rulings if ruling.effect is effect]
    duties = () if effect is Effect.PROHIBITED else _merge(ruling.duties for ruling in rulings)
    bans = tuple(dict.fromkeys(ban for ruling in rulings for ban in ruling.bans))
    return Ruling(effect, tuple(finding for ruling in deciding for finding in ruling.findings), duties, bans)


def _merge(duties: Iterable[tuple[tuple[Obligation, str], ...]]) -> tuple[tuple[Obligation, str], ...]:
    return tuple(dict.fromkeys(duty for group in duties for duty in group))


@lru_cache(maxsize=1)
def shipped_table() -> TermsTable:
    """Return the terms that come with the package."""
    documents = [read_document(datafile.load(f"licences/{name}.toml")) for name in datafile.names("licences")]
    statutory = tuple(_statutory(datafile.load("statutory-duties.toml")))
    return TermsTable({document.id: document for document in documents}, shipped_terms(), statutory)


def read_document(table: Table) -> LicenceDocument:
    """Read one licence document.

    Raises:
        DataFileError: The file breaks its form, or says two things of one use of one subject.
    """
    vendor = table.text("vendor") if table.has("vendor") else ""
    document = LicenceDocument(
        id=table.text("id"),
        title=table.text("title"),
        version=table.text("version"),
        source=table.text("source"),
        read=table.day("read"),
        note=table.text("note") if table.has("note") else "",
        names=table.texts("names"),
        urls=table.texts("urls"),
        terms=tuple(_term(entry) for entry in table.tables("term")),
        duties=tuple(_obligation(entry) for entry in table.tables("duty")),
        offered=VendorTerms(vendor, table.text("plan")) if vendor else None,
        effective_from=table.optional_day("effective-from"),
        effective_until=table.optional_day("effective-until"),
    )
    table.close()
    said: set[tuple[Subject, Use]] = set()
    for term in document.terms:
        pairs = {(subject, use) for subject in term.subjects for use in term.uses}
        if pairs & said:
            subject, use = min(pairs & said)
            raise DataFileError(f"{table.where} says two things of {use} of {subject}. Keep one [[term]] for it.")
        said |= pairs
    return document


def _term(table: Table) -> Term:
    subjects, uses = table.choices("subjects", Subject), table.choices("uses", Use)
    term = Term(subjects, uses, table.choice("effect", Effect), table.text("clause"), table.text("text"))
    table.close()
    return term


def _obligation(table: Table) -> Obligation:
    subjects, uses = table.choices("subjects", Subject), table.choices("uses", Use)
    code, offers = table.text("code"), table.texts("offers")
    if (code == SHARE_ALIKE) != bool(offers):
        raise table.wrong("offers", "must name the licences that may be offered for share-alike, and for nothing else")
    duty = Obligation(code, subjects, uses, table.text("clause"), table.text("text"), offers)
    table.close()
    return duty


def _statutory(table: Table) -> Iterator[StatutoryDuty]:
    for entry in table.tables("duty"):
        group = entry.text("group")
        if group not in gazetteer().groups:
            raise entry.wrong("group", f"is not one of {', '.join(gazetteer().groups)}")
        if entry.text("applies-to") != "generation":
            raise entry.wrong("applies-to", "must be generation")
        yield StatutoryDuty(
            code=entry.text("code"),
            territories=gazetteer().groups[group],
            starts=entry.day("from"),
            clause=entry.text("clause"),
            text=entry.text("text"),
            source=entry.text("source"),
            read=entry.day("read"),
        )
        entry.close()
    table.close()
