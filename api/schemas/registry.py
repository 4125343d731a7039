"""Parties, models, corpora, keys and tokens."""

from __future__ import annotations

from typing import Literal

from api.schemas.base import Answer
from api.schemas.signing import EndingShown  # noqa: TC001 - pydantic resolves annotations at run time


class PartyShown(Answer):
    """A party; its name is shown to those who run this home only."""

    party_id: str
    kind: Literal["person", "organisation"]
    relation: Literal["owner", "contributor"]
    name: str
    leaf_hash: str
    log_index: int


class PartyList(Answer):
    """All parties of this home."""

    parties: list[PartyShown]


class ModelShown(Answer):
    """A model on record."""

    model_id: str
    weights_digest: str
    weights_licence: str
    output_licence: str
    corpus: str
    leaf_hash: str
    log_index: int


class ModelList(Answer):
    """All models of this home."""

    models: list[ModelShown]


class CorpusShown(Answer):
    """A corpus on record."""

    corpus_id: str
    title: str
    items: int
    licence: str
    roots: dict[str, str]
    manifest_digest: str
    leaf_hash: str
    log_index: int


class CorpusList(Answer):
    """All corpora of this home."""

    corpora: list[CorpusShown]


KeyState = Literal["active", "test", "replaced", "revoked", "unregistered"]


class KeyShown(Answer):
    """A key, public half only.

    Attributes:
        state: ``active`` while its signatures count; ``test`` for the home's own certificate, if nobody trusts it;
            ``unregistered`` if the log knows nothing of it; ``revoked`` also with the key that vouched for it.
        vkey: C2SP verifier key of keys of the log and of witnesses, to be put into a policy.
        party: Whose it is, for the role ``party``.
        log_index: Of the entry that registered it; null if none did.
        stop: Index of the first entry in which its signatures do not count; null while nothing ends it.
        ending: What ended it.
    """

    role: Literal["log", "witness", "service", "party", "owner", "c2pa"]
    state: KeyState
    keyid: str
    vkey: str = ""
    party: str = ""
    log_index: int | None = None
    stop: int | None = None
    ending: EndingShown | None = None


class KeyList(Answer):
    """The keys of this home, of its log and of its witnesses: those in force before those that are not."""

    keys: list[KeyShown]


class Membership(Answer):
    """Whether a work is in the corpus of a model.

    Attributes:
        item: The item that was found.
        proof: Merkle proof of presence or absence; see ``docs/membership.md`` for checking it.
        candidates: Items with similar names, for ``cannot-tell``.
        corpus_root: Root of the tree the proof is for.
        log_index: Where the corpus statement stands in the log.
    """

    verdict: Literal["yes", "no", "cannot-tell"]
    model: str
    asked: str
    item: dict[str, object] | None
    items: list[dict[str, object]]
    proof: dict[str, object] | None
    proofs: list[dict[str, object]]
    candidates: list[str]
    corpus_root: str
    corpus_id: str
    leaf_hash: str
    log_index: int
    note: str


class TokenMade(Answer):
    """A bearer token, shown this once."""

    token_id: str
    token: str
    scopes: list[str]


class TokenShown(Answer):
    """A bearer token without its secret."""

    token_id: str
    name: str
    scopes: list[str]
    created: str
    revoked: str


class TokenList(Answer):
    """All bearer tokens of this home."""

    tokens: list[TokenShown]
