"""What a reader accepts and knows, gathered from files that are named; no database is opened for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.custody import Custody
from api.errors import UsageError
from api.files import read_bounded
from api.trusted_roots import read_roots
from ledger.errors import LedgerError
from ledger.policy import MAX_POLICY_BYTES, Policy
from provenance.anchor import MAX_ANCHOR_BYTES, require_anchors
from provenance.bundle import MAX_BUNDLE_BYTES
from provenance.errors import CredentialError, EvidenceError
from provenance.key_evidence import KeyEvidence
from provenance.trust import Trust

if TYPE_CHECKING:
    from pathlib import Path

    from api.settings import Settings
    from ledger.rotation import Succession


def trust_of(
    settings: Settings,
    policy: Path | None = None,
    anchors: Path | None = None,
    tsa_roots: Path | None = None,
    keys: Path | None = None,
    *,
    seconds: float | None = None,
) -> Trust:
    """Gather what the reader accepts and knows, without opening the home's database.

    Args:
        settings: What is accepted where nothing else is named.
        policy: C2SP tlog-policy.
        anchors: PEM certificates.
        tsa_roots: PEM certificates.
        keys: Evidence of the log's keys; it has to hold under the policy.
        seconds: How long to go on with the evidence of keys at most; as long as it takes when left out.

    Raises:
        UsageError: A file that was named cannot be read, or is not what it must be.
    """
    policy = policy if policy is not None else settings.policy
    anchors = anchors if anchors is not None else settings.trust_anchors
    tsa_roots = tsa_roots if tsa_roots is not None else settings.tsa_roots
    own = settings.home / "keys"
    own_anchor = own / "c2pa" / "anchor.pem"
    accepted, own_log = _policy(policy) if policy is not None else None, Custody(own).published()
    return Trust(
        policy=accepted,
        own_log=own_log,
        anchors=_anchors(anchors) if anchors is not None else None,
        own_anchors=_anchors(own_anchor) if own_anchor.is_file() else None,
        tsa_roots=read_roots(tsa_roots) if tsa_roots is not None else None,
        keys=_keys(keys, accepted, own_log, seconds) if keys is not None else None,
    )


def _policy(path: Path) -> Policy:
    try:
        return Policy.parse(read_bounded(path, MAX_POLICY_BYTES).decode())
    except (LedgerError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not a tlog-policy: {error}") from error


def _anchors(path: Path) -> bytes:
    pem = read_bounded(path, MAX_ANCHOR_BYTES)
    try:
        require_anchors(pem)
    except CredentialError as error:
        raise UsageError(f"{path}: {error}") from error
    return pem


def _keys(path: Path, policy: Policy | None, own_log: Succession | None, seconds: float | None) -> KeyEvidence:
    try:
        return KeyEvidence.open(read_bounded(path, MAX_BUNDLE_BYTES), policy, own_log, seconds)
    except EvidenceError as error:
        raise UsageError(f"{path}: {error}") from error
