"""Check 10 of ``provenance.verify``: by when an entry had been made, by a clock that is not the log's.

Time stamps come along with an entry. That somebody whom the reader trusts made one takes roots to tell, and without
them is not checked. That a stamp is about the entry, and about the checkpoint that it came with, anybody can tell:
where it is not, it was damaged, or belongs to something else, and the check fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.errors import shown
from ledger.proof import TlogProof
from ledger.timestamp import TimeStamp, require_about, stamped_bytes, verify
from provenance.check import Check, checked
from provenance.errors import EvidenceError
from provenance.identity import digest_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.rotation import Succession
    from ledger.timestamp import TsaRoots
    from provenance.bundle import EvidenceBundle, Exhibit, StampedEntry
    from provenance.identity import Digest
    from provenance.keys_at_hand import KeysAtHand
    from provenance.trust import Trust


def timestamp(trust: Trust, keys: KeysAtHand, entry: Exhibit, bundle: EvidenceBundle | None) -> Check:
    """Check 10: an authority that the reader trusts saw a checkpoint that covers the entry.

    Args:
        trust: The reader's time-stamping roots, and the logs that are accepted.
        keys: The statements about keys that came along.
        entry: What the file carries.
        bundle: What came beside it; all of its time stamps are to be of this entry.
    """
    stamps = bundle.timestamps if bundle is not None else ()
    if not stamps:
        return Check("timestamp", "not-checked", "no time stamp came with the file: it says itself when it was made")
    check = checked("timestamp", lambda: _earliest(stamps, entry, keys.log_of(trust, entry), trust.tsa_roots))
    if trust.tsa_roots is None and check.result == "pass":
        return Check(
            "timestamp", "not-checked", f"no time-stamping roots were given; the time stamp says {check.detail}"
        )
    return check


def _earliest(stamps: Sequence[StampedEntry], entry: Exhibit, succession: Succession, roots: TsaRoots | None) -> str:
    """Check every stamp, against roots where there are any, and return what the earliest says."""
    said = []
    for stamp in stamps:
        _require_of(stamp, entry.leaf_hash)
        proof = TlogProof.parse(stamp.tlog_proof)
        checkpoint = succession.open(proof.checkpoint_note)
        proof.inclusion(checkpoint).verify(digest_bytes(stamp.leaf_hash), checkpoint.root_hash)
        token = _read(stamp.token, stamped_bytes(proof.checkpoint_note), roots)
        said.append((token.gen_time, checkpoint.size, token.authority))
    gen_time, size, authority = min(said)
    return f"in the log of {size} entries that was signed by {gen_time}, by the clock of {shown(authority)}"


def _require_of(stamp: StampedEntry, leaf: Digest) -> None:
    if stamp.leaf_hash != leaf:
        raise EvidenceError(
            f"a time stamp that came with the file is of the entry {stamp.leaf_hash}, and the file is about {leaf}: it "
            "was damaged, or belongs to another file"
        )


def _read(token: bytes, message: bytes, roots: TsaRoots | None) -> TimeStamp:
    """Read a token that is about a message; without roots, whoever made it."""
    if roots is not None:
        return verify(token, message, roots)
    stamp = TimeStamp.parse(token)
    require_about(stamp, message)
    return stamp
