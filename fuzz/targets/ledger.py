"""What reaches a log, its readers and its witnesses."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fuzz.target import KIBIBYTE, Target, faithful, file_of, folder, pem_of, require, text_of
from ledger import der, encoding, note, tile
from ledger.add_checkpoint import AddCheckpoint, format_size, parse_cosignature, parse_size
from ledger.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from ledger.cms import SignedToken
from ledger.cosignature import Cosigner, with_signatures
from ledger.cosigned_checkpoint import CosignedCheckpoint
from ledger.envelope import Envelope, sign
from ledger.errors import (
    AddCheckpointError,
    CheckpointError,
    EnvelopeError,
    KeyFileError,
    KeyRejectedError,
    LogDamagedError,
    MonitorError,
    NoteError,
    PolicyError,
    ProofError,
    SignatureError,
    SuccessionError,
    TileError,
    TimeStampError,
    WitnessStateError,
)
from ledger.key_file import load_key, load_or_create_key
from ledger.keys import Ed25519Signer
from ledger.last_checkpoint import LastCheckpoint
from ledger.log_source import HttpSource
from ledger.merkle import Frontier, leaf_hash
from ledger.monitor import Followed, Monitor
from ledger.note import Note, NoteSigner, NoteVerifier, open_note
from ledger.policy import Policy, TrustedLog, Witness
from ledger.proof import TlogProof
from ledger.rotation import Succession, Tenure
from ledger.tile import TilePath, format_bundle, parse_bundle
from ledger.timestamp import TimeStamp, TsaRoots, verify
from ledger.witness_memory import WitnessMemory
from tests.ledger.local_tsa import LocalTsa

if TYPE_CHECKING:
    from collections.abc import Sequence


def _key(number: int) -> Ed25519Signer:
    return Ed25519Signer(Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32))


LOG = NoteSigner("example.com/log", _key(1))
NEXT = NoteSigner(LOG.name, _key(2))
WITNESS = Cosigner("witness.example/w", _key(3))
LEAF = leaf_hash(b"entry")
CHECKPOINT = sign_checkpoint(Checkpoint(LOG.name, 1, LEAF), LOG)
TEXT = Note.parse(CHECKPOINT).text
COSIGNED = with_signatures(Note.parse(CHECKPOINT), [WITNESS.cosign(TEXT, 1_800_000_000)]).format()
PROOF = TlogProof(0, (), COSIGNED).format()
POLICY = Policy((TrustedLog(LOG.verifier),), (Witness("w", WITNESS.verifier, "https://witness.example/"),), "w")
SUCCESSION = Succession((Tenure(LOG.verifier, 0), Tenure(NEXT.verifier, 7)))
STAMPED = b"what was stamped"

_POLICY_TEXT = b"# who\nlog %s https://log.example/\nwitness w %s\ngroup g any w\ngroup all 1 g\nquorum all\n" % (
    LOG.vkey.encode(),
    WITNESS.vkey.encode(),
)
_BUNDLE = format_bundle([b"entry", b"", b"x" * 300])
_NOTE_WORDS = ("\N{EM DASH} ".encode(), LOG.name.encode(), b"\n\n", b"\n", b"+", b"\x85", "\N{NO-BREAK SPACE}".encode())
_POLICY_WORDS = (
    b"log ",
    b"witness ",
    b"group ",
    b"quorum ",
    b"none",
    b"all ",
    b"any ",
    b"\ngroup a all w",
    b"\t",
    b"#",
)
_DER_WORDS = (b"\x30\x80", b"\x30\x84\xff\xff\xff\xff", b"\x02\x01", b"\x05\x00", b"\x1f", b"\xa0\x03", b"\x31\x00")
_SEQUENCE = b"\x30"
_JSON_WORDS = (b'"payload":', b'"signatures":', b'"keyid":', b'"sig":', b"[[[[", b'{"a":1,"a":1}')


@cache
def authority() -> LocalTsa:
    """A time-stamping authority of this process."""
    return LocalTsa.make(folder() / "tsa")


@cache
def token() -> bytes:
    """Its time stamp over `STAMPED`."""
    return authority().token(STAMPED)


def _stamps() -> list[bytes]:
    tsa = authority()
    return [token(), tsa.token(STAMPED, "-sha512", "-cert"), tsa.resigned(token(), tsa.signer)]


def _open(data: bytes) -> None:
    keys = [LOG.verifier, WITNESS.verifier]
    open_note(data, keys)
    open_checkpoint(data, keys)
    POLICY.check(data)


def _proof(data: bytes) -> None:
    proof = TlogProof.parse(data)
    require(proof.format() == data, "A proof is not written as it was.")
    POLICY.verify(proof, LEAF)


def _policy(data: bytes) -> None:
    policy = Policy.parse(data)
    require(Policy.parse(policy.format()) == policy, "A policy is not read as it was written.")
    require(Policy.parse(text_of(data)) == policy, "A policy is another one as text.")


def _bundle(data: bytes) -> None:
    width = data[0] + 1 if data else 0
    require(format_bundle(parse_bundle(data[1:], width)) == data[1:], "A bundle is not written as it was.")


def _cosignature(data: bytes) -> None:
    parse_cosignature(data, TEXT, WITNESS.verifier)


def _numbers(data: bytes) -> None:
    text = text_of(data)
    try:
        require(str(encoding.decode_decimal(text, "It", NoteError)) == text, "A number is not written as it was.")
    except NoteError:
        decoded = encoding.decode_base64(text, "It", NoteError)
        require(encoding.encode_base64(decoded) == text, "Octets are not written as they were.")


def _elements(data: bytes) -> None:
    require(
        b"".join(each.whole for each in der.elements(data)) == data, "Elements are not the octets they were read from."
    )
    der.parts(data, der.SEQUENCE, more=True)


def _stamp(data: bytes) -> None:
    TimeStamp.parse(data)
    SignedToken.parse(data)
    verify(data, STAMPED, authority().roots)


def _succession(data: bytes) -> None:
    succession = Succession.parse(data)
    require(Succession.parse(succession.format()) == succession, "A succession is not read as it was written.")
    succession.open(CHECKPOINT)


def _roots(data: bytes) -> None:
    """PEM, or one certificate in DER."""
    TsaRoots.parse(pem_of(data, "CERTIFICATE") if data.startswith(_SEQUENCE) else data)


def _key_file(data: bytes) -> None:
    """PEM, or one key in DER."""
    path = file_of(pem_of(data, "PRIVATE KEY") if data.startswith(_SEQUENCE) else data, "key.pem")
    require(load_key(path).keyid == load_or_create_key(path).keyid, "A key file holds two keys.")


def _keys() -> list[bytes]:
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat
    ours, theirs, plain = _key(1).private_key, generate_private_key(SECP256R1()), serialization.NoEncryption()
    return [
        ours.private_bytes(pem, form.PKCS8, plain),
        ours.private_bytes(pem, form.PKCS8, serialization.BestAvailableEncryption(b"a passphrase")),
        ours.private_bytes(serialization.Encoding.DER, form.PKCS8, plain),
        ours.private_bytes(pem, form.OpenSSH, plain),
        theirs.private_bytes(pem, form.PKCS8, plain),
        theirs.private_bytes(pem, form.TraditionalOpenSSL, plain),
    ]


def _monitor(data: bytes) -> None:
    followed = Monitor(HttpSource("https://log.example/"), POLICY, file_of(data)).followed
    require(followed.edge.size >= 0, "A tree has a size below nothing.")
    followed.edge.extended([LEAF])


def _followed() -> list[bytes]:
    path = folder() / "followed"
    monitor = Monitor(HttpSource("https://log.example/"), POLICY, path)
    monitor._remember(Followed(Frontier().extended([LEAF]).frontier, CHECKPOINT))
    return [path.read_bytes(), b'{"size":0,"edge":[],"seen":null}']


def _remembered(data: bytes) -> None:
    path = file_of(data, "checkpoint")
    LastCheckpoint(path).read()
    CosignedCheckpoint(path).read()
    memory = WitnessMemory(folder(), LOG.name, WITNESS.verifier)
    file_of(data, memory.path.name)
    memory.read()


def _checkpoints() -> list[bytes]:
    further = Checkpoint(LOG.name, 2, bytes(32), ("an extension", "another"))
    return [CHECKPOINT, COSIGNED, sign_checkpoint(further, LOG)]


TARGETS: Sequence[Target] = (
    Target(
        "ledger.note",
        faithful(Note.parse, Note.format),
        (NoteError,),
        _checkpoints,
        (Note.parse,),
        _NOTE_WORDS,
        note.MAX_NOTE_BYTES + 1,
    ),
    Target(
        "ledger.vkey",
        faithful(lambda data: NoteVerifier.parse(text_of(data)), lambda verifier: verifier.vkey.encode()),
        (NoteError, KeyRejectedError),
        lambda: [LOG.vkey.encode(), WITNESS.vkey.encode()],
        (NoteVerifier.parse,),
        _NOTE_WORDS,
    ),
    Target(
        "ledger.checkpoint",
        faithful(
            lambda data: Checkpoint.parse(text_of(data)), lambda made: made.format().encode(errors="surrogateescape")
        ),
        (CheckpointError,),
        lambda: [TEXT.encode(), TEXT.encode() + b"more\n"],
        (Checkpoint.parse,),
        _NOTE_WORDS,
    ),
    Target(
        "ledger.signed-checkpoint",
        _open,
        (NoteError, CheckpointError, SignatureError, PolicyError),
        _checkpoints,
        (open_note, open_checkpoint),
        _NOTE_WORDS,
    ),
    Target(
        "ledger.proof",
        _proof,
        (ProofError, NoteError, CheckpointError, PolicyError),
        lambda: [PROOF, TlogProof(0, (), CHECKPOINT, b"extra").format()],
        (TlogProof.parse,),
        (*_NOTE_WORDS, b"extra ", b"index "),
        512 * KIBIBYTE,
    ),
    Target(
        "ledger.policy",
        _policy,
        (PolicyError,),
        lambda: [_POLICY_TEXT, POLICY.format()],
        (Policy.parse,),
        _POLICY_WORDS,
    ),
    Target(
        "ledger.envelope",
        faithful(Envelope.parse, Envelope.to_bytes),
        (EnvelopeError,),
        lambda: [sign(b'{"a":1}', LOG.key).to_bytes(), sign(b"", NEXT.key, "text/plain").to_bytes()],
        (Envelope.parse,),
        _JSON_WORDS,
        70_000,
    ),
    Target(
        "ledger.tile-path",
        faithful(lambda data: TilePath.parse(text_of(data)), lambda path: path.format().encode()),
        (TileError,),
        lambda: [b"tile/0/x001/x234/067", b"tile/entries/000.p/255"],
        (TilePath.parse,),
        (b"tile/", b"x001/", b".p/", b"256", b"entries/", b"/000", "\N{ARABIC-INDIC DIGIT ONE}".encode()),
    ),
    Target("ledger.bundle", _bundle, (TileError,), lambda: [b"\2" + _BUNDLE, b"\0\0\0"], (tile.parse_bundle,)),
    Target(
        "ledger.add-checkpoint",
        faithful(AddCheckpoint.parse, AddCheckpoint.format),
        (AddCheckpointError,),
        lambda: [
            AddCheckpoint(0, (), Note.parse(CHECKPOINT)).format(),
            AddCheckpoint(1, (LEAF,), Note.parse(COSIGNED)).format(),
        ],
        (AddCheckpoint.parse,),
        (*_NOTE_WORDS, b"old "),
        300 * KIBIBYTE,
    ),
    Target(
        "ledger.cosignature",
        _cosignature,
        (AddCheckpointError, SignatureError),
        lambda: [WITNESS.cosign(TEXT, 1).format().encode(), WITNESS.cosign(TEXT, 2**63 - 1).format().encode()],
        (parse_cosignature,),
        _NOTE_WORDS,
    ),
    Target(
        "ledger.size",
        faithful(parse_size, format_size),
        (AddCheckpointError,),
        lambda: [b"0\n", b"42\n"],
        (parse_size,),
    ),
    Target(
        "ledger.numbers",
        _numbers,
        (NoteError,),
        lambda: [b"12", b"AAAA", b"AA==", b"9223372036854775807"],
        (encoding.decode_base64, encoding.decode_decimal),
        (b"=", b"\n", b" ", "\N{ARABIC-INDIC DIGIT ONE}".encode()),
    ),
    Target(
        "ledger.der",
        _elements,
        (TimeStampError,),
        lambda: [token(), der.encode(der.SEQUENCE, bytes(200)), der.encode(der.INTEGER, b"\1")],
        (),
        _DER_WORDS,
    ),
    Target("ledger.time-stamp", _stamp, (TimeStampError,), _stamps, (TimeStamp.parse, SignedToken.parse), _DER_WORDS),
    Target(
        "ledger.tsa-roots",
        _roots,
        (TimeStampError,),
        lambda: [
            authority().root.pem + authority().signer.pem,
            authority().root.certificate.public_bytes(serialization.Encoding.DER),
        ],
        (TsaRoots.parse,),
        (b"-----BEGIN CERTIFICATE-----\n", b"-----END CERTIFICATE-----\n"),
    ),
    Target(
        "ledger.succession",
        _succession,
        (SuccessionError, SignatureError),
        lambda: [SUCCESSION.format(), Succession.of(LOG.verifier).format()],
        (Succession.parse, Succession.open),
        (*_NOTE_WORDS, b"0 "),
    ),
    Target(
        "ledger.key-file",
        _key_file,
        (KeyFileError,),
        _keys,
        (load_key, load_or_create_key),
        (b"-----BEGIN PRIVATE KEY-----\n", b"-----END PRIVATE KEY-----\n", b"-----BEGIN ENCRYPTED PRIVATE KEY-----"),
    ),
    Target(
        "ledger.monitor", _monitor, (MonitorError,), _followed, (), (b'"size":', b'"edge":[', b'"seen":', b"-1", b"1e3")
    ),
    Target("ledger.remembered", _remembered, (LogDamagedError, WitnessStateError), _checkpoints, (), _NOTE_WORDS),
)
