"""Private keys in files: Ed25519 as PKCS#8 in PEM, mode 0600, under a passphrase where one is given.

A passphrase comes out of a function that is called only when it is needed: it is never an
argument of a program, where others would see it, and never part of a message.
"""

import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.durability import sync_folder, write_new
from ledger.errors import KeyFileError, PassphraseError, PassphraseNeededError
from ledger.keys import Ed25519Signer
from ledger.pkcs8 import encrypted_pem

Passphrase = Callable[[], bytes]
"""Gives the passphrase of a key file; called at most once for each time the file is read or made."""

MIN_PASSPHRASE_BYTES = 8
"""Shortest passphrase under which a key is put (NIST SP 800-63B section 5.1.1.1)."""
MAX_PASSPHRASE_BYTES = 1024

_MODE = 0o600
_MAX_FILE_BYTES = 4096
_ENCRYPTED = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"


def load_key(path: Path, passphrase: Passphrase | None = None) -> Ed25519Signer:
    """Reads a private key file.

    Args:
        path: The key file.
        passphrase: What its key was put under; None when it lies there in the clear.

    Returns:
        The key.

    Raises:
        KeyFileError: There is no such file, it is a symbolic link, may be used by others than its
            owner, or does not hold an Ed25519 private key.
        PassphraseNeededError: The key is under a passphrase, and none was given.
        PassphraseError: The passphrase is wrong, or the key is under none.
    """
    try:
        return _load(path, passphrase)
    except FileNotFoundError as fault:
        raise KeyFileError(
            f"There is no key file {path}; give the path of the right one, or make it with `linernotes key new`."
        ) from fault


def create_key(path: Path, passphrase: Passphrase | None = None) -> Ed25519Signer:
    """Makes a private key file that did not exist.

    Args:
        path: The key file; its folder has to exist.
        passphrase: What its key is put under; None leaves it in the clear.

    Returns:
        The new key.

    Raises:
        KeyFileError: There is a file of that name, or it cannot be made.
        PassphraseError: The passphrase is too short or too long.
    """
    key = Ed25519PrivateKey.generate()
    with_key = _pem(key, passphrase)
    try:
        made = _put(path, with_key)
    except OSError as fault:
        raise _not_made(path, fault) from fault
    if not made:
        raise KeyFileError(
            f"There is a file {path} already, and a key is never written over; choose another name, or use the key "
            "that is there."
        )
    return Ed25519Signer(key)


def load_or_create_key(path: Path, passphrase: Passphrase | None = None) -> Ed25519Signer:
    """Reads a private key file, or makes it when there is none.

    The file is made under another name, made durable, and only then linked to its own name, which
    fails when the name is taken: of two processes that make it at once one wins, and both use the
    winner's key.

    Args:
        path: The key file; its folder has to exist.
        passphrase: What its key is put under; None for a key in the clear.

    Returns:
        The key.

    Raises:
        KeyFileError: The file cannot be read or made, is a symbolic link, may be used by others
            than its owner, or does not hold an Ed25519 private key.
        PassphraseNeededError: The key is under a passphrase, and none was given.
        PassphraseError: The passphrase is wrong, or the key is under none.
    """
    try:
        return _load(path, passphrase)
    except FileNotFoundError:
        pass
    try:
        _put(path, _pem(Ed25519PrivateKey.generate(), passphrase))
        return _load(path, passphrase)
    except OSError as fault:
        raise _not_made(path, fault) from fault


def passphrase_in_file(path: Path) -> Passphrase:
    """Returns what reads a passphrase from a file that only its owner may use; one last line break is left out.

    Raises:
        KeyFileError: When it is called: the file cannot be read, or others may use it.
    """

    def read() -> bytes:
        try:
            data = _read_private(path, "passphrase file", MAX_PASSPHRASE_BYTES + 3)
        except FileNotFoundError as fault:
            raise KeyFileError(f"There is no passphrase file {path}; give the path of the right one.") from fault
        return data.removesuffix(b"\n").removesuffix(b"\r")

    return read


def passphrase_in_environment(name: str) -> Passphrase:
    """Returns what reads a passphrase from an environment variable, which the same user's other programs can see.

    Raises:
        PassphraseError: When it is called: there is no such variable.
    """

    def read() -> bytes:
        value = os.environb.get(name.encode())
        if value is None:
            raise PassphraseError(f"The environment has no variable {name} to take the passphrase from; set it.")
        return value

    return read


def _load(path: Path, passphrase: Passphrase | None) -> Ed25519Signer:
    data = _read_private(path, "key file", _MAX_FILE_BYTES)
    secret = _secret_for(path, data, passphrase)
    try:
        key = serialization.load_pem_private_key(data, password=secret)
    except InternalError as fault:  # of a key of another kind, and of the wrong length: what it says is for itself
        raise KeyFileError(
            f"The key file {path} holds a key that cannot be set up: it is damaged, or of another kind than Ed25519. "
            "Restore it from its backup; a lost key cannot be made again."
        ) from fault
    except (ValueError, TypeError, UnsupportedAlgorithm) as fault:
        if secret is not None:
            raise PassphraseError(
                f"The key file {path} does not open with this passphrase: it is the wrong one, or the file is damaged "
                f"({fault}). Give the right passphrase; a key whose passphrase is forgotten cannot be got back."
            ) from fault
        raise KeyFileError(
            f"The key file {path} does not hold an unencrypted private key in PEM: {fault}. "
            "Restore it from its backup; a lost key cannot be made again."
        ) from fault
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(
            f"The key file {path} holds a key of another kind ({type(key).__name__}) where "
            "Ed25519 is needed; restore the right file from its backup."
        )
    return Ed25519Signer(key)


def _secret_for(path: Path, data: bytes, passphrase: Passphrase | None) -> bytes | None:
    """Asks for the passphrase only where one is needed; a key in the clear is not taken for one that is protected."""
    encrypted = _ENCRYPTED in data
    if encrypted and passphrase is None:
        raise PassphraseNeededError(
            f"The key file {path} does not hold an unencrypted key: it is under a passphrase, and none was given. "
            "Give it in a file or in the environment."
        )
    if not encrypted and passphrase is not None:
        raise PassphraseError(
            f"The key file {path} lies in the clear, though a passphrase was given for it: whoever can read it has the "
            f"key. Put it under the passphrase (`openssl pkcs8 -topk8 -v2 aes-256-cbc -iter 600000 -in {path}`), or "
            "give none."
        )
    return _bounded(passphrase(), shortest=1) if passphrase is not None else None


def _bounded(secret: bytes, shortest: int) -> bytes:
    if not shortest <= len(secret) <= MAX_PASSPHRASE_BYTES:
        raise PassphraseError(
            f"The passphrase has {len(secret)} bytes where {shortest} to {MAX_PASSPHRASE_BYTES} are needed; "
            "choose one of that length, best several random words, or see where it is read from."
        )
    if b"\0" in secret:  # to HMAC a zero byte at the end is as good as none
        raise PassphraseError("The passphrase holds a zero byte; choose one that can be typed.")
    return secret


def _pem(key: Ed25519PrivateKey, passphrase: Passphrase | None) -> bytes:
    if passphrase is None:
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return key.private_bytes(*form)
    return encrypted_pem(key, _bounded(passphrase(), shortest=MIN_PASSPHRASE_BYTES))


def _read_private(path: Path, what: str, longest: int) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except OSError as fault:
        hint = "it is a symbolic link" if path.is_symlink() else str(fault.strerror)
        raise KeyFileError(
            f"The {what} {path} cannot be opened: {hint}. Put the file itself there, as a plain "
            "file of the user who runs this program."
        ) from fault
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise KeyFileError(f"The {what} {path} is not a plain file; put the file itself there.")
        if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise KeyFileError(
                f"The {what} {path} may be used by others than its owner (mode "
                f"{stat.S_IMODE(status.st_mode):04o}). Treat the key as seen by them; if nobody "
                f"else uses this machine, `chmod 600 {path}` is enough."
            )
        return os.read(descriptor, longest)
    finally:
        os.close(descriptor)


def _put(path: Path, data: bytes) -> bool:
    """Makes the file durable and whole under its name, unless the name is taken; says whether it did."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        write_new(draft, data, mode=_MODE)
        try:
            os.link(draft, path)
        except FileExistsError:
            return False  # another process was faster
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(path.parent)
    return True


def _not_made(path: Path, fault: OSError) -> KeyFileError:
    return KeyFileError(
        f"The key file {path} could not be made: {fault.strerror}; check that its folder "
        "exists, can be written and is not full."
    )
