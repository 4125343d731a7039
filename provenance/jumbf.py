"""The bytes of a manifest store that no hash and no signature covers.

A C2PA store is a tree of JUMBF boxes (ISO 19566-5). Assertions are hashed by the claim and the claim is
signed, but box lengths, the labels of the structural boxes and the padding of the signature are covered by
nothing, and engines read over changes in them. Each of those bytes has exactly one value it may have, so
that value is required here: with it, every bit of a store that Liner Notes wrote is either hashed, signed,
or fixed. Stores of others may hold time stamps and revocation answers beside a signature, which are signed
by somebody else; they are passed over here, and nothing is believed because of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

_TYPE_SUFFIX: Final = bytes.fromhex("00110010800000aa00389b71")
_STORE: Final = b"c2pa"

STORE_MARK: Final = b"jumd" + _STORE + _TYPE_SUFFIX
"""What stands near the beginning of every manifest store, and nowhere else."""

_HEADER_BYTES: Final = 8
_REQUESTABLE_WITH_LABEL: Final = b"\x03"
_SALTED: Final = b"\x13"
_COMPRESSED: Final = b"c2cm"
_MANIFESTS: Final = frozenset({b"c2ma", b"c2um", _COMPRESSED})
_LABELS: Final = {
    b"c2as": ("c2pa.assertions",),
    b"c2cl": ("c2pa.claim.v2", "c2pa.claim"),
    b"c2cs": ("c2pa.signature",),
    b"c2vc": ("c2pa.credentials",),
    b"c2db": ("c2pa.databoxes",),
}
_REQUIRED: Final = frozenset({b"c2as", b"c2cl", b"c2cs"})

_COSE_SIGN1_TAG: Final = 18
_PADDING: Final = frozenset({"pad", "pad2"})
# Time stamps, revocation answers and certificates carry signatures of their own (C2PA 13.2, 14.6, 15.8);
# claims of version 1 had their certificates here, as x5chain or 33.
_SIGNED_ELSEWHERE: Final[frozenset[str | int]] = frozenset({"sigTst", "sigTst2", "rVals", "x5chain", 33})
_NOTHING: Final[frozenset[str | int]] = frozenset()
_CERTIFICATES: Final = frozenset({"x5chain", 33})
"""The header's name in RFC 9360, and its label."""

_MAX_DEPTH: Final = 16


class _FaultError(Exception):
    """A byte that is not what it must be; the message is the explanation."""


@dataclass(frozen=True, slots=True)
class _Superbox:
    """A ``jumb`` box (ISO 19566-5, A.2): what its description says, and the boxes after it.

    Attributes:
        uuid: The type, 16 bytes.
        toggles: One byte that says which fields the description has.
        label: The label.
        further: The description's fields after the label.
        contents: Type and payload of each box in it.
    """

    uuid: bytes
    toggles: bytes
    label: str
    further: bytes
    contents: tuple[tuple[bytes, bytes], ...]

    @property
    def type(self) -> bytes:
        """The four characters that C2PA tells its types by."""
        return self.uuid[:4]


def find_fault(store: bytes, *, ours: bool) -> str | None:
    """Look for a changed byte among those that hashes and signatures leave out.

    Args:
        store: The whole manifest store, from its first box header to its last byte.
        ours: Whether Liner Notes claims to have written it, which puts nothing but padding beside a signature.

    Returns:
        What is wrong, in words, or None when every such byte has the value it must have.
    """
    try:
        _check_store(store, _NOTHING if ours else _SIGNED_ELSEWHERE)
    except _FaultError as fault:
        return str(fault)
    return None


def signing_certificate(store: bytes, manifest_id: str) -> bytes | None:
    """Return the certificate that a manifest is signed with, from the signed part of its signature.

    Args:
        store: The whole manifest store.
        manifest_id: Label of the manifest.

    Returns:
        The end entity's certificate in DER, or None where the signature does not hold it (RFC 9360).
    """
    try:
        _check_store(store, _SIGNED_ELSEWHERE)
        root = _structural(next(_boxes(store, "the store")), "the store")
        manifest = _structural(root.contents[-1], "the store")  # the last one is the active one (C2PA 11.1.4.2)
        if manifest.label != manifest_id:
            return None
        parts = (_structural(box, manifest.label) for box in manifest.contents)
        signature = next(part for part in parts if part.type == b"c2cs")
        return _certificate(_only_cbor(signature, manifest.label))
    except (StopIteration, _FaultError):
        return None


def _certificate(signature: bytes) -> bytes | None:
    reader = _Cbor(signature)
    if reader.head() != (6, _COSE_SIGN1_TAG) or reader.head() != (4, 4):
        return None
    protected = _Cbor(reader.byte_string())
    major, entries = protected.head()
    for _ in range(entries if major == 5 else 0):  # noqa: PLR2004 - a map
        if protected.key() in _CERTIFICATES:
            return protected.first_byte_string()
        protected.skip()
    return None


def _check_store(store: bytes, beside_signatures: AbstractSet[str | int]) -> None:
    boxes = tuple(_boxes(store, "the store"))
    if len(boxes) != 1:
        raise _FaultError(f"the store is {len(boxes)} boxes where there must be one")
    root = _structural(boxes[0], "the store")
    if (root.type, root.label) != (_STORE, "c2pa"):
        raise _FaultError(f"the store is labelled {root.label!r}")
    labels: set[str] = set()
    for box in root.contents:
        manifest = _structural(box, "the store")
        if manifest.label in labels:
            raise _FaultError(f"the store holds two manifests called {manifest.label!r}")
        labels.add(manifest.label)
        if manifest.type not in _MANIFESTS:
            raise _FaultError(f"the store holds a box of the unknown type {manifest.type!r}")
        if manifest.type != _COMPRESSED:
            _check_manifest(manifest, beside_signatures)
        elif not beside_signatures:
            raise _FaultError(f"{manifest.label} is compressed, which hides its bytes")


def _check_manifest(manifest: _Superbox, beside_signatures: AbstractSet[str | int]) -> None:
    parts = [_structural(box, manifest.label) for box in manifest.contents]
    types = [part.type for part in parts]
    if len(set(types)) != len(types) or not _REQUIRED.issubset(types):
        raise _FaultError(f"{manifest.label} does not have one assertion store, one claim and one signature")
    for part in parts:
        if part.label not in _LABELS.get(part.type, ()):
            raise _FaultError(f"{manifest.label} has a part of type {part.type!r} labelled {part.label!r}")
        if part.type == b"c2cs":
            _check_signature(_only_cbor(part, manifest.label), manifest.label, beside_signatures)
        elif part.type == b"c2cl":
            _only_cbor(part, manifest.label)
        else:
            _check_parts(part, f"{manifest.label}/{part.label}")


def _check_parts(part: _Superbox, where: str) -> None:
    labels = [_check_hashed(box, where) for box in part.contents]
    if len(set(labels)) != len(labels):
        raise _FaultError(f"{where} holds two boxes of one name")


def _only_cbor(part: _Superbox, where: str) -> bytes:
    if [kind for kind, _ in part.contents] != [b"cbor"]:
        raise _FaultError(f"{where}/{part.label} is not one CBOR box")
    return part.contents[0][1]


def _boxes(data: bytes, where: str) -> Iterator[tuple[bytes, bytes]]:
    """Yield the boxes, type and payload, that fill ``data`` exactly."""
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 4])
        if not _HEADER_BYTES <= length <= len(data) - at:
            raise _FaultError(f"a box in {where} claims {length} bytes where {len(data) - at} are left")
        yield data[at + 4 : at + _HEADER_BYTES], data[at + _HEADER_BYTES : at + length]
        at += length


def _structural(box: tuple[bytes, bytes], where: str) -> _Superbox:
    """Read a superbox whose description has to be a type and a label and nothing else."""
    superbox = _superbox(box, where)
    if superbox.uuid[4:] != _TYPE_SUFFIX or superbox.toggles != _REQUESTABLE_WITH_LABEL or superbox.further:
        raise _FaultError(f"{where} holds a box {superbox.label!r} with unexpected fields in its description")
    return superbox


def _check_hashed(box: tuple[bytes, bytes], where: str) -> str:
    """Check a superbox that the claim hashes, all but the spare bits of its toggles; return its label."""
    superbox = _superbox(box, where)
    if superbox.toggles != (_SALTED if superbox.further else _REQUESTABLE_WITH_LABEL):
        raise _FaultError(f"{where} holds a box {superbox.label!r} with unexpected toggles in its description")
    return superbox.label


def _superbox(box: tuple[bytes, bytes], where: str) -> _Superbox:
    kind, payload = box
    inner = tuple(_boxes(payload, where)) if kind == b"jumb" else ()
    if not inner or inner[0][0] != b"jumd":
        raise _FaultError(f"{where} holds a {kind!r} box where a described superbox must be")
    fields = inner[0][1]
    label, terminator, further = fields[17:].partition(b"\0")
    if not terminator:
        raise _FaultError(f"{where} holds a superbox without a label")
    return _Superbox(fields[:16], fields[16:17], label.decode("utf-8", "backslashreplace"), further, inner[1:])


def _check_signature(data: bytes, where: str, beside: AbstractSet[str | int]) -> None:
    """Check the frame of a COSE_Sign1 (RFC 9052, 4.2): its unprotected header and its end."""
    reader = _Cbor(data)
    if reader.head() != (6, _COSE_SIGN1_TAG) or reader.head() != (4, 4):
        raise _FaultError(f"the signature of {where} is not a COSE_Sign1")
    reader.byte_string()  # the protected header: signed
    major, entries = reader.head()
    if major != 5:  # noqa: PLR2004 - RFC 8949, 3.1: major type 5 is a map
        raise _FaultError(f"the signature of {where} has no unprotected header")
    for _ in range(entries):
        key = reader.key()
        if key in _PADDING:
            if reader.byte_string().strip(b"\0"):
                raise _FaultError(f"the padding of the signature of {where} is not all zeros")
        elif key in beside:
            reader.skip()
        else:
            raise _FaultError(f"the signature of {where} has the unknown unsigned field {key!r}")
    if reader.take(1) != b"\xf6":
        raise _FaultError(f"the signature of {where} carries a payload of its own")
    reader.byte_string()  # the signature itself: changed, it does not verify
    if not reader.at_end:
        raise _FaultError(f"the signature of {where} is followed by other bytes")


class _Cbor:
    """As much of RFC 8949 as the frame of a signature needs; lengths are definite."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def at_end(self) -> bool:
        return self._at == len(self._data)

    def take(self, size: int) -> bytes:
        if size > len(self._data) - self._at:
            raise _FaultError("the signature ends too early")
        self._at += size
        return self._data[self._at - size : self._at]

    def head(self) -> tuple[int, int]:
        """Read the major type and the argument of the next item (RFC 8949, 3)."""
        initial = self.take(1)[0]
        major, argument = initial >> 5, initial & 31
        if argument < 24:  # noqa: PLR2004 - the argument itself
            return major, argument
        if argument > 27:  # noqa: PLR2004 - reserved, or of indefinite length
            raise _FaultError("the signature has an item of indefinite length")
        return major, int.from_bytes(self.take(1 << argument - 24))

    def key(self) -> str | int:
        """Read a map key: a text or a small number."""
        major, argument = self.head()
        if major == 0:
            return argument
        if major == 3:  # noqa: PLR2004 - a text string
            return self.take(argument).decode("utf-8", "backslashreplace")
        raise _FaultError("the signature has an unsigned field without a name")

    def byte_string(self) -> bytes:
        major, length = self.head()
        if major != 2:  # noqa: PLR2004 - a byte string
            raise _FaultError("the signature has another item where bytes must be")
        return self.take(length)

    def first_byte_string(self) -> bytes:
        """Read a byte string, or the first of an array of them."""
        major, length = self.head()
        if major == 4 and length:  # noqa: PLR2004 - an array
            return self.byte_string()
        if major != 2:  # noqa: PLR2004 - a byte string
            raise _FaultError("the signature has another item where certificates must be")
        return self.take(length)

    def skip(self, depth: int = 0) -> None:
        """Pass over one item, whatever it is."""
        if depth > _MAX_DEPTH:
            raise _FaultError("the signature is nested too deeply")
        major, argument = self.head()
        if major in {2, 3}:
            self.take(argument)
        elif major in {4, 5}:
            for _ in range(argument * (major - 3)):
                self.skip(depth + 1)
        elif major == 6:  # noqa: PLR2004 - a tag and its content
            self.skip(depth + 1)
