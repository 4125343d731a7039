"""Check 10 of a file and what lies beside it: every time stamp that came along has to be one of the file's entry.

That somebody whom the reader trusts made a stamp takes roots to tell, and without them is not checked. That a stamp is
about the entry, and about the checkpoint that it came with, anybody can tell: where it is not, it was damaged, or
belongs to something else, and the check fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.errors import LedgerError
from ledger.proof import TlogProof
from ledger.timestamp import TimeStamp, require_about, stamped_bytes
from provenance import attestation
from provenance.check import Check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provenance.attestation import KeysAtHand, Trust
    from provenance.bundle import EvidenceBundle, Exhibit, StampedEntry
    from provenance.identity import Digest


def timestamp(trust: Trust, keys: KeysAtHand, entry: Exhibit, bundle: EvidenceBundle | None) -> Check:
    """Check 10: an authority that the reader trusts saw a checkpoint that covers the entry.

    Args:
        trust: The reader's time-stamping roots, and the logs that are accepted.
        keys: The keys of the log.
        entry: What the file carries.
        bundle: What came beside it; all of its time stamps are to be of this entry.
    """
    check = attestation.timestamp(trust, keys, entry, bundle)
    fault = _fault(bundle.timestamps, entry.leaf_hash) if bundle is not None and check.result != "fail" else ""
    return Check(check.id, "fail", fault) if fault else check


def _fault(stamps: Sequence[StampedEntry], leaf: Digest) -> str:
    """Say what is wrong with a stamp, as far as that takes nobody's trust."""
    for stamp in stamps:
        if stamp.leaf_hash != leaf:
            return (
                f"a time stamp that came with the file is of the entry {stamp.leaf_hash}, and the file is about "
                f"{leaf}: it was damaged, or belongs to another file"
            )
        try:
            require_about(
                TimeStamp.parse(stamp.token), stamped_bytes(TlogProof.parse(stamp.tlog_proof).checkpoint_note)
            )
        except LedgerError as error:
            return str(error)
    return ""
