"""The certificates that a reader trusts to vouch for those who sign manifests, in a PEM file (RFC 7468)."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from provenance.errors import CredentialError

MAX_ANCHOR_BYTES: Final = 4 * 2**20
_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+?)\s*-----END CERTIFICATE-----")
_WANTED: Final = "Give a file of -----BEGIN CERTIFICATE----- blocks."


def require_anchors(pem: bytes) -> None:
    """Refuse what the C2PA engine would silently take for an empty list of anchors.

    Raises:
        CredentialError: There is no certificate, or something that is none.
    """
    if len(pem) > MAX_ANCHOR_BYTES:
        raise CredentialError(f"The trust anchors have {len(pem)} bytes, more than the {MAX_ANCHOR_BYTES} accepted.")
    if b"-----BEGIN " not in pem:
        raise CredentialError(
            f"The trust anchors are not certificates in PEM: there is none, so that nobody would be trusted. {_WANTED}"
        )
    bodies = _PEM.findall(pem)
    try:
        sound = all(base64.b64decode(b"".join(body.split()), validate=True)[:1] == b"0" for body in bodies)
    except binascii.Error:
        sound = False
    if not sound or len(bodies) != pem.count(b"-----BEGIN "):
        raise CredentialError(f"The trust anchors are not certificates in PEM. {_WANTED}")
