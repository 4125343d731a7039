import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ledger.durability import write_new
from ledger.errors import KeyFileError, KeyRejectedError, SignatureError
from ledger.keys import Ed25519Signer, Ed25519Verifier, load_or_create_key

PRIME = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, PRIME) % PRIME

Point = tuple[int, int]


def add(a: Point, b: Point) -> Point:
    """Adds two points of the curve (RFC 8032 section 5.1.4, affine)."""
    product = D * a[0] * b[0] * a[1] * b[1]
    x = (a[0] * b[1] + b[0] * a[1]) * pow(1 + product, -1, PRIME)
    y = (a[1] * b[1] + a[0] * b[0]) * pow(1 - product, -1, PRIME)
    return x % PRIME, y % PRIME


def multiply(factor: int, point: Point) -> Point:
    result = (0, 1)
    for bit in f"{factor:b}":
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def decode(y: int) -> Point | None:
    """Finds the point with a y coordinate and even x, if there is one."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, PRIME) % PRIME
    x = pow(square, (PRIME + 3) // 8, PRIME)
    if x * x % PRIME != square:
        x = x * pow(2, (PRIME - 1) // 4, PRIME) % PRIME
    if x * x % PRIME != square:
        return None
    return (x if x % 2 == 0 else PRIME - x), y


def small_order_points() -> set[Point]:
    points: set[Point] = set()
    for y in range(2, 60):
        if (point := decode(y)) is not None:
            torsion = multiply(ORDER, point)
            points |= {multiply(factor, torsion) for factor in range(1, 9)}
    return points


def encode(x_is_odd: int, y: int) -> bytes:
    return (y | x_is_odd << 255).to_bytes(32, "little")


def test_every_point_of_small_order_is_refused_in_every_encoding() -> None:
    points = small_order_points()
    assert len(points) == 8
    for x, y in points:
        encodings = [encode(x & 1, y)]
        if x == 0:
            encodings.append(encode(1, y))
        if y + PRIME < 2**255:
            encodings += [encode(0, y + PRIME), encode(1, y + PRIME)]
        for encoding in encodings:
            with pytest.raises(KeyRejectedError):
                Ed25519Verifier(encoding)


@pytest.mark.parametrize("y", range(PRIME, 2**255))
def test_every_encoding_that_is_not_canonical_is_refused(y: int) -> None:
    for x_is_odd in (0, 1):
        with pytest.raises(KeyRejectedError, match="canonical"):
            Ed25519Verifier(encode(x_is_odd, y))


def test_what_is_no_point_is_refused() -> None:
    refused = accepted = 0
    for y in range(2, 100):
        if decode(y) is None:
            with pytest.raises(KeyRejectedError, match="not a point"):
                Ed25519Verifier(encode(0, y))
            refused += 1
        else:
            Ed25519Verifier(encode(0, y))
            accepted += 1
    assert refused > 20
    assert accepted > 20


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_keys_of_another_length_are_refused(length: int) -> None:
    with pytest.raises(KeyRejectedError, match=f"this one has {length}"):
        Ed25519Verifier(bytes(length))


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=50))
def test_sign_and_verify(seed: bytes, message: bytes) -> None:
    signer = Ed25519Signer(Ed25519PrivateKey.from_private_bytes(seed))
    signature = signer.sign(message)
    signer.verifier.verify(message, signature)
    with pytest.raises(SignatureError, match=signer.keyid):
        signer.verifier.verify(message + b"!", signature)
    with pytest.raises(SignatureError):
        signer.verifier.verify(message, signature[:-1])


def test_key_of_rfc_8032() -> None:
    """Test 2 of RFC 8032 section 7.1."""
    seed = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    signer = Ed25519Signer(Ed25519PrivateKey.from_private_bytes(seed))
    public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    assert signer.verifier.public_key.hex() == public
    assert signer.sign(b"\x72").hex().startswith("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8f")


def test_repr_shows_nothing_private() -> None:
    signer = Ed25519Signer.generate()
    assert "private" not in repr(signer)


def test_a_key_file_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "log.pem"
    key = load_or_create_key(path)
    assert load_or_create_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert [entry.name for entry in tmp_path.iterdir()] == ["log.pem"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o777])
def test_a_key_file_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "log.pem"
    load_or_create_key(path)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=rf"mode {mode:04o}\).*chmod 600"):
        load_or_create_key(path)


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    load_or_create_key(tmp_path / "other.pem")
    link = tmp_path / "log.pem"
    for target in ("other.pem", "missing.pem"):
        link.symlink_to(target)
        with pytest.raises(KeyFileError, match="symbolic link"):
            load_or_create_key(link)
        link.unlink()


def test_what_is_no_plain_file_is_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.pem"
    os.mkfifo(pipe, 0o600)
    folder = tmp_path / "folder.pem"
    folder.mkdir(0o700)
    for path in (pipe, folder):
        with pytest.raises(KeyFileError, match="not a plain file"):
            load_or_create_key(path)


def test_a_damaged_key_file_is_kept_and_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.pem"
    path.touch(0o600)
    for content in (b"", b"not a key", b"-----BEGIN PRIVATE KEY-----\n", b"x" * 10_000):
        path.write_bytes(content)
        with pytest.raises(KeyFileError, match="does not hold an unencrypted private key"):
            load_or_create_key(path)
        assert path.read_bytes() == content


def test_keys_of_another_kind_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.pem"
    path.touch(0o600)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    key = ec.generate_private_key(ec.SECP256R1())
    path.write_bytes(key.private_bytes(*form, serialization.NoEncryption()))
    with pytest.raises(KeyFileError, match="another kind"):
        load_or_create_key(path)
    locked = Ed25519PrivateKey.generate()
    path.write_bytes(locked.private_bytes(*form, serialization.BestAvailableEncryption(b"pass")))
    with pytest.raises(KeyFileError, match="unencrypted"):
        load_or_create_key(path)


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"nowhere.*check that its folder exists"):
        load_or_create_key(tmp_path / "nowhere" / "log.pem")


def test_a_faster_process_keeps_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, elsewhere = tmp_path / "log.pem", tmp_path / "rival.pem"
    rival = load_or_create_key(elsewhere)

    def write_after_the_rival(draft: Path, data: bytes, *, mode: int) -> None:
        elsewhere.rename(path)
        write_new(draft, data, mode=mode)

    monkeypatch.setattr("ledger.keys.write_new", write_after_the_rival)
    assert load_or_create_key(path) == rival
    assert [entry.name for entry in tmp_path.iterdir()] == ["log.pem"]


def test_processes_that_race_agree_on_one_key(tmp_path: Path) -> None:
    path = tmp_path / "log.pem"
    program = (
        "import sys; from pathlib import Path; from ledger.keys import load_or_create_key\n"
        "sys.stdin.readline(); print(load_or_create_key(Path(sys.argv[1])).keyid)"
    )
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    answers = {racer.communicate("go\n")[0] for racer in racers}
    assert answers == {load_or_create_key(path).keyid + "\n"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["log.pem"]
