"""What a reader brings along to judge evidence by: no key and no clock that comes with a file counts by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledger.policy import Policy
    from ledger.rotation import Succession
    from ledger.timestamp import TsaRoots
    from provenance.key_evidence import KeyEvidence


@dataclass(frozen=True, slots=True)
class Trust:
    """What the reader brings along.

    Attributes:
        policy: C2SP tlog-policy: which logs and witnesses are accepted.
        own_log: The keys of the log of the reader's own home, accepted where there is no policy.
        anchors: PEM certificates from which a C2PA signer must descend.
        own_anchors: Those of the reader's own home, accepted where no anchors were given.
        tsa_roots: The time-stamping authorities that are accepted.
        keys: What the log says about its keys, up to a size.
    """

    policy: Policy | None = None
    own_log: Succession | None = None
    anchors: bytes | None = None
    own_anchors: bytes | None = None
    tsa_roots: TsaRoots | None = None
    keys: KeyEvidence | None = None
