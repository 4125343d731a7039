"""Predicates about what is done with what is on record: whether it may be used, that it left, what was forgotten."""

from typing import Annotated, ClassVar

from pydantic import FailFast, Field

from provenance.disclosure import Commitment
from provenance.document import Count, Identifier, LeafHash
from provenance.identity import DigestText
from provenance.predicate import Known, Predicate


class CheckPredicate(Predicate):
    """A verdict was given on what may be done with a recording.

    What was asked and answered is somebody's business plan, so the verdict is a commitment; its
    opening is the verdict document that the asker and the reader of a package are given.
    """

    KIND: ClassVar[str] = "check"
    KNOWN: ClassVar[dict[str, Known]] = {
        "of": "proven",
        "verdict": "measured",
        "policy_version": "measured",
        "policy_digest": "measured",
        "tree_size": "proven",
        "tree_root": "proven",
    }

    recording_id: Identifier
    of: LeafHash
    verdict: Commitment
    policy_version: Identifier
    policy_digest: DigestText
    tree_size: Count
    tree_root: DigestText


class ExportPredicate(Predicate):
    """A package of a recording was made.

    Attributes:
        package_digest: SHA-256 of the package's ``manifest-sha256.txt``, which lists every file.
        check: Leaf hash of the check whose verdict travels in the package.
    """

    KIND: ClassVar[str] = "export"
    KNOWN: ClassVar[dict[str, Known]] = {"of": "proven", "package_digest": "measured", "check": "proven"}

    recording_id: Identifier
    of: LeafHash
    package_digest: DigestText
    files: Count
    check: LeafHash


class ErasurePredicate(Predicate):
    """The openings of commitments were deleted: nobody can show any more what they stood for.

    Attributes:
        of: Leaf hash of the statement with the commitments.
        fields: Names of its members whose openings are gone.
    """

    KIND: ClassVar[str] = "erasure"
    KNOWN: ClassVar[dict[str, Known]] = {"of": "proven", "fields": "measured"}

    of: LeafHash
    fields: Annotated[tuple[Identifier, ...], FailFast(), Field(min_length=1, max_length=32)]
