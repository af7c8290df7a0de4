"""Keys in ds:KeyInfo, each kind we know read exactly and the others noted; and what each says of a value."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lxml import etree

from gateway.signatures import keys
from gateway.signatures.algorithms import Method, fits, verifies
from gateway.signatures.reasons import Refusal
from gateway.signatures.structure import DEFAULT_BOUNDS, Bounds
from schemas import xmldoc
from schemas.xmldoc import DS

DS11 = "http://www.w3.org/2009/xmldsig11#"
POINT = ec.generate_private_key(ec.SECP256R1()).public_key()
OWN = dsa.generate_private_key(1024)  # short, because its parameters are sought anew
NUMBERS = OWN.public_key()
MODULUS = rsa.generate_private_key(65537, 2048).public_key()


def encoded(number: int) -> str:
    return base64.b64encode(number.to_bytes((number.bit_length() + 7) // 8, "big")).decode()


def ec_value(curve: str = "urn:oid:1.2.840.10045.3.1.7", point: str | None = None) -> str:
    octets = POINT.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    public = base64.b64encode(octets).decode() if point is None else point
    return f'<ECKeyValue xmlns="{DS11}"><NamedCurve URI="{curve}"/><PublicKey>{public}</PublicKey></ECKeyValue>'


def dsa_value(without: str = "") -> str:
    given = NUMBERS.public_numbers()
    numbers = {"P": given.parameter_numbers.p, "Q": given.parameter_numbers.q, "G": given.parameter_numbers.g,
               "Y": given.y}  # fmt: skip
    parts = "".join(f"<{name}>{encoded(one)}</{name}>" for name, one in numbers.items() if name != without)
    return f"<DSAKeyValue>{parts}</DSAKeyValue>"


def rsa_value(exponent: str = "AQAB") -> str:
    modulus = encoded(MODULUS.public_numbers().n)
    return f"<RSAKeyValue><Modulus>{modulus}</Modulus><Exponent>{exponent}</Exponent></RSAKeyValue>"


def read(*values: str, bounds: Bounds = DEFAULT_BOUNDS) -> keys.KeyInfo:
    inner = "".join(f"<KeyValue>{value}</KeyValue>" for value in values)
    return keys.read(element(inner), bounds)


def element(inner: str) -> etree._Element:
    return xmldoc.parse(f'<KeyInfo xmlns="{DS}">{inner}</KeyInfo>'.encode()).getroot()


@pytest.mark.parametrize(
    ("written", "key"), [(ec_value(), POINT), (dsa_value(), NUMBERS), (rsa_value(), MODULUS)], ids=["ec", "dsa", "rsa"]
)
def test_a_bare_key_is_read_as_it_is(written: str, key: keys.PublicKey) -> None:
    found = read(written)
    assert (found.values, found.notes, found.certificates) == ((key,), (), ())


@pytest.mark.parametrize(
    ("written", "code"),
    [
        (ec_value(point="BAAA"), "signature.malformed"),  # no point of the curve
        (ec_value(curve="urn:oid:1.2.3"), "signature.algorithm_refused"),
        (dsa_value(without="G"), "signature.malformed"),
        (rsa_value(exponent="AA=="), "signature.malformed"),
        (rsa_value(exponent="A" * 70_000), "signature.too_costly"),
        ("<PGPKeyValue/>", "signature.algorithm_refused"),
    ],
)
def test_a_key_that_cannot_be_read_is_noted_and_the_next_one_still_counts(written: str, code: str) -> None:
    found = read(written, ec_value())
    assert [note.code for note in found.notes] == [code]
    assert found.values == (POINT,)


def test_a_certificate_that_is_none_or_far_too_long_is_noted() -> None:
    for inner, code in (("QUJD", "signature.malformed"), ("A" * 70_000, "signature.too_costly")):
        found = keys.read(element(f"<X509Data><X509Certificate>{inner}</X509Certificate></X509Data>"), DEFAULT_BOUNDS)
        assert ([note.code for note in found.notes], found.certificates) == ([code], ())


def test_more_keys_than_anybody_needs_are_refused() -> None:
    with pytest.raises(Refusal) as caught:
        read(ec_value(), ec_value(), ec_value(), bounds=Bounds(certificates=2))
    assert caught.value.reason.code == "signature.too_many"
    assert len(read(ec_value(), ec_value(), bounds=Bounds(certificates=2)).values) == 2


def test_a_key_elsewhere_is_never_fetched() -> None:
    found = keys.read(element('<RetrievalMethod URI="http://example.invalid/key"/>'), DEFAULT_BOUNDS)
    assert [note.code for note in found.notes] == ["signature.reference_refused"]


DATA = "treść podpisu".encode()


def side_by_side(der: bytes, octets: int) -> bytes:
    """r and s of a DER signature as XML wants them."""
    return b"".join(number.to_bytes(octets, "big") for number in decode_dss_signature(der))


def dsa_signed() -> tuple[keys.PublicKey, bytes, Method]:
    width = OWN.parameters().parameter_numbers().q.bit_length() // 8
    return OWN.public_key(), side_by_side(OWN.sign(DATA, SHA256()), width), Method("dsa", SHA256())


def ec_signed(curve: ec.EllipticCurve) -> tuple[keys.PublicKey, bytes, Method]:
    own = ec.generate_private_key(curve)
    value = side_by_side(own.sign(DATA, ec.ECDSA(SHA256())), (curve.key_size + 7) // 8)
    return own.public_key(), value, Method("ecdsa", SHA256())


@pytest.mark.parametrize(
    ("key", "value", "method"), [dsa_signed(), ec_signed(ec.SECP256R1()), ec_signed(ec.SECP521R1())],
    ids=["dsa", "p256", "p521"],
)  # fmt: skip
def test_a_value_holds_for_its_data_and_no_other(key: keys.PublicKey, value: bytes, method: Method) -> None:
    assert fits(method, key)
    assert verifies(method, key, value, DATA)
    assert not verifies(method, key, value, DATA + b" ")
    assert not verifies(method, key, value[:-1] + bytes([value[-1] ^ 1]), DATA)
    assert not verifies(method, key, b"\0" + value, DATA)  # of another length than the key's


def test_a_curve_nobody_agreed_on_is_refused() -> None:
    key, value, method = ec_signed(ec.SECP256K1())
    with pytest.raises(Refusal) as caught:
        verifies(method, key, value, DATA)
    assert caught.value.reason.code == "signature.algorithm_refused"
