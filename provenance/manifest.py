"""C2PA manifests in audio files: writing one into a file, and reading what a file carries.

The only module that knows c2pa. It never uses the network: fetching of remote manifests, revocation
answers and identity documents is switched off and every host is refused besides. Contexts and signers
cost a tenth of a millisecond and do not survive a fork, so each call makes its own.

What "intact" means: the engine found the claim's signature, every assertion and the audio unchanged, and
the bytes of the store that C2PA leaves unsigned have the only values they may have (``provenance.jumbf``).
In m4a files the list of compatible brands (``ftyp``) is left out by C2PA itself. Whether the signer can be
trusted is a separate question that needs the reader's own trust anchors.
"""

from __future__ import annotations

import hashlib
import io
import json
import mmap
import os
import re
import secrets
import signal
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, TypeVar

from c2pa import Builder, C2paError, C2paSignerInfo, Context, Reader, Signer

from provenance.anchor import require_anchors
from provenance.assertion import (
    ACTIONS,
    INGREDIENT,
    LEDGER,
    SOFT_BINDING,
    TRAINING_MINING,
    LedgerEvidence,
    MiningPermission,
    ModelReference,
    SoftwareAgent,
    TrainingMining,
)
from provenance.container import MAX_STORE_BYTES, media_type_of
from provenance.errors import CredentialError, ManifestError
from provenance.jumbf import STORE_MARK
from provenance.manifest_draft import PARENT, ManifestDraft
from provenance.manifest_report import Failure, ManifestReport, SignerIdentity, report_from, unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from provenance.credential import Credential
    from provenance.identity import Digest

__all__ = [
    "EmbeddedManifest",
    "Failure",
    "LedgerEvidence",
    "ManifestDraft",
    "ManifestReport",
    "MiningPermission",
    "ModelReference",
    "SignerIdentity",
    "SoftwareAgent",
    "TrainingMining",
    "embed",
    "read",
]

_PARENT_INGREDIENT: Final = json.dumps({"label": PARENT, "title": "Parent recording", "relationship": "parentOf"})

# What the engine raises once it has found a store; a container it cannot read raises others.
_ABOUT_CREDENTIALS: Final = (
    C2paError.Assertion,
    C2paError.AssertionNotFound,
    C2paError.Decoding,
    C2paError.Signature,
    C2paError.Verify,
)

_OFFLINE_CORE: Final = {
    "allowed_network_hosts": [],
    "decode_identity_assertions": False,
    "max_decompressed_manifest_size_in_mb": MAX_STORE_BYTES // 2**20,
}
_OFFLINE_CHECKS: Final = {"remote_manifest_fetch": False, "ocsp_fetch": False}
_SIGNING_CHECKS: Final = {
    # Cheap: it checks the certificate and the assertions, not the audio's hash over again.
    "verify_after_sign": True,
    "verify_trust": False,
}
_BUILDING: Final = {
    "thumbnail": {"enabled": False},
    # Whatever is not named here would be a gathered assertion, which the signer does not answer for.
    "created_assertion_labels": [
        re.sub(r"\.v\d+$", "", label) for label in (ACTIONS, SOFT_BINDING, TRAINING_MINING, LEDGER, INGREDIENT)
    ],
    # The default leaves free space in m4a files out of the hash.
    "bmff_hash_exclude_free_and_skip_boxes": False,
}

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class EmbeddedManifest:
    """A manifest that lies in a file.

    Attributes:
        manifest_id: Its ``urn:c2pa:`` name.
        manifest_bytes_size: Size of the whole manifest store, in bytes.
        asset_digest: SHA-256 of the file that carries it.
    """

    manifest_id: str
    manifest_bytes_size: int
    asset_digest: Digest


def embed(
    source: Path | BinaryIO,
    target: Path,
    draft: ManifestDraft,
    credential: Credential,
    parent: Path | None = None,
) -> EmbeddedManifest:
    """Write an audio file with a signed manifest in it.

    The target appears at once and whole, or not at all: its bytes are on the disk before it has its name.

    Args:
        source: Audio without credentials: wav, flac, mp3 or m4a; or a stream of it, which is taken to be
            freshly encoded and is not searched for credentials.
        target: The file to make or replace; of the source's format.
        draft: What the manifest says.
        credential: Who signs.
        parent: For an edit, the signed file of the recording that was edited.

    Returns:
        The manifest's name and size and the digest of the new file.

    Raises:
        UnsupportedMediaError: The source cannot carry a manifest.
        CredentialError: The engine refuses the certificate or the key.
        ManifestError: The source carries credentials already, the parent carries none or was
            altered, draft and parent do not go together, or the target cannot be written.
        OSError: The source or the parent cannot be read.
    """
    if bool(draft.edits) != (parent is not None):
        raise ManifestError(
            "An edited recording needs both a description of each edit and the signed file of its parent; a new "
            f"recording has neither. There are {len(draft.edits)} edits and {'no' if parent is None else 'a'} parent."
        )
    if parent is not None:
        _require_intact(parent)
    if isinstance(source, Path) and _uninterrupted(lambda: _carries_store(source)):
        raise ManifestError(
            f"{source} carries credentials already, and signing it again would drop them. Give the bare audio as the "
            "source, and the signed file as the parent."
        )
    manifest_id = f"urn:c2pa:{uuid.uuid4()}"
    partial = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        store_size = _uninterrupted(
            lambda: _sign(source, partial, draft.to_definition(manifest_id), credential, parent)
        )
        asset_digest = _put_in_place(partial, target)
    except _WriteError as error:
        raise ManifestError(
            f"{target} cannot be written: {error}. Check that the disk has room and that the folder is writable."
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    return EmbeddedManifest(manifest_id, store_size, asset_digest)


def read(path: Path, trust_anchors: bytes | None = None) -> ManifestReport | None:
    """Read and check the manifest that an audio file carries.

    Args:
        path: A wav, flac, mp3 or m4a file.
        trust_anchors: PEM certificates of the authorities the reader trusts.

    Returns:
        The report, or None when the file carries no credentials. Credentials that are damaged
        beyond reading have a report too: it is not intact. A manifest that lies on a server is not
        fetched, and counts as none.

    Raises:
        UnsupportedMediaError: The file is not in one of the four formats.
        CredentialError: The trust anchors are not PEM certificates.
        ManifestError: The file is damaged so that nobody can tell whether there are credentials,
            or it has more than 16 MiB of them.
        OSError: The file cannot be read.
    """
    if trust_anchors is not None:
        require_anchors(trust_anchors)
    return _uninterrupted(lambda: _read(path, trust_anchors) if _carries_store(path) else None)


def _uninterrupted(call: Callable[[], Result]) -> Result:
    """Run an engine call where Ctrl-C cannot cut its file accesses short.

    The engine reads and writes through Python callbacks. A KeyboardInterrupt raised in one of them is
    swallowed and looks like the end of the file: a shortened copy would be signed. Python handles signals in
    the main thread only, so there an interrupt is remembered and passed on when the call is over. (Running
    the call in another thread would do as well, and doubles its time.)
    """
    if threading.current_thread() is not threading.main_thread():
        return call()
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: came.append(number))
    try:
        return call()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)
        if came:
            signal.raise_signal(signal.SIGINT)


def _carries_store(path: Path) -> bool:
    """Tell whether there is an embedded store, reading no more of the file than one may have."""
    with path.open("rb") as file:
        media_type = media_type_of(file, str(path))
    with _Rationed(path) as file, _context(verify={"verify_after_reading": False}) as context:
        try:
            Reader(media_type, file, context=context).close()
        except C2paError as error:
            _require_rations(file, path)
            # The library has no type for a manifest that lies on a server.
            if isinstance(error, C2paError.ManifestNotFound) or str(error).startswith("Remote"):
                return False
            if not isinstance(error, _ABOUT_CREDENTIALS) and not _bears_mark(path):
                raise ManifestError(
                    f"{path} is damaged: the C2PA engine says {str(error)[:300]!r}. Get it again from where it was "
                    "handed out."
                ) from error
        _require_rations(file, path)
        return True


def _bears_mark(path: Path) -> bool:
    """Tell whether the description that begins every manifest store occurs in a file."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data.find(STORE_MARK) >= 0


def _require_rations(file: _Rationed, path: Path) -> None:
    if file.exhausted:
        raise ManifestError(
            f"{path} carries more than {MAX_STORE_BYTES} bytes of credentials or tags; that is more than any real file "
            "needs, and they are not read."
        )


def _read(path: Path, trust_anchors: bytes | None) -> ManifestReport:
    trust = {} if trust_anchors is None else {"trust_anchors": trust_anchors.decode("ascii", "replace")}
    with (
        path.open("rb") as file,
        _context(verify={"verify_trust": trust_anchors is not None}, trust=trust) as context,
    ):
        media_type = media_type_of(file, str(path))
        try:
            with Reader(media_type, file, context=context) as reader:
                document = json.loads(reader.detailed_json())
        except C2paError as error:
            return unreadable(str(error)[:300], anchored=trust_anchors is not None)
        return report_from(document, file, media_type, anchored=trust_anchors is not None)


def _require_intact(parent: Path) -> None:
    report = read(parent)
    if report is None:
        raise ManifestError(
            f"{parent} carries no credentials, so a manifest cannot name it as its parent. Give the signed file that "
            "the edit began from."
        )
    if not report.intact:
        raise ManifestError(
            f"{parent} was altered after it was signed ({report.failures[0].code}), so it cannot be the parent of a "
            "recording. Give the file as it was handed out."
        )


def _sign(source: Path | BinaryIO, target: Path, definition: str, credential: Credential, parent: Path | None) -> int:
    """Write the signed copy and return the size of its store, in bytes."""
    with (
        source.open("rb") if isinstance(source, Path) else nullcontext(source) as bare,
        _context(verify=_SIGNING_CHECKS, builder=_BUILDING) as context,
        _native_signer(credential) as signer,
    ):
        media_type = media_type_of(bare, str(source))
        bare.seek(0)
        try:
            with _Target(_new_file(target)) as signed, Builder(definition, context) as builder:
                if parent is not None:
                    with parent.open("rb") as file:
                        builder.add_ingredient(_PARENT_INGREDIENT, media_type_of(file, str(parent)), file)
                return len(builder.sign(signer, media_type, bare, signed))
        except C2paError as error:
            if isinstance(error, C2paError.Signature) or re.search("certificate|signingCredential", str(error)):
                raise _refused(error) from error
            raise ManifestError(
                f"{source} cannot be signed: the C2PA engine says {str(error)[:300]!r}. Check that it is a whole "
                f"{media_type} file."
            ) from error


def _context(*, verify: Mapping[str, object], **sections: Mapping[str, object]) -> Context:
    return Context.from_json(json.dumps({"core": _OFFLINE_CORE, "verify": {**_OFFLINE_CHECKS, **verify}, **sections}))


def _native_signer(credential: Credential) -> Signer:
    try:
        return Signer.from_info(
            C2paSignerInfo(credential.algorithm, credential.certificate_chain, credential.private_key, None)
        )
    except C2paError as error:
        raise _refused(error) from error


def _put_in_place(partial: Path, target: Path) -> Digest:
    """Give a written file its name once its bytes are on the disk, and return its digest."""
    try:
        with partial.open("rb", buffering=0) as file, ThreadPoolExecutor(1) as beside:
            synced = beside.submit(os.fsync, file.fileno())
            digest: Digest = "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[assignment] # its module costs 0.1 s to import
            synced.result()
        partial.replace(target)
    except OSError as error:
        raise _WriteError(error.strerror or str(error)) from error
    return digest


def _refused(error: C2paError) -> CredentialError:
    return CredentialError(
        f"The C2PA engine refuses to sign with this certificate and key: {str(error)[:300]!r}. Load the credential "
        "again to see what is wrong with it, or use another one."
    )


class _WriteError(Exception):
    """The target cannot be written; the message is the system's."""


class _Rationed(io.FileIO):
    """A file of which only as much can be read as a store may have."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "rb")
        self.exhausted = False
        self._left = MAX_STORE_BYTES

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override] # the engine gives nothing else
        self._left -= len(buffer)
        if self._left < 0:
            self.exhausted = True
            raise OSError("the ration is used up")
        return super().readinto(buffer)


class _Target(io.BufferedRandom):
    """A file to write that says why it could not be written; the engine only says that it could not."""

    _failure: OSError | None = None

    def write(self, data: bytes, /) -> int:  # type: ignore[override] # the engine gives nothing else
        try:
            return super().write(data)
        except OSError as error:
            self._failure = error
            raise

    def close(self) -> None:
        try:
            super().close()
        except OSError as error:
            self._failure = error
        if self._failure is not None:
            raise _WriteError(self._failure.strerror or str(self._failure)) from self._failure


def _new_file(path: Path) -> io.FileIO:
    try:
        return io.FileIO(path, "x+b")
    except OSError as error:
        raise _WriteError(error.strerror or str(error)) from error
