"""A proof is worth what others can check: here with nothing but a hash function and an Ed25519 library."""

import base64
import hashlib
import json

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def root(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """RFC 9162, section 2.1.3.2."""
    node, last = leaf, size - 1
    for sibling in path:
        if index % 2 or index == last:
            node = hashlib.sha256(b"\1" + sibling + node).digest()
            while not index % 2 and index:
                index, last = index >> 1, last >> 1
        else:
            node = hashlib.sha256(b"\1" + node + sibling).digest()
        index, last = index >> 1, last >> 1
    assert last == 0
    return node


def test_an_entry_its_proof_and_its_checkpoint_hold_without_our_code(studio, linernotes) -> None:
    for name in ("a", "b", "c"):
        linernotes("party", "add", "--name", name)
    keys = {key["role"]: key for key in linernotes("key", "list", "--json").json["keys"]}
    name, key_hash, encoded = keys["log"]["vkey"].split("+", 2)
    log_key = Ed25519PublicKey.from_public_bytes(base64.b64decode(encoded)[1:])
    for index in range(8):
        proof_file, entry_file = studio.root / "p.tlog-proof", studio.root / "entry"
        assert linernotes("log", "proof", index, "-o", proof_file).code == 0
        assert linernotes("log", "entry", index, "-o", entry_file).code == 0
        head, _, note = proof_file.read_bytes().partition(b"\n\n")
        lines = head.decode().split("\n")
        assert lines[:2] == ["c2sp.org/tlog-proof@v1", f"index {index}"]
        text, _, signature = note.rpartition(b"\n\n")
        origin, size, root_hash = (text + b"\n").decode().splitlines()
        dash, signer, blob = signature.decode().split(" ")
        assert (dash, signer, origin) == ("\N{EM DASH}", name, name)
        assert base64.b64decode(blob)[:4].hex() == key_hash
        log_key.verify(base64.b64decode(blob)[4:], text + b"\n")
        leaf = hashlib.sha256(b"\0" + entry_file.read_bytes()).digest()
        path = [base64.b64decode(line) for line in lines[2:]]
        assert root(leaf, index, int(size), path) == base64.b64decode(root_hash)


def test_an_envelope_is_signed_by_the_registered_key(studio, linernotes) -> None:
    payloads = []
    for index in range(7):
        linernotes("log", "entry", index, "-o", studio.root / "entry")
        envelope = json.loads((studio.root / "entry").read_bytes())
        payload = base64.b64decode(envelope["payload"])
        payloads.append(json.loads(payload))
        service = payloads[0]["predicate"]
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(service["public_key"]))
        kind = envelope["payloadType"].encode()
        [signature] = envelope["signatures"]
        assert signature["keyid"] == service["keyid"]
        key.verify(base64.b64decode(signature["sig"]), b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload))
    kinds = [payload["predicateType"].rsplit("/", 2)[1] for payload in payloads]
    assert kinds == ["key", "party", "corpus", "model", "key", "generation", "rendition"]
