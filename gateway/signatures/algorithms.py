"""Allow-lists by name: digests, signature methods, canonicalizations. What is not here is refused.

`weak` ones are computed, so that intactness can be told, but a policy must allow them for a signature to pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from lxml import etree

from gateway.signatures.reasons import Refusal

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | dsa.DSAPublicKey

_DS = "http://www.w3.org/2000/09/xmldsig#"
_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
_MORE07 = "http://www.w3.org/2007/05/xmldsig-more#"
_ENC = "http://www.w3.org/2001/04/xmlenc#"
_MAX_RSA_BITS = 16384
_MAX_DSA_BITS = 4096


@dataclass(frozen=True, slots=True)
class Digest:
    """A digest by its hashlib name."""

    name: str
    weak: bool = False


@dataclass(frozen=True, slots=True)
class Method:
    """A signature method: family and hash; for PSS the salt's length and the mask's hash where they differ from it."""

    family: Literal["rsa", "pss", "ecdsa", "dsa"]
    hash: hashes.HashAlgorithm
    weak: bool = False
    salt_octets: int | None = None
    mask_hash: hashes.HashAlgorithm | None = None


@dataclass(frozen=True, slots=True)
class Canonicalization:
    """A C14N variant. `version` tells 1.0 from 1.1 for inclusive ones."""

    exclusive: bool
    comments: bool
    version: Literal["1.0", "1.1"] = "1.0"


DIGESTS = {
    _MORE + "md5": Digest("md5", weak=True),
    _DS + "sha1": Digest("sha1", weak=True),
    _MORE + "sha224": Digest("sha224", weak=True),
    _ENC + "sha256": Digest("sha256"),
    _MORE + "sha384": Digest("sha384"),
    _ENC + "sha512": Digest("sha512"),
    _MORE07 + "sha3-256": Digest("sha3_256"),
    _MORE07 + "sha3-384": Digest("sha3_384"),
    _MORE07 + "sha3-512": Digest("sha3_512"),
}

METHODS = {
    _MORE + "rsa-md5": Method("rsa", hashes.MD5(), weak=True),  # noqa: S303 - judged, never trusted
    _DS + "rsa-sha1": Method("rsa", hashes.SHA1(), weak=True),  # noqa: S303 - judged, trusted only where a policy says so
    _MORE + "rsa-sha224": Method("rsa", hashes.SHA224(), weak=True),
    _MORE + "rsa-sha256": Method("rsa", hashes.SHA256()),
    _MORE + "rsa-sha384": Method("rsa", hashes.SHA384()),
    _MORE + "rsa-sha512": Method("rsa", hashes.SHA512()),
    _MORE07 + "sha1-rsa-MGF1": Method("pss", hashes.SHA1(), weak=True),  # noqa: S303
    _MORE07 + "sha224-rsa-MGF1": Method("pss", hashes.SHA224(), weak=True),
    _MORE07 + "sha256-rsa-MGF1": Method("pss", hashes.SHA256()),
    _MORE07 + "sha384-rsa-MGF1": Method("pss", hashes.SHA384()),
    _MORE07 + "sha512-rsa-MGF1": Method("pss", hashes.SHA512()),
    _MORE + "ecdsa-sha1": Method("ecdsa", hashes.SHA1(), weak=True),  # noqa: S303
    _MORE + "ecdsa-sha224": Method("ecdsa", hashes.SHA224(), weak=True),
    _MORE + "ecdsa-sha256": Method("ecdsa", hashes.SHA256()),
    _MORE + "ecdsa-sha384": Method("ecdsa", hashes.SHA384()),
    _MORE + "ecdsa-sha512": Method("ecdsa", hashes.SHA512()),
    _DS + "dsa-sha1": Method("dsa", hashes.SHA1(), weak=True),  # noqa: S303
    "http://www.w3.org/2009/xmldsig11#dsa-sha256": Method("dsa", hashes.SHA256(), weak=True),
}

PSS_WITH_PARAMETERS = _MORE07 + "rsa-pss"
PSS_PARAMETERS = f"{{{_MORE07}}}RSAPSSParams"
_PSS_HASHES: dict[str, hashes.HashAlgorithm] = {
    _ENC + "sha256": hashes.SHA256(),
    _MORE + "sha384": hashes.SHA384(),
    _ENC + "sha512": hashes.SHA512(),
}

CANONICALIZATIONS = {
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315": Canonicalization(False, False),
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments": Canonicalization(False, True),
    "http://www.w3.org/2006/12/xml-c14n11": Canonicalization(False, False, "1.1"),
    "http://www.w3.org/2006/12/xml-c14n11#WithComments": Canonicalization(False, True, "1.1"),
    "http://www.w3.org/2001/10/xml-exc-c14n#": Canonicalization(True, False),
    "http://www.w3.org/2001/10/xml-exc-c14n#WithComments": Canonicalization(True, True),
}

DEFAULT_CANONICALIZATION = Canonicalization(False, False)

_CURVES = {"secp256r1": ec.SECP256R1(), "secp384r1": ec.SECP384R1(), "secp521r1": ec.SECP521R1()}
CURVE_OIDS = {"1.2.840.10045.3.1.7": "secp256r1", "1.3.132.0.34": "secp384r1", "1.3.132.0.35": "secp521r1"}


def pss(parameters: etree._Element | None) -> Method | None:
    """RSASSA-PSS as its parameters say (RFC 9231, 2.3.9); None for any we do not know. All have SHA-256 as default."""
    found: dict[str, str] = {}
    mask_digest = _ENC + "sha256"
    for child in () if parameters is None else parameters.iterchildren("{*}*"):
        name = str(child.tag).rpartition("}")[2]
        found[name] = child.get("Algorithm") or (child.text or "").strip()
        for inner in child.iterchildren("{*}DigestMethod"):
            mask_digest = inner.get("Algorithm", "")
    main, mask = _PSS_HASHES.get(found.pop("DigestMethod", _ENC + "sha256")), _PSS_HASHES.get(mask_digest)
    salt = found.pop("SaltLength", None)
    known = found.pop("MaskGenerationFunction", _MORE07 + "MGF1") == _MORE07 + "MGF1"
    known = known and found.pop("TrailerField", "1") == "1" and not found
    if not known or main is None or mask is None or (salt is not None and not (salt.isdecimal() and int(salt) <= 512)):
        return None
    return Method("pss", main, salt_octets=None if salt is None else int(salt), mask_hash=mask)


def curve(name: str) -> ec.EllipticCurve:
    """A curve by its name or OID. Raises Refusal for any we do not know."""
    known = _CURVES.get(CURVE_OIDS.get(name, name))
    if known is None:
        raise Refusal("signature.algorithm_refused", algorithm=name[:80])
    return known


def fits(method: Method, key: PublicKey) -> bool:
    """Whether this key is of the kind the method asks for."""
    if isinstance(key, rsa.RSAPublicKey):
        return method.family in ("rsa", "pss")
    return method.family == ("dsa" if isinstance(key, dsa.DSAPublicKey) else "ecdsa")


def verifies(method: Method, key: PublicKey, value: bytes, data: bytes) -> bool:
    """Whether `value` is this key's signature over `data`; ECDSA and DSA as r and s side by side, nothing else."""
    try:
        if isinstance(key, rsa.RSAPublicKey):
            if len(value) != (key.key_size + 7) // 8 or key.key_size > _MAX_RSA_BITS:
                return False
            scheme: padding.AsymmetricPadding = padding.PKCS1v15()
            if method.family == "pss":
                salt = method.hash.digest_size if method.salt_octets is None else method.salt_octets
                scheme = padding.PSS(padding.MGF1(method.mask_hash or method.hash), salt)
            key.verify(value, data, scheme, method.hash)
        elif isinstance(key, dsa.DSAPublicKey):
            if key.key_size > _MAX_DSA_BITS:
                return False
            key.verify(_der(value, (key.parameters().parameter_numbers().q.bit_length() + 7) // 8), data, method.hash)
        else:
            if key.curve.name not in _CURVES:
                raise Refusal("signature.algorithm_refused", algorithm=key.curve.name)
            key.verify(_der(value, (key.key_size + 7) // 8), data, ec.ECDSA(method.hash))
    except (InvalidSignature, ValueError):
        return False
    return True


def _der(value: bytes, size: int) -> bytes:
    r, s = int.from_bytes(value[:size], "big"), int.from_bytes(value[size:], "big")
    if len(value) != 2 * size or not r or not s:
        raise InvalidSignature
    return encode_dss_signature(r, s)
