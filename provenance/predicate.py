"""One typed predicate for every kind of event the ledger records.

Each class is the whole wire form of one predicate type: the names of its fields are the JSON members.
Fields that would publish something private hold a :data:`~provenance.disclosure.Commitment`.
``KNOWN`` says, member by member, how a fact is known; it is written into the statement so that a
reader never takes a declaration for a measurement.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, get_args

from pydantic import BaseModel, ConfigDict, FailFast, Field, PlainSerializer, StringConstraints

from provenance.disclosure import Commitment  # noqa: TC001 - pydantic resolves annotations at run time
from provenance.identity import Digest, DigestText, Moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import GetCoreSchemaHandler
    from pydantic.fields import FieldInfo
    from pydantic_core import CoreSchema

TYPE_PREFIX = "https://linernotes.org/"
MAX_SAFE_INTEGER = 2**53 - 1

Known = Literal["declared", "measured", "proven", "estimated"]
KnownMap = Annotated[dict[str, Known], PlainSerializer(lambda known: dict(sorted(known.items())))]
Role = Literal["log", "service", "party", "c2pa", "witness", "owner"]
"""What signatures by a key may mean; `docs/keys.md` says which statements each of them may sign."""
Text = Annotated[str, StringConstraints(max_length=2_000)]
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Count = Annotated[int, Field(ge=0, le=MAX_SAFE_INTEGER)]
Seed = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,19}$")]
_LINK = object()
LeafHash = Annotated[DigestText, _LINK]
"""Leaf hash of an earlier entry, or of an earlier one in the same batch: see :func:`links`."""


class Document(BaseModel):
    """A frozen wire document: no unknown members, no coercion, no floats; its members are written in RFC 8785 order."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_by_name=True, serialize_by_alias=True)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Sort the members: a model is written in the order of its schema."""
        schema = handler(source)
        if schema["type"] == "model" and schema["schema"]["type"] == "model-fields":
            fields = schema["schema"]["fields"]
            schema["schema"]["fields"] = dict(
                sorted(fields.items(), key=lambda field: str(field[1].get("serialization_alias", field[0])))
            )
        return schema

    def to_bytes(self) -> bytes:
        """Return the RFC 8785 form of this document.

        Raises:
            PydanticSerializationError: A text holds half a character.
        """
        return self.__pydantic_serializer__.to_json(self)


class File(Document):
    """One file made for a recording.

    Attributes:
        role: What the file is to the recording.
        name: A name within the recording, such as ``viola.flac``.
        asset_digest: SHA-256 of the file's bytes as stored.
        content_digest: Digest of the sound, for audio files; empty otherwise.
    """

    role: Literal["mix", "stem", "midi", "score", "difference", "source"]
    name: Identifier
    media_type: Identifier
    asset_digest: DigestText
    content_digest: DigestText | Literal[""] = ""


class Fingerprint(Document):
    """How the sound can be recognised without its file.

    Attributes:
        iscc: ISO 24138 Audio-Code.
        algorithm: Name of the sub-fingerprint algorithm.
        digest: SHA-256 of the sub-fingerprints as little-endian 32-bit integers.
        duration_ms: Length of the fingerprinted sound in milliseconds.
    """

    iscc: Identifier
    algorithm: Identifier
    digest: DigestText
    duration_ms: Count


class Software(Document):
    """The program that made the statement."""

    name: Identifier
    version: Identifier


class Roots(Document):
    """Merkle roots over a corpus's items, sorted by each of the three keys."""

    identifier: DigestText
    file: DigestText
    content: DigestText


class Predicate(Document):
    """What all predicates share.

    Attributes:
        statement_id: A random identifier, so that no two statements have equal bytes.
        time: When the statement was made, by the clock of the machine that made it.
        known: How each of the predicate's members is known.
    """

    KIND: ClassVar[str]
    KNOWN: ClassVar[dict[str, Known]]
    SIGNED_BY: ClassVar[frozenset[Role]] = frozenset({"service"})
    """Roles of the keys that may sign such a statement; a party's key only for the party itself (``party_id``)."""

    statement_id: Identifier
    time: Moment
    known: KnownMap

    def model_post_init(self, _context: object) -> None:
        """Refuse a ``known`` map that is not the one this kind of statement has."""
        if self.known != self.KNOWN:
            raise ValueError(f"a {self.KIND} statement has known={self.KNOWN}, not {self.known}")


class KeyPredicate(Predicate):
    """A public key enters the log's world: who may sign what with it.

    An Ed25519 key signs its own registration, which proves possession; a service key that was there before signs it
    too, which says that the role is granted (see ``provenance.keyring``). A certificate for C2PA manifests is
    registered by the service key; every manifest proves its possession anew.

    Attributes:
        role: What signatures by this key may mean.
        keyid: ``sha256:`` of the public key's bytes, or of the certificate (DER).
        public_key: Base64 of the 32 raw Ed25519 bytes, or of the certificate (DER) for ``c2pa``.
        log_vkey: The verifier key (C2SP signed-note) of the log that took the registration.
        party: Pseudonymous id of the party the key belongs to; empty for the home's own keys.
    """

    KIND: ClassVar[str] = "key"
    KNOWN: ClassVar[dict[str, Known]] = {"public_key": "proven", "role": "declared", "party": "declared"}
    SIGNED_BY: ClassVar[frozenset[Role]] = frozenset(("log", "service", "party", "witness", "owner"))

    role: Role
    algorithm: Literal["ed25519", "x509"]
    keyid: DigestText
    public_key: Annotated[str, StringConstraints(max_length=20_000)]
    log_vkey: Identifier
    party: Text = ""


class RotationPredicate(Predicate):
    """One key takes the place of another; both sign.

    The old key signs nothing after this entry. For a log's key, ``ledger.rotation`` says who signs which checkpoint.

    Attributes:
        role: Of both keys.
        registration: Leaf hash of the statement that registers the new key.
    """

    KIND: ClassVar[str] = "rotation"
    KNOWN: ClassVar[dict[str, Known]] = dict.fromkeys(("role", "old_keyid", "new_keyid", "registration"), "proven")
    SIGNED_BY: ClassVar[frozenset[Role]] = frozenset(("log", "service", "party", "witness", "owner"))

    role: Literal["log", "service", "party", "witness", "owner"]
    old_keyid: DigestText
    new_keyid: DigestText
    registration: LeafHash


class RevocationPredicate(Predicate):
    """A key's signatures stop counting: those in entries from an index on, whatever time they state.

    Attributes:
        keyid: The key.
        registration: Leaf hash of the statement that registers it.
        from_index: Index of the first entry whose signatures by this key do not count; None for this very entry,
            which is all that a key may say about itself.
        reason: ``compromised``: somebody else may have signed with it; ``lost``: nobody can; ``ceased``: it is not
            needed any more; ``withdrawn``: its holder may not use it any more.
    """

    KIND: ClassVar[str] = "revocation"
    KNOWN: ClassVar[dict[str, Known]] = {
        "keyid": "proven",
        "registration": "proven",
        "from_index": "declared",
        "reason": "declared",
    }
    SIGNED_BY: ClassVar[frozenset[Role]] = frozenset(("service", "party", "witness", "owner"))

    keyid: DigestText
    registration: LeafHash
    from_index: Count | None
    reason: Literal["compromised", "lost", "ceased", "withdrawn"]


class PartyPredicate(Predicate):
    """A person or organisation that may hold rights or contribute.

    Attributes:
        party_id: A pseudonym; the name is a commitment.
        relation: ``owner`` when the party runs this home, else ``contributor``.
        isni: Commitment to the ISNI, or empty when none was given.
        ipi: Commitment to the IPI name number, or empty when none was given.
    """

    KIND: ClassVar[str] = "party"
    KNOWN: ClassVar[dict[str, Known]] = dict.fromkeys(("kind", "relation", "name", "isni", "ipi"), "declared")

    party_id: Identifier
    kind: Literal["person", "organisation"]
    relation: Literal["owner", "contributor"]
    name: Commitment
    isni: Commitment | Literal[""] = ""
    ipi: Commitment | Literal[""] = ""


class CorpusPredicate(Predicate):
    """The named items a model learned from, as three Merkle roots."""

    KIND: ClassVar[str] = "corpus"
    KNOWN: ClassVar[dict[str, Known]] = {
        "title": "declared",
        "source": "declared",
        "licence": "declared",
        "items": "measured",
        "roots": "measured",
        "manifest_digest": "measured",
    }

    corpus_id: Identifier
    title: Text
    source: Text
    licence: Identifier
    items: Count
    roots: Roots
    manifest_digest: DigestText


class WeightFile(Document):
    """One file of a model's weights."""

    name: Identifier
    digest: DigestText
    bytes: Count


class ModelPredicate(Predicate):
    """Weights that can generate, what they learned from, and on what terms they may be used.

    Attributes:
        corpus: Leaf hash of the corpus statement; empty when the corpus is not on record.
        roots: The corpus's roots as the model card names them; absent with the corpus.
        weights_licence: SPDX expression of the weights.
        output_licence: SPDX expression of what the model's maker grants in its output.
    """

    KIND: ClassVar[str] = "model"
    KNOWN: ClassVar[dict[str, Known]] = {
        "files": "measured",
        "weights_digest": "measured",
        "card_digest": "measured",
        "architecture": "declared",
        "corpus": "declared",
        "weights_licence": "declared",
        "output_licence": "declared",
    }

    model_id: Identifier
    architecture: Text
    files: Annotated[tuple[WeightFile, ...], FailFast()]
    weights_digest: DigestText
    card_digest: DigestText
    corpus: LeafHash | Literal[""]
    roots: Roots | None
    weights_licence: Identifier
    output_licence: Identifier
    parent: LeafHash | Literal[""] = ""


class Controls(Document):
    """What the model was asked for, after the prompt's words were understood."""

    tonic: Annotated[int, Field(ge=0, le=11)]
    mode: Literal["major", "minor"]
    beats: Count
    beat_type: Count
    tempo_bpm: Count
    bars: Count
    density: Identifier
    # BaseModel itself has an attribute of this name, from the ABC it derives from.
    register_: Annotated[Identifier, Field(alias="register")]
    era: Identifier
    seed: Seed


class Content(Document):
    """What one state of a recording is: its sound, its notes, its files."""

    content_digest: DigestText
    score_digest: DigestText
    fingerprint: Fingerprint
    files: Annotated[tuple[File, ...], FailFast()]
    notes: Count


class GenerationPredicate(Predicate):
    """A model made a recording.

    Attributes:
        model: Leaf hash of the model statement.
        prompt: Commitment to the prompt; prompts are recorded and never counted as authorship.
        unmatched_words: Commitment to the words of the prompt that steered nothing.
    """

    KIND: ClassVar[str] = "generation"
    KNOWN: ClassVar[dict[str, Known]] = {
        "model": "measured",
        "controls": "measured",
        "content": "measured",
        "prompt": "measured",
        "unmatched_words": "measured",
        "software": "declared",
    }

    recording_id: Identifier
    model: LeafHash
    model_id: Identifier
    weights_digest: DigestText
    controls: Controls
    prompt: Commitment
    unmatched_words: Commitment
    content: Content
    software: Software


class Changes(Document):
    """How many notes an edit touched, by what was done to them."""

    kept: Count
    pitch: Count
    onset: Count
    duration: Count
    velocity: Count
    voice: Count
    added: Count
    removed: Count
    tempo: Count


class EditPredicate(Predicate):
    """A person changed a recording; the result is a new recording.

    Attributes:
        parent: Leaf hash of the generation or edit that was changed.
        party: Leaf hash of the party statement of the person who made the change.
        role: DDEX ContributorRole claimed for the change.
        changes: What the comparison of the two scores found.
        licence: Terms on which the person lets the change be used: an SPDX expression, or empty
            when none were recorded.
    """

    KIND: ClassVar[str] = "edit"
    KNOWN: ClassVar[dict[str, Known]] = {
        "parent": "proven",
        "party": "declared",
        "role": "declared",
        "licence": "declared",
        "changes": "measured",
        "content": "measured",
        "software": "declared",
    }
    SIGNED_BY: ClassVar[frozenset[Role]] = frozenset(("service", "party"))

    recording_id: Identifier
    parent: LeafHash
    parent_recording_id: Identifier
    party: LeafHash
    party_id: Identifier
    role: Identifier
    licence: Text
    changes: Changes
    content: Content
    software: Software


class RenditionPredicate(Predicate):
    """One signed file of a recording, as it was handed out.

    Attributes:
        of: Leaf hash of the generation or edit whose sound the file carries.
        part: ``mix``, or the name of the stem.
        content_digest: Of the sound as it is in this file.
        encoded_from: Content digest of the take a lossy file was encoded from; empty for lossless.
        manifest_id: The active C2PA manifest's label.
    """

    KIND: ClassVar[str] = "rendition"
    KNOWN: ClassVar[dict[str, Known]] = {
        "of": "proven",
        "content_digest": "measured",
        "asset_digest": "measured",
        "manifest_id": "measured",
        "encoded_from": "measured",
    }

    recording_id: Identifier
    of: LeafHash
    part: Identifier
    media_type: Identifier
    asset_digest: DigestText
    bytes: Count
    content_digest: DigestText
    encoded_from: DigestText | Literal[""]
    manifest_id: Identifier


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


AnyPredicate = (
    KeyPredicate
    | RotationPredicate
    | RevocationPredicate
    | PartyPredicate
    | CorpusPredicate
    | ModelPredicate
    | GenerationPredicate
    | EditPredicate
    | RenditionPredicate
    | CheckPredicate
    | ExportPredicate
    | ErasurePredicate
)

PREDICATES: dict[str, type[Predicate]] = {
    cls.KIND: cls
    for cls in (
        KeyPredicate,
        RotationPredicate,
        RevocationPredicate,
        PartyPredicate,
        CorpusPredicate,
        ModelPredicate,
        GenerationPredicate,
        EditPredicate,
        RenditionPredicate,
        CheckPredicate,
        ExportPredicate,
        ErasurePredicate,
    )
}
PREDICATE_TYPES = frozenset(f"{TYPE_PREFIX}{kind}/v1" for kind in PREDICATES)


def links(document: Document) -> Iterator[tuple[str, Digest]]:
    """Yield each leaf hash that a predicate names, with the place where it stands.

    What is a link is said by the type of a field, :data:`LeafHash`, and nowhere else.
    """
    for name, is_link in _fields(type(document)):
        value = getattr(document, name)
        if is_link and value:
            yield name, Digest(value)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, Document):
                yield from ((f"{name}.{place}", leaf) for place, leaf in links(part))


@cache
def _fields(kind: type[Document]) -> tuple[tuple[str, bool], ...]:
    return tuple((name, _is_link(field)) for name, field in kind.model_fields.items())


def _is_link(field: FieldInfo) -> bool:
    return _LINK in (*field.metadata, *_markers(field.annotation))


def _markers(annotation: object) -> Iterator[object]:
    for part in get_args(annotation):
        yield part
        yield from _markers(part)
