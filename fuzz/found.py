"""Inputs that showed a defect once, each named by what became of it: tried first, ever since."""

from __future__ import annotations

import base64
import io
import json
import struct
import zipfile
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization
from cryptography.x509 import load_pem_x509_certificate

from fingerprint.media import M4A_FILE_TYPE
from fuzz import recordings
from fuzz.target import pem_of
from fuzz.targets.ledger import LEAF, authority

if TYPE_CHECKING:
    from collections.abc import Callable

_VERSION_3 = bytes.fromhex("a003020102")
_UUID_BOX = bytes.fromhex("00000008") + b"uuid" + bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_LARGE = 2**63
_SHORT_X448 = (
    b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VvBCIEIAEBAQEBAQEBABQQAEBAEQEBAQEBAQEBAQEBAQEBAQEB\n"
    b"-----END PRIVATE KEY-----\n"
)
_ZIP64_SIZES = struct.Struct("<HHQQQ")


def _root_with(old: bytes, new: bytes) -> bytes:
    """The root of an authority, with other bytes in it."""
    der = authority().root.certificate.public_bytes(serialization.Encoding.DER)
    return pem_of(der.replace(old, new, 1), "CERTIFICATE")


def _chain_of_no_curve() -> bytes:
    """A signer whose public key is no point of its curve, and its private key."""
    signer = recordings.credential()
    certificate = load_pem_x509_certificate(signer.certificate_chain)
    point = certificate.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    der = certificate.public_bytes(serialization.Encoding.DER)
    return pem_of(der.replace(point, point[:-1] + bytes([point[-1] ^ 1])), "CERTIFICATE") + signer.private_key


def _monitor_below_nothing() -> bytes:
    return json.dumps({"size": -1, "edge": [base64.b64encode(LEAF).decode()], "seen": None}).encode()


def _member_beyond_all_files() -> bytes:
    """A zip file whose second member lies where no file reaches, behind a first one that is as long."""
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", 45, 0, 0, 0, 0, 0, 0, 0, 1, 0) + b"a"
    far = _LARGE - len(local)
    members = (("a", far, 0), ("b", 0, _LARGE), ("c", 0, _LARGE + 31))
    directory = b"".join(_entry(name.encode(), size, at) for name, size, at in members)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 3, 3, len(directory), len(local), 0)
    return local + directory + end


def _entry(name: bytes, size: int, at: int) -> bytes:
    unknown = 0xFFFFFFFF
    extra = _ZIP64_SIZES.pack(1, 24, 0, size, at)
    head = struct.pack(
        "<4s4B4H3L5H2L",
        b"PK\x01\x02",
        45,
        3,
        45,
        0,
        0,
        0,
        0,
        0,
        0,
        unknown,
        unknown,
        len(name),
        len(extra),
        *(0, 0, 0, 0, unknown),
    )
    return head + name + extra


def _archive(method: int, *, xml: bytes = b"<score-partwise/>") -> io.BytesIO:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        archive.writestr("META-INF/container.xml", b'<a><rootfile full-path="score.xml"/></a>', zipfile.ZIP_STORED)
        archive.writestr("score.xml", xml)
    return made


def _torn_archive() -> bytes:
    """An archive without its beginning: its directory lies before the file."""
    whole = _archive(zipfile.ZIP_STORED).getvalue()
    return whole[:4] + whole[60:]


def _spoilt(method: int) -> bytes:
    whole = _archive(method).getvalue()
    at = whole.rfind(b"score.xml", 0, whole.find(b"PK\x01\x02")) + len(b"score.xml")
    return whole[: at + 4] + bytes([whole[at + 4] ^ 0xFF]) + whole[at + 5 :]


def _many_tags() -> bytes:
    return _archive(zipfile.ZIP_DEFLATED, xml=b"<a>" + b"<b/>" * 4_000_000 + b"</a>").getvalue()


def _verdict(use: object = "sync", version: object = "cautious-1") -> bytes:
    asked = {"use": use, "territory": "DE", "use_date": None, "asked_by": None, "outlet": None}
    return json.dumps({"question": asked, "verdict": "HOLD", "policy_version": version}).encode()


def _network_without_weights() -> bytes:
    header = b"{}      "
    return struct.pack(">5H", 512, 64, 8, 8192, 500) + len(header).to_bytes(8, "little") + header


INPUTS: tuple[tuple[str, Callable[[], bytes]], ...] = (
    ("ledger.tsa-roots", lambda: _root_with(_VERSION_3, _VERSION_3[:-1] + b"\x07")),
    ("ledger.tsa-roots", lambda: _root_with(b"Local Root", b"Local \xff\xff\xff\xff")),
    ("ledger.tsa-roots", lambda: _root_with(b"\x0c\nLocal Root", b"\x03\n\0ocal Root")),
    ("ledger.key-file", lambda: _SHORT_X448),
    ("ledger.monitor", _monitor_below_nothing),
    ("provenance.container", lambda: bytes(8) + M4A_FILE_TYPE + _UUID_BOX),
    ("provenance.container", lambda: bytes(8) + b"ID3\4\0\0\0\0\1\0TXXX"),
    ("provenance.credential", _chain_of_no_curve),
    ("provenance.credential", lambda: recordings.credential().certificate_chain + _SHORT_X448),
    ("provenance.package", _member_beyond_all_files),
    ("generator.compressed", _torn_archive),
    ("generator.compressed", lambda: _spoilt(zipfile.ZIP_BZIP2)),
    ("generator.compressed", lambda: _spoilt(zipfile.ZIP_LZMA)),
    ("generator.compressed", _many_tags),
    ("generator.model", _network_without_weights),
    ("api.settings", lambda: b"a = " + b"[" * 4_000),
    ("api.settings", lambda: b"a = " + b"9" * 5_000),
    ("api.verdict", lambda: b"[" * 60_000),
    ("api.verdict", lambda: _verdict(use=1)),
    ("api.verdict", lambda: _verdict(version=["cautious-1"])),
    ("fingerprint.mpeg", lambda: recordings.bare("mp3").read_bytes()),
    ("licensing.licence", lambda: b"( OR MIT) AND Apache-2.0"),
    ("licensing.expression", lambda: b"((()((MIT))+)))"),
    ("licensing.expression", lambda: b"a AND (b OR " * 500 + b"MIT" + b")" * 500),
    ("licensing.table", lambda: b"a = " + b"[" * 4_000),
)
"""The name of a target, and what makes the input."""
NAMES = [f"{name}-{number}" for number, (name, _) in enumerate(INPUTS)]
