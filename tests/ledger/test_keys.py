import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import KeyRejectedError, SignatureError
from ledger.keys import Ed25519Signer, Ed25519Verifier

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


@pytest.mark.parametrize(
    "encoding",
    [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ],
)
def test_the_encodings_of_taming_the_many_eddsas_are_refused(encoding: str) -> None:
    """Chalkias, Garillot, Nikolaenko, SSR 2020: all fourteen encodings of small-order points."""
    with pytest.raises(KeyRejectedError):
        Ed25519Verifier(bytes.fromhex(encoding))


def test_a_signature_cannot_be_given_a_second_form() -> None:
    """RFC 8032 section 5.1.7: S is below the order of the group, so S + L, which is as good, is refused."""
    key = Ed25519Signer(Ed25519PrivateKey.from_private_bytes(bytes(32)))
    signature = key.sign(b"message")
    scalar = int.from_bytes(signature[32:], "little") + ORDER
    with pytest.raises(SignatureError):
        key.verifier.verify(b"message", signature[:32] + scalar.to_bytes(32, "little"))


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
