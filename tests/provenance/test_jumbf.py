"""The bytes that neither hash nor signature covers, in stores built here box by box."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.jumbf import find_fault, signing_certificate

SUFFIX = bytes.fromhex("00110010800000aa00389b71")


def box(kind: bytes, content: bytes) -> bytes:
    return (len(content) + 8).to_bytes(4) + kind + content


def superbox(kind: bytes, label: str, *contents: bytes, toggles: int = 3, further: bytes = b"") -> bytes:
    description = kind + SUFFIX + bytes([toggles]) + label.encode() + b"\0" + further
    return box(b"jumb", box(b"jumd", description) + b"".join(contents))


def cbor_bytes(data: bytes) -> bytes:
    return b"\x59" + len(data).to_bytes(2) + data


def cose(unprotected: bytes = b"\xa1\x63pad" + cbor_bytes(bytes(40)), payload: bytes = b"\xf6") -> bytes:
    return b"\xd2\x84" + cbor_bytes(b"signed header") + unprotected + payload + cbor_bytes(b"s" * 64)


@dataclass
class Store:
    """A manifest store of which each part can be replaced."""

    label: str = "c2pa"
    manifest_type: bytes = b"c2ma"
    assertions: bytes = superbox(
        b"c2as",
        "c2pa.assertions",
        superbox(b"cbor", "one", box(b"cbor", b"data")),
        superbox(b"cbor", "two", box(b"cbor", b"data"), toggles=0x13, further=box(b"c2sh", b"salt" * 4)),
    )
    claim: bytes = superbox(b"c2cl", "c2pa.claim.v2", box(b"cbor", b"claim"))
    signature: bytes = superbox(b"c2cs", "c2pa.signature", box(b"cbor", cose()))
    more: bytes = b""
    ancestors: list[bytes] = field(default_factory=list)

    def manifest(self, name: str = "urn:c2pa:1") -> bytes:
        return superbox(self.manifest_type, name, self.assertions, self.claim, self.signature, self.more)

    def build(self) -> bytes:
        return superbox(b"c2pa", self.label, *self.ancestors, self.manifest())


def test_a_well_formed_store_has_no_fault() -> None:
    assert find_fault(Store().build(), ours=True) is None
    older = [Store().manifest("urn:c2pa:2"), Store(manifest_type=b"c2um").manifest("urn:c2pa:3")]
    assert find_fault(Store(ancestors=older).build(), ours=True) is None


def test_two_manifests_or_assertions_of_one_name_are_a_fault() -> None:
    """Engines read the last of them, and a reader that takes the first is told whatever a forger likes."""
    assert "two manifests" in str(find_fault(Store(ancestors=[Store().manifest()]).build(), ours=True))
    one = superbox(b"cbor", "one", box(b"cbor", b"data"))
    twice = superbox(b"c2as", "c2pa.assertions", one, one)
    assert "two boxes of one name" in str(find_fault(Store(assertions=twice).build(), ours=True))


def test_the_certificate_is_that_of_the_last_manifest_only() -> None:
    def signed(certificate: bytes) -> bytes:
        protected = b"\xa2\x01\x26\x18\x21" + cbor_bytes(certificate)
        content = b"\xd2\x84" + cbor_bytes(protected) + b"\xa0\xf6" + cbor_bytes(b"s" * 64)
        return superbox(b"c2cs", "c2pa.signature", box(b"cbor", content))

    genuine = Store(signature=signed(b"genuine")).manifest("urn:c2pa:0")
    store = Store(signature=signed(b"active"), ancestors=[genuine]).build()
    assert signing_certificate(store, "urn:c2pa:1") == b"active"
    assert signing_certificate(store, "urn:c2pa:0") is None
    assert signing_certificate(store + store, "urn:c2pa:1") is None
    assert signing_certificate(Store().build(), "urn:c2pa:1") is None
    assert signing_certificate(b"nonsense", "urn:c2pa:1") is None


def test_an_older_claim_and_further_stores_are_known() -> None:
    claim = superbox(b"c2cl", "c2pa.claim", box(b"cbor", b"claim"))
    more = superbox(b"c2vc", "c2pa.credentials") + superbox(b"c2db", "c2pa.databoxes", superbox(b"cbor", "one"))
    assert find_fault(Store(claim=claim, more=more).build(), ours=True) is None


def test_a_compressed_manifest_is_not_looked_into() -> None:
    compressed = superbox(b"c2cm", "urn:c2pa:1", box(b"brob", b"anything"))
    assert find_fault(superbox(b"c2pa", "c2pa", compressed), ours=False) is None
    assert "is compressed" in str(find_fault(superbox(b"c2pa", "c2pa", compressed), ours=True))


@pytest.mark.parametrize(
    "unprotected",
    [
        b"\xa0",
        b"\xa1\x64pad2" + cbor_bytes(bytes(3)),
        b"\xa2\x67sigTst2\xa1\x69tstTokens\x81\xa1\x63val\x41x\x63pad\x40",
        b"\xa1\x18\x21\x81\x41c",
        b"\xa1\x65rVals\xc1\x1a\0\0\0\0",
    ],
)
def test_the_known_unsigned_fields_may_be_there(unprotected: bytes) -> None:
    store = signature(cose(unprotected)).build()
    assert find_fault(store, ours=False) is None
    padding_alone = b"sigTst" not in unprotected and b"rVals" not in unprotected and b"\x18\x21" not in unprotected
    assert (find_fault(store, ours=True) is None) is padding_alone


def signature(content: bytes) -> Store:
    return Store(signature=superbox(b"c2cs", "c2pa.signature", box(b"cbor", content)))


PADDED = b"\xa1\x63pad" + cbor_bytes(bytes(20) + b"\1" + bytes(20))
DEEP = b"\xa1\x65rVals" + b"\x81" * 40 + b"\0"
FAULTS = {
    "padding .* not all zeros": signature(cose(PADDED)),
    "unknown unsigned field 'qad'": signature(cose(b"\xa1\x63qad\x40")),
    "unknown unsigned field 7": signature(cose(b"\xa1\x07\0")),
    "without a name": signature(cose(b"\xa1\x40\0")),
    "nested too deeply": signature(cose(DEEP)),
    "indefinite length": signature(cose(b"\xa1\x65rVals\x9f\xff")),
    "no unprotected header": signature(cose(b"\x80")),
    "another item where bytes": signature(cose(b"\xa1\x63pad\x60")),
    "payload of its own": signature(cose(payload=b"\x41p")),
    "followed by other bytes": signature(cose() + b"\0"),
    "ends too early": signature(cose()[:-1]),
    "not a COSE_Sign1": signature(b"\x84" + cose()[2:]),
    "labelled 'cpa2'": Store(label="cpa2"),
    "unknown type b'c2xx'": Store(manifest_type=b"c2xx"),
    "labelled 'c2pa.claim.v9'": Store(claim=superbox(b"c2cl", "c2pa.claim.v9", box(b"cbor", b"claim"))),
    "claim.v2 is not one CBOR box": Store(claim=superbox(b"c2cl", "c2pa.claim.v2", box(b"json", b"{}"))),
    "signature is not one CBOR box": Store(signature=superbox(b"c2cs", "c2pa.signature")),
    "labelled 'c2pa.assertion'": Store(assertions=superbox(b"c2as", "c2pa.assertion")),
    "one assertion store, one claim": Store(assertions=b""),
    "does not have one": Store(more=superbox(b"c2cl", "c2pa.claim", box(b"cbor", b""))),
    "of type b'c2zz'": Store(more=superbox(b"c2zz", "c2pa.more")),
    "b'free' box": Store(more=box(b"free", b"")),
    "b'jumb' box": Store(more=box(b"jumb", b"")),
    "claims 99 bytes": Store(more=(99).to_bytes(4) + b"jumb"),
    "claims 0 bytes": Store(more=bytes(8)),
    "without a label": Store(more=box(b"jumb", box(b"jumd", bytes(17) + b"x"))),
    "unexpected fields": Store(claim=superbox(b"c2cl", "c2pa.claim", box(b"cbor", b""), toggles=7)),
    "box 'c2pa.claim' with": Store(claim=superbox(b"c2cl", "c2pa.claim", further=b"x")),
    "unexpected toggles": Store(assertions=superbox(b"c2as", "c2pa.assertions", superbox(b"cbor", "a", toggles=0x23))),
    "box 'a' with unexpected toggles": Store(
        assertions=superbox(b"c2as", "c2pa.assertions", superbox(b"cbor", "a", further=b"x"))
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_named(fault: str) -> None:
    found = find_fault(FAULTS[fault].build(), ours=False)
    assert found is not None
    assert re.search(fault, found), found


def test_a_store_is_one_box_to_its_last_byte() -> None:
    store = Store().build()
    assert find_fault(b"", ours=True) is not None
    assert find_fault(store + b"\0", ours=True) is not None
    assert find_fault(store[:-1], ours=True) is not None
    assert find_fault(store + store, ours=True) is not None


def test_every_bit_outside_the_covered_parts_counts() -> None:
    """Covered are: the assertions' contents, the claim, the signed header, the signature, the manifest's name."""
    store = Store().build()
    covered = [b"one\0", b"two\0", b"data", b"salt" * 4, b"claim", b"signed header", b"s" * 64, b"urn:c2pa:1"]
    free = set[int]()
    for part in covered:
        at = store.find(part)
        while at >= 0:
            free.update(range(at, at + len(part)))
            at = store.find(part, at + 1)
    # In assertions, the type of the box, its description and its content type are hashed as well.
    start, end = store.index(b"c2pa.assertions\0") + 16, store.index(b"c2cl") - 16
    free.update(range(start, end))
    missed = [
        at
        for at in range(len(store))
        for bit in range(8)
        if at not in free
        and find_fault(store[:at] + bytes([store[at] ^ 1 << bit]) + store[at + 1 :], ours=True) is None
    ]
    assert missed == []


@given(st.binary(max_size=300))
def test_garbage_is_a_fault_and_never_an_error(garbage: bytes) -> None:
    assert find_fault(garbage, ours=True) is not None
    assert find_fault(superbox(b"c2pa", "c2pa", superbox(b"c2ma", "urn:c2pa:1", garbage)), ours=True) is not None


@given(st.data())
def test_a_store_with_garbage_in_it_is_never_an_error(data: st.DataObject) -> None:
    store = bytearray(Store().build())
    at = data.draw(st.integers(0, len(store)))
    store[at : at + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=20))
    find_fault(bytes(store), ours=True)
