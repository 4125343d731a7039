"""Statements that people sign with keys of their own: made here, complete but for the signatures, and handed out.

What says what the home measured is not among them: an edit is handed out where it is rendered (``api.drafts``).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from api.errors import UsageError
from api.schemas.request import StatementAsked
from provenance.admission import Limits
from provenance.identity import Digest
from provenance.key_predicate import KeyPredicate, RevocationPredicate, RotationPredicate
from provenance.kind import PREDICATES
from provenance.payload import read_json
from provenance.statement import Statement, Subject, header

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from api.home import Home
    from api.submission import Intake
    from provenance.keyring import Keyring
    from provenance.predicate import Predicate

KINDS: Final = tuple(
    kind for kind, each in PREDICATES.items() if "party" in each.SIGNED_BY and "measured" not in each.KNOWN.values()
)
"""The kinds that a party's key signs without the home's."""


@dataclass(frozen=True, slots=True)
class StatementDraft:
    """A statement that nobody has signed yet.

    Attributes:
        payload: The very bytes to be signed.
        signers: Names of the keys that are to sign it.
    """

    kind: str
    payload: bytes
    signers: tuple[str, ...]


def read_asked(data: bytes) -> StatementAsked:
    """Read what statement is wanted, as it is asked for over HTTP.

    Args:
        data: JSON.

    Raises:
        AdmissionError: It is not JSON that has one meaning.
        UsageError: It asks for something else.
    """
    try:
        return StatementAsked.model_validate(read_json(data, Limits().max_depth))
    except ValidationError as error:
        raise UsageError(f"This asks for no statement; {_first(error)}.") from error


def draft(
    home: Home, intake: Intake, kind: str, members: Mapping[str, Any], signers: Sequence[str] = ()
) -> StatementDraft:
    """Make a statement from its members, and ask everything of it that can be asked without the signatures.

    Args:
        home: Whose log is to take it.
        intake: The way into that log.
        kind: One of :data:`KINDS`.
        members: Of its predicate. Identifier, time and how each member is known are filled in here, and so is what the
            log knows: its own verifier key, registrations, the role of a key.
        signers: Names of the keys that are to sign it. When left out: those that it is about, and beside a new key the
            home's, which vouches for it.

    Raises:
        UsageError: There is no such kind to be handed out, or the members do not make one.
        AdmissionError: With those signatures, the log would refuse it now.
    """
    if kind not in KINDS:
        raise UsageError(
            f"A statement of the kind {kind[:40]!r} is not handed out like this: {_instead(kind)} Handed out are "
            f"{', '.join(KINDS)}."
        )
    made, ring = PREDICATES[kind], intake.keyring()
    own = header(made)
    if given := sorted(members.keys() & own.keys()):
        raise UsageError(f"The members {', '.join(given)} are filled in here; leave them out.")
    try:
        predicate = made.model_validate_json(json.dumps(own | _known_here(home, ring, made, members) | dict(members)))
    except ValidationError as error:
        raise UsageError(f"A {kind} statement cannot be made of these members; {_first(error)}.") from error
    subjects = tuple(Subject(keyid, Digest(keyid)) for keyid in _about(predicate))
    payload = Statement(subjects, predicate).to_bytes()
    chosen = tuple(dict.fromkeys(signers or _signers(home, predicate)))
    intake.foresee(payload, chosen)
    return StatementDraft(kind, payload, chosen)


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])[:80]
    return f"{where or 'the whole'}: {first['msg']}"


def _instead(kind: str) -> str:
    if kind not in PREDICATES:
        return "there is none."
    if "party" in PREDICATES[kind].SIGNED_BY:
        return f"it says what the home measures, so the home makes it. Ask for a draft of the {kind} itself."
    return "the home signs it."


def _known_here(home: Home, ring: Keyring, made: type[Predicate], members: Mapping[str, Any]) -> dict[str, object]:
    """Return what may be left out because the log knows it.

    Raises:
        UnknownKeyError: The key that the statement is about is not registered.
    """
    if made is KeyPredicate:
        return {"algorithm": "ed25519", "log_vkey": home.log_vkey}
    keyid = members.get("new_keyid" if made is RotationPredicate else "keyid")
    if not isinstance(keyid, str):
        return {}
    key = ring.term(keyid).key
    more = {"role": key.role} if made is RotationPredicate else {"from_index": None}
    return {"registration": key.leaf_hash, **more}


def _about(predicate: Predicate) -> tuple[str, ...]:
    match predicate:
        case RotationPredicate():
            return (predicate.old_keyid, predicate.new_keyid)
        case KeyPredicate() | RevocationPredicate():
            return (predicate.keyid,)
    raise TypeError(f"a {predicate.KIND} statement is not made here")


def _signers(home: Home, predicate: Predicate) -> tuple[str, ...]:
    vouching = (home.service.keyid,) if isinstance(predicate, KeyPredicate) else ()
    return (*_about(predicate), *vouching)
