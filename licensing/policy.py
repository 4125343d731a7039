"""Policies: how cautious a verdict is, in files that a lawyer can read and a label can add to."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from ledger.bounded_file import read_bounded
from licensing import datafile
from licensing.document import HIDDEN, document_digest
from licensing.errors import PolicyError, shown
from licensing.vocabulary import Effect, Result

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from licensing.datafile import Table
    from provenance.identity import Digest

DEFAULT_POLICY: Final = "cautious-1"
MAX_FILE_BYTES: Final = 64 * 1024
"""Of a policy of the user's own: twenty times those that come with the package."""


@dataclass(frozen=True, slots=True)
class Weight:
    """What follows from each effect of the terms on one subject.

    Attributes:
        prohibited: When a document prohibits the use.
        partly: When it permits only part of the use, or it is unsettled whether it does.
        unknown: When it is silent, or not known.
        why: The reason, in a lawyer's words.
    """

    prohibited: Result
    partly: Result
    unknown: Result
    why: str

    def result(self, effect: Effect) -> Result:
        """Return what an effect comes to."""
        match effect:
            case Effect.PERMITTED:
                return Result.ALLOW
            case Effect.PARTLY:
                return self.partly
            case Effect.UNKNOWN:
                return self.unknown
            case Effect.PROHIBITED:
                return self.prohibited


@dataclass(frozen=True, slots=True)
class CompositionWeight:
    """What follows from the copyright in the compositions a model learned from.

    Attributes:
        weighed: Whether the policy looks at it at all.
        in_copyright: When a composition is in copyright in the territory.
        undetermined: When a missing fact leaves that open.
        no_data: When there is no data on the territory.
    """

    weighed: bool
    in_copyright: Result
    undetermined: Result
    no_data: Result
    why: str


@dataclass(frozen=True, slots=True)
class PublicationRightWeight:
    """What follows from the right of those who first publish a work out of copyright.

    Attributes:
        running: When the year of first publication shows that the right runs.
        unexamined: When the year is not known, so that nobody looked.
    """

    running: Result
    unexamined: Result
    why: str


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of one policy.

    Attributes:
        version: Its name, which every verdict carries.
        dated: When it was written.
        digest: SHA-256 of all of it in canonical form.
    """

    version: str
    title: str
    dated: date
    purpose: str
    weights: Weight
    output: Weight
    training_input: Weight
    contributions: Weight
    compositions: CompositionWeight
    publication_right: PublicationRightWeight
    digest: Digest = field(init=False, metadata=HIDDEN)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", document_digest(self))


@lru_cache(maxsize=16)
def shipped_policy(version: str = DEFAULT_POLICY) -> Policy:
    """Return a policy that comes with the package.

    Raises:
        PolicyError: There is none of that name.
    """
    known = datafile.names("policies")
    if version not in known:
        raise PolicyError(f"There is no policy {shown(version)}: name one of {', '.join(known)}, or give a file.")
    return read_policy(datafile.load(f"policies/{version}.toml", PolicyError))


def load_policy(path: Path) -> Policy:
    """Read a policy of the user's own.

    Raises:
        PolicyError: The file cannot be read, breaks the form, or lets the unknown pass.
    """
    try:
        text = read_bounded(path, MAX_FILE_BYTES).decode()
    except (OSError, UnicodeDecodeError) as problem:
        raise PolicyError(f"The policy {path} cannot be read as UTF-8 text: {problem}. Give another file.") from problem
    policy = read_policy(datafile.parse(text, str(path), PolicyError))
    if policy.version in datafile.names("policies"):
        raise PolicyError(
            f"The policy {path} calls itself {policy.version}, which is a policy of this program. "
            "Give it a version of its own, so that verdicts can be told apart."
        )
    return policy


def read_policy(table: Table) -> Policy:
    """Read a policy and check that it is sound.

    Raises:
        PolicyError: It lets the unknown or the prohibited pass, or weighs a worse finding more lightly.
    """
    policy = Policy(
        version=table.text("version"),
        title=table.text("title"),
        dated=table.day("dated"),
        purpose=table.text("purpose"),
        weights=_weight(table.table("weights")),
        output=_weight(table.table("output")),
        training_input=_weight(table.table("training-input")),
        contributions=_weight(table.table("contributions")),
        compositions=_compositions(table.table("training-compositions")),
        publication_right=_publication_right(table.table("publication-right")),
    )
    table.close()
    return policy


def _weight(table: Table) -> Weight:
    weight = Weight(
        prohibited=_caution(table, "prohibited"),
        partly=_caution(table, "partly"),
        unknown=_caution(table, "unknown"),
        why=table.text("why"),
    )
    table.close()
    _require_order(table, weight.unknown, "unknown", weight.partly, "partly")
    _require_order(table, weight.prohibited, "prohibited", weight.unknown, "unknown")
    return weight


def _compositions(table: Table) -> CompositionWeight:
    if not table.flag("weighed"):
        weight = CompositionWeight(
            weighed=False,
            in_copyright=Result.ALLOW,
            undetermined=Result.ALLOW,
            no_data=Result.ALLOW,
            why=table.text("why"),
        )
        table.close()
        return weight
    weight = CompositionWeight(
        weighed=True,
        in_copyright=_caution(table, "in-copyright"),
        undetermined=_caution(table, "undetermined"),
        no_data=_caution(table, "no-data"),
        why=table.text("why"),
    )
    table.close()
    _require_order(table, weight.in_copyright, "in-copyright", weight.undetermined, "undetermined")
    return weight


def _publication_right(table: Table) -> PublicationRightWeight:
    weight = PublicationRightWeight(
        running=_caution(table, "running"),
        unexamined=table.choice("unexamined", Result),
        why=table.text("why"),
    )
    table.close()
    _require_order(table, weight.running, "running", weight.unexamined, "unexamined")
    return weight


def _caution(table: Table, key: str) -> Result:
    result = table.choice(key, Result)
    if result is Result.ALLOW:
        raise table.wrong(key, "may not be: what is unknown, partial or prohibited is HOLD or DENY in every policy")
    return result


def _require_order(table: Table, worse: Result, worse_key: str, better: Result, better_key: str) -> None:
    if worse.severity < better.severity:
        raise table.wrong(worse_key, f"weighs less than {better_key}, so that a restriction could help. Raise it")
