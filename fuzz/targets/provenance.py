"""What statements, evidence, packages and manifests of strangers are read by."""

from __future__ import annotations

import io
import json
import shutil
import struct
import zipfile
from functools import cache, partial
from typing import TYPE_CHECKING

import c2pa

from api.key_statements import registration_statement
from fuzz import recordings
from fuzz.target import Target, faithful, file_of, folder, pem_of, require, stream_of, text_of
from fuzz.targets.ledger import LEAF, LOG, PROOF
from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.envelope import sign
from ledger.errors import EnvelopeError
from ledger.merkle import inclusion_path, leaf_hash, root
from ledger.proof import TlogProof
from provenance import container, jumbf, statement
from provenance.admission import Limits, read_statement, receive
from provenance.archive import unpack
from provenance.assertion import Action, LedgerEvidence, LoggedStatement, TrainingMining
from provenance.bundle import DisclosedOpening, EvidenceBundle, Exhibit, StampedEntry
from provenance.container import CarrierError, media_type_of, require_bare_mp4, store_excluded_from_hash, store_in_mp4
from provenance.corpus import CorpusItem, CorpusManifest
from provenance.credential import load_credential, trust_anchor
from provenance.disclosure import commit
from provenance.errors import (
    AdmissionError,
    CorpusError,
    CredentialError,
    DisclosureError,
    EvidenceError,
    KeyringError,
    ManifestError,
    RoleError,
    StatementError,
    TextError,
    UnsupportedMediaError,
)
from provenance.identity import Digest, digest, digest_bytes, digest_from_text, new_id
from provenance.jumbf import find_fault, signing_certificate
from provenance.key_evidence import KeyEvidence
from provenance.manifest import read
from provenance.manifest_report import report_from
from provenance.name import compare_people, compare_titles, require_words
from provenance.package import begin, finish, opened, read_manifest, write_zip
from provenance.payload import read_json
from provenance.role import require_role
from provenance.signed_entry import read_entry
from provenance.source_predicate import PartyPredicate
from provenance.statement import Statement, Subject, header
from provenance.text import require_line, require_plain
from tests.provenance.key_log import KeyLog

if TYPE_CHECKING:
    from collections.abc import Sequence

_SIGNED_ENDINGS = ("wav", "flac", "mp3", "m4a")
_LONGEST_NAME = 200
_PARTY = 1
"""Index of the one entry that is not about a key."""
_JSON_WORDS = (b"1.0", b"-0", b'{"a":1,"a":1}', b'"\\u0041"', b" ", b'"predicate":', b'"subject":', b'"_type":')
_BOXES = (b"jumb", b"jumd", b"c2pa", b"c2ma", b"c2as", b"c2cl", b"c2cs", b"cbor", b"uuid", b"ftyp", b"mfra", b"free")
_CBOR = (b"\xd2\x84", b"\xbf", b"\xbb" + b"\xff" * 8, b"\x9b" + b"\xff" * 8, b"\x63pad", b"\x5f", b"\xf6")
_STORE_UUID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_CONTAINER_WORDS = (*_BOXES, b"uuid" + _STORE_UUID, b"C2PA", b"GEOB", b"ID3\x04\0\0", b"\0\0\0\x08uuid" + _STORE_UUID)
_RANGE = struct.Struct(">II")


@cache
def statements() -> list[bytes]:
    """A statement about a party, and one that registers a key."""
    members = {"party_id": new_id(), "kind": "person", "relation": "owner", "name": commit("Ada").commitment}
    predicate = PartyPredicate.model_validate(header(PartyPredicate) | members)
    party = Statement((Subject(predicate.party_id, digest(b"Ada")),), predicate)
    return [party.to_bytes(), registration_statement("service", LOG.key.verifier, LOG.vkey).to_bytes()]


@cache
def entries() -> list[bytes]:
    """The same in envelopes."""
    return [sign(payload, LOG.key).to_bytes() for payload in statements()]


def _json(data: bytes) -> None:
    value = read_json(data, Limits().max_depth)
    require(read_json(json.dumps(value).encode(), Limits().max_depth) == value, "JSON is not read as it was written.")


def _admission(data: bytes) -> None:
    received = receive(data)
    require(received.envelope.to_bytes() == data, "An entry is stored otherwise than it came.")
    require(received.statement.to_bytes() == received.envelope.payload, "A statement has two forms.")


def _handed_out(data: bytes) -> None:
    require(read_statement(data).to_bytes() == data, "A statement has two forms.")


def _evidence(data: bytes) -> None:
    bundle = EvidenceBundle.parse(data)
    require(EvidenceBundle.parse(bundle.to_bytes()) == bundle, "Evidence is not read as it was written.")
    for exhibit in bundle.exhibits:
        exhibit.statement()


def _bundles() -> list[bytes]:
    opening = DisclosedOpening(digest(b"leaf"), "prompt", commit("a busy allegro"))
    stamped = StampedEntry(Digest("sha256:" + LEAF.hex()), PROOF, b"token")
    exhibits = tuple(Exhibit(entry, PROOF) for entry in entries())
    return [EvidenceBundle(exhibits, (opening,), (stamped,)).to_bytes(), EvidenceBundle(()).to_bytes()]


def _key_bundles() -> list[bytes]:
    """What a log says of its keys: it has three, and one that took the place of another."""
    log = KeyLog()
    log.rotate("service", log.service)
    leaves = [leaf_hash(entry) for entry in log.entries]
    note = sign_checkpoint(Checkpoint(log.note.name, len(leaves), root(leaves)), log.note)
    exhibits = tuple(
        Exhibit(entry, TlogProof(index, inclusion_path(leaves, index), note).format())
        for index, entry in enumerate(log.entries)
        if index != _PARTY
    )
    return [EvidenceBundle(exhibits).to_bytes(), EvidenceBundle(exhibits[1:]).to_bytes()]


def _corpus(data: bytes) -> None:
    corpus = CorpusManifest.parse(data)
    require(CorpusManifest.parse(corpus.to_bytes()) == corpus, "A corpus is not read as it was written.")
    corpus.prove("file", digest(b"file")).check()


def _corpora() -> list[bytes]:
    items = [
        CorpusItem(
            identifier=name,
            title="String Quartet No.1",
            composer="Joseph Haydn",
            born=1732,
            died=1809,
            first_published=None,
            source="https://example.org",
            licence="CC0-1.0",
            file_digest=digest(name.encode()),
            content_digest=digest(b"of " + name.encode()),
        )
        for name in ("sq1", "sq2")
    ]
    made = partial(CorpusManifest.of, id="c", title="t", source="s", licence="CC0-1.0")
    return [made(items=items).to_bytes(), made(items=[]).to_bytes()]


def _zip(data: bytes) -> None:
    target = folder() / "unpacked"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    path = file_of(data, "package.zip")
    unpack(path, target)
    with opened(path) as package:
        package.problems()


def _zips() -> list[bytes]:
    root = folder() / "packed"
    (root / "data").mkdir(parents=True, exist_ok=True)
    (root / "data" / "notes.txt").write_bytes(b"notes" * 100)
    package = begin(root)
    finish(package, b"evidence", recording_id="r", date="2026-11-20")
    write_zip(package, folder() / "good.zip")
    squeezed = io.BytesIO()
    with zipfile.ZipFile(squeezed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bagit.txt", b"BagIt")
        archive.writestr("data/zeros", bytes(1_000_000))
    return [(folder() / "good.zip").read_bytes(), squeezed.getvalue()]


def _listed(data: bytes) -> None:
    read_manifest(file_of(data, "manifest-sha256.txt"))


def _container(data: bytes) -> None:
    """The first eight bytes say which range the signer left out of the hash."""
    start, length = _RANGE.unpack(data[: _RANGE.size].ljust(_RANGE.size, b"\0"))
    file = stream_of(data[_RANGE.size :])
    if media_type_of(file, "the file") == container.M4A:
        store = store_in_mp4(file)
        require_bare_mp4(file)
    else:
        store = store_excluded_from_hash(file, media_type_of(file, "the file"), start, length)
    require(len(store) <= container.MAX_STORE_BYTES, "A store is longer than it may be.")


def _containers() -> list[bytes]:
    files = [recordings.signed(ending).read_bytes() for ending in _SIGNED_ENDINGS]
    return [_RANGE.pack(*_left_out(data)) + data for data in files]


def _left_out(data: bytes) -> tuple[int, int]:
    """The range that a hash leaves out: the store and, in a wav file, the chunk around it."""
    at, size = _store_in(data)
    head = 8 if data[:4] == b"RIFF" else 0
    return at - head, size + head


def _store_in(data: bytes) -> tuple[int, int]:
    """Where the store begins, with its length, and how many bytes it has."""
    at = data.find(jumbf.STORE_MARK) - 12
    return at, int.from_bytes(data[at : at + 4])


@cache
def _store() -> bytes:
    data = recordings.signed("mp3").read_bytes()
    at, size = _store_in(data)
    return data[at : at + size]


def _boxes(data: bytes) -> None:
    for ours in (True, False):
        find_fault(data, ours=ours)
    signing_certificate(data, "urn:c2pa:1")


def _report(data: bytes) -> None:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return  # the engine writes JSON
    with recordings.signed("wav").open("rb") as file:
        report = report_from(document, file, container.WAV, anchored=True)
    require(report.intact == (not report.failures), "A manifest is intact and is not.")


@cache
def _reports() -> list[bytes]:
    with recordings.signed("wav").open("rb") as file, c2pa.Reader(container.WAV, file) as reader:
        return [reader.detailed_json().encode()]


def _c2pa(data: bytes) -> None:
    report = read(file_of(data, "recording"))
    require(report is None or report.intact == (not report.failures), "A manifest is intact and is not.")


def _credential(data: bytes) -> None:
    """A chain, with its key behind the last certificate; or one certificate in DER, for the key of another."""
    if data.startswith(b"\x30"):
        data = pem_of(data, "CERTIFICATE") + recordings.credential().private_key
    chain, mark, key = data.rpartition(b"-----BEGIN PRIVATE KEY-----")
    load_credential(file_of(chain or data, "chain.pem"), file_of(mark + key, "key.pem"))


def _credentials() -> list[bytes]:
    signer, anchor = recordings.credential(), trust_anchor(folder() / "c2pa")
    return [
        signer.certificate_chain + signer.private_key,
        signer.certificate_chain + anchor + signer.private_key,
        anchor + signer.private_key,
        signer.certificate,
    ]


def _name(data: bytes) -> None:
    """A name that is asked for and, behind a line break, one that is known."""
    asked, _, known = text_of(data).partition("\n")
    line = require_line(asked, "A name", most=_LONGEST_NAME)
    require(require_line(line, "A name", most=_LONGEST_NAME) == line, "The normal form of a name has another one.")
    require_plain(known, "A name")
    require_words(line, "A name")
    compare_people(line, known[:_LONGEST_NAME])
    compare_titles(line, known[:_LONGEST_NAME])


def _digest(data: bytes) -> None:
    require(len(digest_bytes(digest_from_text(text_of(data)))) == 32, "A digest is not one of SHA-256.")


TARGETS: Sequence[Target] = (
    Target("provenance.json", _json, (AdmissionError,), statements, (read_json,), _JSON_WORDS),
    Target("provenance.admission", _admission, (AdmissionError,), entries, (receive,), _JSON_WORDS, 70_000),
    Target("provenance.handed-out", _handed_out, (AdmissionError,), statements, (read_statement,), _JSON_WORDS),
    Target(
        "provenance.statement",
        faithful(statement.parse, Statement.to_bytes),
        (StatementError,),
        statements,
        (statement.parse,),
        _JSON_WORDS,
    ),
    Target(
        "provenance.entry",
        lambda data: read_entry(0, data, {}),
        (EnvelopeError, StatementError, KeyringError),
        entries,
        (read_entry,),
        _JSON_WORDS,
        70_000,
    ),
    Target(
        "provenance.evidence",
        _evidence,
        (EvidenceError, DisclosureError),
        _bundles,
        (EvidenceBundle.parse,),
        _JSON_WORDS,
    ),
    Target("provenance.keys", KeyEvidence.open, (EvidenceError,), _key_bundles, (KeyEvidence.open,), _JSON_WORDS),
    Target("provenance.corpus", _corpus, (CorpusError,), _corpora, (CorpusManifest.parse,), _JSON_WORDS),
    Target(
        "provenance.package",
        _zip,
        (EvidenceError,),
        _zips,
        (unpack, opened),
        (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", b"\x01\0\x10\0", b"../", b"\x0c"),
        costly=True,
    ),
    Target(
        "provenance.package-list",
        _listed,
        (EvidenceError,),
        lambda: [f"{digest(b'a')[7:]}  data/a.wav\n{digest(b'b')[7:]} *bagit.txt\r\n".encode()],
        (read_manifest,),
        (b"../", b"  ", b"\x1c", "\N{LINE SEPARATOR}".encode()),
    ),
    Target(
        "provenance.container",
        _container,
        (CarrierError, UnsupportedMediaError),
        _containers,
        (),
        _CONTAINER_WORDS,
    ),
    Target("provenance.jumbf", _boxes, (), lambda: [_store()], (), (*_BOXES, *_CBOR)),
    Target(
        "provenance.manifest-report",
        _report,
        (),
        _reports,
        (
            Action.from_document,
            TrainingMining.from_document,
            LedgerEvidence.from_document,
            LoggedStatement.from_document,
        ),
        (b"null", b"[]", b"{}", b"true", b'"c2pa.hash.data"', b'"url":'),
    ),
    Target(
        "provenance.manifest",
        _c2pa,
        (ManifestError,),
        lambda: [recordings.signed(ending).read_bytes() for ending in _SIGNED_ENDINGS],
        (read,),
        (*_CONTAINER_WORDS, *_CBOR),
        costly=True,
    ),
    Target(
        "provenance.credential",
        _credential,
        (CredentialError,),
        _credentials,
        (load_credential,),
        (b"-----BEGIN CERTIFICATE-----\n", b"-----END CERTIFICATE-----\n", b"-----BEGIN PRIVATE KEY-----\n"),
    ),
    Target(
        "provenance.name",
        _name,
        (TextError,),
        lambda: [
            b"L. v. Beethoven\nBeethoven, Ludwig van",
            "Dvo\u0159\u00e1k\nString Quartet No.12 in F, Op.96".encode(),
        ],
        (),
        (b", ", b"No.", b"in F", "\u200b".encode(), "e\u0301".encode(), "\u202e".encode()),
        2_000,
    ),
    Target("provenance.role", lambda data: require_role(text_of(data)), (RoleError,), lambda: [b"Composer"], ()),
    Target(
        "provenance.digest",
        _digest,
        (ValueError,),
        lambda: [digest(b"a").encode(), b"AB" * 32],
        (),
        (b"sha256:", "\N{ARABIC-INDIC DIGIT ONE}".encode()),
    ),
)
