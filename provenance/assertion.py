"""What a manifest says: typed values and the C2PA assertions they are written as.

Sources: C2PA 2.4 (18.10 soft binding, 18.15 actions), CAWG training and data mining 1.1, IPTC digital
source types. Everything here is plain data; ``provenance.manifest`` writes it into files.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final, Literal, Self, get_args

from provenance.errors import ManifestError

if TYPE_CHECKING:
    from provenance.identity import Digest

ACTIONS: Final = "c2pa.actions.v2"
SOFT_BINDING: Final = "c2pa.soft-binding"
TRAINING_MINING: Final = "cawg.training-mining"
LEDGER: Final = "org.linernotes.ledger"
INGREDIENT: Final = "c2pa.ingredient.v3"

SOURCE_TYPE_PREFIX: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/"
SourceType = Literal[
    "trainedAlgorithmicMedia",
    "compositeWithTrainedAlgorithmicMedia",
    "algorithmicMedia",
    "algorithmicallyEnhanced",
    "composite",
    "digitalCreation",
    "humanEdits",
]
"""The digital source types (IPTC NewsCodes) that a recording of ours can have."""

SOFT_BINDING_ALGORITHM: Final = "io.iscc.v0"
"""The name of ISO 24138 codes in C2PA's list of soft binding algorithms."""

MAX_ENVELOPE_BYTES: Final = 65_536
MAX_PROOF_CHARACTERS: Final = 65_536
MAX_FURTHER: Final = 64

Use = Literal["allowed", "notAllowed", "constrained"]
Document = Mapping[str, object]

_RECORDING = "org.linernotes.recording"
_MODEL = "org.linernotes.model"
_WEIGHTS = "org.linernotes.weights_digest"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_ISCC = re.compile(r"ISCC:[A-Z2-7]{10,200}")


@dataclass(frozen=True, slots=True)
class SoftwareAgent:
    """The program that did something."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class ModelReference:
    """The weights that made the audio.

    Attributes:
        id: The model's id, as in its card.
        weights_digest: Digest over all its weight files.
    """

    id: str
    weights_digest: Digest

    def __post_init__(self) -> None:
        _require_digest(self.weights_digest, "The weights digest of a manifest's model")


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that was done to the audio (C2PA 18.15).

    Attributes:
        name: ``c2pa.created``, ``c2pa.opened``, ``c2pa.edited``, or what another program wrote.
        description: In words, when the writer gave one.
        source_type: IPTC digital source type without its prefix, or the whole URI of another list.
        agent: The program that did it.
        model: The weights it used.
        recording_id: The recording that came of it.
        ingredient: Label by which the opened parent is known while a manifest is being written.
    """

    name: str
    description: str | None = None
    source_type: str | None = None
    agent: SoftwareAgent | None = None
    model: ModelReference | None = None
    recording_id: str | None = None
    ingredient: str | None = None

    def to_document(self) -> dict[str, object]:
        """Return the action as the engine takes it."""
        parameters: dict[str, object] = {}
        if self.ingredient is not None:
            parameters["ingredientIds"] = [self.ingredient]
        if self.recording_id is not None:
            parameters[_RECORDING] = self.recording_id
        if self.model is not None:
            parameters[_MODEL] = self.model.id
            parameters[_WEIGHTS] = self.model.weights_digest
        document: dict[str, object] = {"action": self.name}
        if self.description is not None:
            document["description"] = self.description
        if self.source_type is not None:
            known = self.source_type in get_args(SourceType)
            document["digitalSourceType"] = (SOURCE_TYPE_PREFIX if known else "") + self.source_type
        if self.agent is not None:
            document["softwareAgent"] = {"name": self.agent.name, "version": self.agent.version}
        if parameters:
            document["parameters"] = parameters
        return document

    @classmethod
    def from_document(cls, document: object) -> Self:
        """Read an action.

        Raises:
            ManifestError: It is not an action, or our own parameters in it are malformed.
        """
        what = "An action of the manifest"
        members = mapping(document, what)
        parameters = mapping(members.get("parameters", {}), what)
        source_type = optional_text(members, "digitalSourceType", what)
        return cls(
            name=text(members, "action", what),
            description=optional_text(members, "description", what),
            source_type=None if source_type is None else source_type.removeprefix(SOURCE_TYPE_PREFIX),
            agent=_agent(members.get("softwareAgent")),
            model=_model(parameters),
            recording_id=optional_text(parameters, _RECORDING, what),
        )


@dataclass(frozen=True, slots=True)
class MiningPermission:
    """What one kind of mining may do with the audio.

    Attributes:
        use: As declared.
        constraint: Where the constraint of a ``constrained`` use is written.
    """

    use: Use
    constraint: str | None = None

    @property
    def effective_use(self) -> Use:
        """The use a reader may rely on: constrained without information is not allowed."""
        return "notAllowed" if self.use == "constrained" and not self.constraint else self.use


@dataclass(frozen=True, slots=True)
class TrainingMining:
    """The four permissions of ``cawg.training-mining``; None where a manifest does not say."""

    ai_generative_training: MiningPermission | None = None
    ai_inference: MiningPermission | None = None
    ai_training: MiningPermission | None = None
    data_mining: MiningPermission | None = None

    @classmethod
    def uniform(cls, permission: MiningPermission) -> Self:
        """Return the same permission for all four kinds."""
        return cls(permission, permission, permission, permission)

    def permissions(self) -> tuple[MiningPermission | None, ...]:
        """Return the four permissions, in the order of the fields."""
        return (self.ai_generative_training, self.ai_inference, self.ai_training, self.data_mining)

    def to_document(self) -> dict[str, object]:
        """Return the assertion."""
        entries: dict[str, object] = {}
        for field, permission in zip(fields(self), self.permissions(), strict=True):
            if permission is not None:
                constraint = {} if permission.constraint is None else {"constraint_info": permission.constraint}
                entries[f"cawg.{field.name}"] = {"use": permission.use, **constraint}
        return {"entries": entries}

    @classmethod
    def from_document(cls, document: object) -> Self:
        """Read the assertion; entries of other kinds are passed over.

        Raises:
            ManifestError: The assertion is malformed.
        """
        what = f"The assertion {TRAINING_MINING}"
        entries = mapping(mapping(document, what).get("entries"), what)
        return cls(**{field.name: _permission(entries.get(f"cawg.{field.name}"), what) for field in fields(cls)})


@dataclass(frozen=True, slots=True)
class LoggedStatement:
    """An entry of the log with its proof, in an assertion.

    Attributes:
        envelope: The signed envelope, byte for byte as it was logged.
        tlog_proof: The C2SP ``.tlog-proof`` text.
    """

    envelope: bytes
    tlog_proof: str

    def __post_init__(self) -> None:
        _require_size(len(self.envelope), MAX_ENVELOPE_BYTES, f"The assertion {LEDGER} holds an envelope")
        _require_size(len(self.tlog_proof), MAX_PROOF_CHARACTERS, f"The assertion {LEDGER} holds a proof")

    def to_document(self) -> dict[str, object]:
        """Return the entry: texts as they are, bytes as standard base64."""
        return {"envelope": base64.b64encode(self.envelope).decode("ascii"), "tlog_proof": self.tlog_proof}

    @classmethod
    def from_document(cls, document: object) -> Self:
        """Read an entry.

        Raises:
            ManifestError: A member is missing, malformed or too large.
        """
        what = f"A further entry in the assertion {LEDGER}"
        members = mapping(document, what)
        return cls(_base64(text(members, "envelope", what), f"{what} that"), text(members, "tlog_proof", what))


@dataclass(frozen=True, slots=True)
class LedgerEvidence:
    """The assertion ``org.linernotes.ledger``: what lets one file be checked on an empty machine.

    Attributes:
        origin: Name of the log.
        leaf_hash: Leaf hash of the recording's statement in the log.
        envelope: The statement's signed envelope, byte for byte as it was logged.
        tlog_proof: The C2SP ``.tlog-proof`` text of that entry.
        key_envelope: The envelope of the statement that registered the signing key.
        key_tlog_proof: The proof of that entry.
        signer_envelope: The envelope of the statement that registered the certificate the manifest
            is signed with; without it, anyone could put genuine evidence under a manifest of their own.
        signer_tlog_proof: The proof of that entry.
        further: More statements about keys, where these alone do not tell: the log was handed over to another key
            since, or another service key vouched for the certificate.
    """

    origin: str
    leaf_hash: Digest
    envelope: bytes
    tlog_proof: str
    key_envelope: bytes
    key_tlog_proof: str
    signer_envelope: bytes
    signer_tlog_proof: str
    further: tuple[LoggedStatement, ...] = ()

    def __post_init__(self) -> None:
        what = f"The assertion {LEDGER}"
        _require_digest(self.leaf_hash, f"The leaf hash in the assertion {LEDGER}")
        for envelope in (self.envelope, self.key_envelope, self.signer_envelope):
            _require_size(len(envelope), MAX_ENVELOPE_BYTES, f"{what} holds an envelope")
        for proof in (self.tlog_proof, self.key_tlog_proof, self.signer_tlog_proof):
            _require_size(len(proof), MAX_PROOF_CHARACTERS, f"{what} holds a proof")
        if len(self.further) > MAX_FURTHER:
            raise ManifestError(f"{what} holds {len(self.further)} further entries, where {MAX_FURTHER} are the most.")

    def to_document(self) -> dict[str, object]:
        """Return the assertion: texts as they are, bytes as standard base64."""
        further = {"further": [each.to_document() for each in self.further]} if self.further else {}
        return {
            "origin": self.origin,
            "leaf_hash": self.leaf_hash,
            "envelope": base64.b64encode(self.envelope).decode("ascii"),
            "tlog_proof": self.tlog_proof,
            "key_envelope": base64.b64encode(self.key_envelope).decode("ascii"),
            "key_tlog_proof": self.key_tlog_proof,
            "signer_envelope": base64.b64encode(self.signer_envelope).decode("ascii"),
            "signer_tlog_proof": self.signer_tlog_proof,
            **further,
        }

    @classmethod
    def from_document(cls, document: object) -> Self:
        """Read the assertion; members that a later version may add are passed over.

        Raises:
            ManifestError: A member is missing, malformed or too large.
        """
        what = f"The assertion {LEDGER}"
        members = mapping(document, what)
        further = members.get("further", [])
        if not isinstance(further, list) or len(further) > MAX_FURTHER:
            raise _malformed(what, f"has further entries that are no list of at most {MAX_FURTHER}")
        return cls(
            origin=text(members, "origin", what),
            leaf_hash=_require_digest(text(members, "leaf_hash", what), f"The leaf hash in the assertion {LEDGER}"),
            envelope=_base64(text(members, "envelope", what), f"{what} has an envelope that"),
            tlog_proof=text(members, "tlog_proof", what),
            key_envelope=_base64(text(members, "key_envelope", what), f"{what} has a key envelope that"),
            key_tlog_proof=text(members, "key_tlog_proof", what),
            signer_envelope=_base64(text(members, "signer_envelope", what), f"{what} has a signer envelope that"),
            signer_tlog_proof=text(members, "signer_tlog_proof", what),
            further=tuple(LoggedStatement.from_document(each) for each in further),
        )


def require_iscc(code: str) -> str:
    """Return ``code`` when it has the form of an ISCC (ISO 24138).

    Raises:
        ManifestError: It has not.
    """
    if not _ISCC.fullmatch(code):
        raise ManifestError(
            f"{code[:80]!r} is not an ISCC: a code is ISCC: and base32 letters. Compute it again from the audio."
        )
    return code


def soft_binding_document(iscc: str) -> dict[str, object]:
    """Return the soft binding of a whole recording to its ISCC.

    The value is text: the engine's JSON has no byte strings, and an ISCC is a text in its own standard.
    """
    return {"alg": SOFT_BINDING_ALGORITHM, "blocks": [{"scope": {}, "value": require_iscc(iscc)}]}


def iscc_of(document: object) -> str | None:
    """Return the ISCC of a soft binding assertion, or None when it is by another algorithm.

    Raises:
        ManifestError: The assertion is malformed.
    """
    what = f"The assertion {SOFT_BINDING}"
    members = mapping(document, what)
    if members.get("alg") != SOFT_BINDING_ALGORITHM:
        return None
    blocks = members.get("blocks")
    if not isinstance(blocks, list) or not blocks:
        raise _malformed(what, "has no blocks")
    return require_iscc(text(mapping(blocks[0], what), "value", what))


def mapping(value: object, what: str) -> Document:
    """Return ``value`` when it is a JSON object.

    Raises:
        ManifestError: It is not; ``what`` names it in the message.
    """
    if not isinstance(value, Mapping):
        raise _malformed(what, "is not an object")
    return value


def text(members: Document, name: str, what: str) -> str:
    """Return a text member.

    Raises:
        ManifestError: The member is missing or not a text.
    """
    value = members.get(name)
    if not isinstance(value, str):
        raise _malformed(what, f"has no text {name!r}")
    return value


def optional_text(members: Document, name: str, what: str) -> str | None:
    """Return a text member, or None when it is missing.

    Raises:
        ManifestError: The member is not a text.
    """
    return None if members.get(name) is None else text(members, name, what)


def _agent(value: object) -> SoftwareAgent | None:
    what = "The software agent of an action"
    if value is None:
        return None
    if isinstance(value, str):  # the older form, C2PA 1.x
        return SoftwareAgent(value, "")
    members = mapping(value, what)
    return SoftwareAgent(text(members, "name", what), optional_text(members, "version", what) or "")


def _model(parameters: Document) -> ModelReference | None:
    if _MODEL not in parameters:
        return None
    what = "The model of an action"
    digest = _require_digest(text(parameters, _WEIGHTS, what), "The weights digest of a manifest's model")
    return ModelReference(text(parameters, _MODEL, what), digest)


def _permission(entry: object, what: str) -> MiningPermission | None:
    if entry is None:
        return None
    members = mapping(entry, what)
    use = text(members, "use", what)
    for known in get_args(Use):
        if use == known:
            return MiningPermission(known, optional_text(members, "constraint_info", what))
    raise _malformed(what, f"has the unknown use {use[:80]!r}")


def _require_digest(value: str, what: str) -> Digest:
    if not _DIGEST.fullmatch(value):
        raise ManifestError(f"{what} is {value[:80]!r}, which is not sha256: and 64 lower-case hexadecimal digits.")
    digest: Digest = value  # type: ignore[assignment] # its module costs 0.1 s to import, for one NewType
    return digest


def _require_size(size: int, limit: int, what: str) -> None:
    if size > limit:
        raise ManifestError(f"{what} of {size} bytes, where {limit} are the most that is accepted.")


def _base64(value: str, what: str) -> bytes:
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ManifestError(f"{what} is not base64: {value[:60]!r}.") from error
    if base64.b64encode(data).decode("ascii") != value:
        raise ManifestError(f"{what} is base64 in a form that is not canonical: {value[-60:]!r}.")
    return data


def _malformed(what: str, why: str) -> ManifestError:
    return ManifestError(f"{what} {why}. The manifest was not written as C2PA asks; treat what it says as unproven.")
