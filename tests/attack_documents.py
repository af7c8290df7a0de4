"""How the documents of known attacks are made: each takes an honest one and does one thing to it."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.simulate import citizens, pki, xmlsign
from schemas.xmldoc import XADES
from tests.signing import ENVELOPED, MARK, NOT_SIGNATURE, Recipe, Target, c14n, sign

EVIL = "EVIL"


LETTER = '<?xml version="1.0" encoding="UTF-8"?>\n<a xmlns="urn:letter"><text>signed</text></a>'


IN_ROOT = "<a Id='doc'><text>signed</text>@SIGNATURE@</a>"


PROPERTIES_TYPE = xmlsign.SIGNED_PROPERTIES_TYPE


def whole() -> str:
    """A letter signed as a whole, the honest way."""
    return sign(LETTER).decode()


def by_id() -> tuple[str, str]:
    """A document signed by the Id of its root; and its signature element."""
    signed = sign(IN_ROOT, Recipe(targets=(Target("#doc", ENVELOPED + c14n("exc")),))).decode()
    return signed, re.search(r"<ds:Signature .*</ds:Signature>", signed, re.DOTALL)[0]  # type: ignore[index]


def referring_to(uri: str) -> Callable[[], bytes]:
    """A letter whose signature also covers something elsewhere."""
    return lambda: sign(LETTER, Recipe(targets=(Target(), Target(uri, ""))), {uri: b""})


def doctype(subset: str, *, system: str = "") -> Callable[[], bytes]:
    return lambda: whole().replace("?>\n", f"?>\n<!DOCTYPE a {system}[{subset}]>", 1).encode()


def with_transforms(transforms: str, uri: str = "") -> Callable[[], bytes]:
    return lambda: sign(LETTER, Recipe(targets=(Target(uri, transforms),)))


def changed(pattern: str, replacement: str | Callable[[re.Match[str]], str]) -> Callable[[], bytes]:
    """An honestly signed letter with the first match replaced."""

    def document() -> bytes:
        changed, count = re.subn(pattern, replacement, whole(), count=1, flags=re.DOTALL)
        assert count == 1
        return changed.encode()

    return document


def wrapped(build: Callable[[str, str, str], str]) -> Callable[[], bytes]:
    """Move a signed element: `build` gets the signed document, its signature, and it without the signature."""

    def document() -> bytes:
        signed, signature = by_id()
        return build(signed, signature, signed.replace(signature, "")).encode()

    return document


def inside(signature: str, what: str, before: str = "</ds:Signature>") -> str:
    head, tail, rest = signature.rpartition(before)
    return head + what + tail + rest


WRAPPINGS: dict[str, Callable[[str, str, str], str]] = {
    "XSW2, the original before the signature": lambda _d, s, o: f"<a Id='evil'><text>{EVIL}</text>{o}{s}</a>",
    "XSW3, the signed document first": lambda d, _s, _o: f"<a Id='evil'>{d}<text>{EVIL}</text></a>",
    "XSW4, the signed document last": lambda d, _s, _o: f"<a Id='evil'><text>{EVIL}</text>{d}</a>",
    "XSW5, the signature taken over": lambda _d, s, o: f"<r><a Id='evil'><text>{EVIL}</text>{s}</a>{o}</r>",
    "XSW7, evil in an extension": lambda d, _s, _o: f"<r><x><a Id='evil'><text>{EVIL}</text></a></x>{d}</r>",
    "a document in a document": lambda d, _s, _o: f"<a Id='outer'><text>{EVIL}</text><attachment>{d}</attachment></a>",
}


SWALLOWED: dict[str, Callable[[str, str, str], str]] = {  # enveloped-signature then leaves nothing of it
    "XSW1, the original in the signature": lambda _d, s, o: (
        f"<a Id='evil'><text>{EVIL}</text>{inside(s, f'<ds:Object>{o}</ds:Object>')}</a>"
    ),
    "XSW6, the original in KeyInfo": lambda _d, s, o: (
        f"<a Id='evil'><text>{EVIL}</text>{inside(s, f'<x>{o}</x>', '</ds:KeyInfo>')}</a>"
    ),
    "XSW8, the original in an Object of its own": lambda _d, s, o: (
        f"<a Id='evil'><text>{EVIL}</text>{inside(s, f'<ds:Object><x>{o}</x></ds:Object>')}</a>"
    ),
}


def duplicated(attribute: str) -> Callable[[], bytes]:
    def document() -> bytes:
        signed = sign(
            "<a xmlns:e='urn:e'><text Id='t'>signed</text><x/>@SIGNATURE@</a>",
            Recipe(targets=(Target("#t", c14n("exc")), Target("", ENVELOPED))),
        ).decode()
        return signed.replace("<x/>", f"<text {attribute}='t'>{EVIL}</text>").encode()

    return document


def properties(inner: str = "", *, target: str = "sig", id_: str = "sp", time: str = "2026-02-03T10:11:12Z") -> str:
    return (
        f'<ds:Object><x:QualifyingProperties xmlns:x="{XADES}" Target="#{target}"><x:SignedProperties Id="{id_}">'
        f"<x:SignedSignatureProperties><x:SigningTime>{time}</x:SigningTime>{inner}</x:SignedSignatureProperties>"
        "</x:SignedProperties></x:QualifyingProperties></ds:Object>"
    )


COVERED = Target("#sp", c14n("exc"), type=PROPERTIES_TYPE)


def with_properties(objects: str, *targets: Target) -> Callable[[], bytes]:
    return lambda: sign(LETTER, Recipe(targets=(Target(), *targets), objects=objects))


def second_properties() -> bytes:
    """A second QualifyingProperties in the same signature, as if it were the signed one."""
    signed = sign(LETTER, Recipe(targets=(Target(), COVERED), objects=properties())).decode()
    return inside(signed, properties(id_="sp2", time="2020-01-01T00:00:00Z")).encode()


def foreign_properties() -> bytes:
    """Another signature's signed properties put where this one has none."""
    other = properties(target="other", id_="other-sp", time="2020-01-01T00:00:00Z")
    return inside(whole(), other).encode()


def foreign_binding() -> bytes:
    other = pki.shared().trusted_profile_lookalike
    binding = citizens.signing_certificate(other, 2).replace("xades:", "x:")
    return with_properties(properties(binding), COVERED)()


def ecdsa_value(value: Callable[[bytes], bytes]) -> Callable[[], bytes]:
    def document() -> bytes:
        identity = pki.self_signed_with("p256")
        method = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
        signed = sign(LETTER, Recipe(method=method, identity=identity)).decode()
        return other_value(signed, value)

    return document


def rsa_value(value: Callable[[bytes], bytes]) -> Callable[[], bytes]:
    return lambda: other_value(whole(), value)


def other_value(signed: str, value: Callable[[bytes], bytes]) -> bytes:
    def other(found: re.Match[str]) -> str:
        return f"<ds:SignatureValue>{base64.b64encode(value(base64.b64decode(found[1]))).decode()}<"

    return re.sub("<ds:SignatureValue>([^<]*)<", other, signed).encode()


def der(value: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    return encode_dss_signature(int.from_bytes(value[:32], "big"), int.from_bytes(value[32:], "big"))


def plus_modulus(value: bytes) -> bytes:
    public = pki.shared().trusted_profile.certificate.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    return (int.from_bytes(value, "big") + public.public_numbers().n).to_bytes(257, "big")


def by_hmac(length: str = "") -> Callable[[], bytes]:
    """HMAC keyed with the public key everybody has."""

    def document() -> bytes:
        import hashlib
        import hmac

        method = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"
        inner = f"<ds:HMACOutputLength>{length}</ds:HMACOutputLength>" if length else ""
        old = f'<ds:SignatureMethod Algorithm="{xmlsign.RSA_SHA256}"/>'
        new = f'<ds:SignatureMethod Algorithm="{method}">{inner}</ds:SignatureMethod>'
        signed = whole().replace(old, new)
        public = pki.shared().trusted_profile.certificate.public_key()
        secret = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        element = xmlsign._find(signed.encode(), "sig")[0]
        value = hmac.new(secret, xmlsign.canonical(element, xmlsign.EXC_C14N), hashlib.sha256).digest()
        return other_value(signed, lambda _old: value[: int(length or 256) // 8])

    return document


def one_broken() -> bytes:
    first = sign("<a><b/></a>", Recipe(id="one", targets=(Target("", NOT_SIGNATURE),))).decode()
    second = sign(first, Recipe(id="two", targets=(Target("", NOT_SIGNATURE),))).decode()
    head, tail, rest = second.rpartition("<ds:DigestValue>")
    return (head + tail + ("B" if rest[0] != "B" else "C") + rest[1:]).encode()


def counter_signature(of: str) -> Callable[[], bytes]:
    """A counter-signature beside an honest signature, pointing at `of`."""

    def document() -> bytes:
        signed = sign(LETTER, Recipe(targets=(Target(), COVERED), objects=properties())).decode()
        signed = signed.replace("<ds:SignatureValue>", '<ds:SignatureValue Id="value">').replace(
            "</x:SignedProperties>",
            "</x:SignedProperties><x:UnsignedProperties><x:UnsignedSignatureProperties><x:CounterSignature>"
            f'{MARK}</x:CounterSignature></x:UnsignedSignatureProperties></x:UnsignedProperties><y Id="y"/>',
        )
        return sign(signed.replace('<y Id="y"/>', ""), Recipe(id="counter", targets=(Target(of, c14n("exc")),)))

    return document


def swapped_digests() -> bytes:
    targets = (Target("#one", c14n("exc")), Target("#two", c14n("exc")), Target())
    signed = sign("<a><x Id='one'>1</x><y Id='two'>2</y>@SIGNATURE@</a>", Recipe(targets=targets)).decode()
    first, second = re.findall("<ds:DigestValue>([^<]*)<", signed)[:2]
    return signed.replace(first, "@").replace(second, first).replace("@", second).encode()


def many_costly() -> bytes:
    document = "<a>" + "<b>text</b>" * 45_000 + MARK + "</a>"
    targets = tuple(Target("", ENVELOPED + c14n("exc", f"p{number}")) for number in range(40))
    return sign(document, Recipe(targets=targets))


def many_copies() -> bytes:
    """References that digest next to nothing, each from a fresh copy of a document that is nearly all signature."""
    filling = "<ds:Object>" + "<b>text</b>" * 45_000 + "</ds:Object>"
    targets = tuple(Target("", ENVELOPED + c14n("exc", f"p{number}")) for number in range(40))
    return sign(f"<a>{MARK}</a>", Recipe(targets=targets, objects=filling))


def victim_first() -> bytes:
    """The attacker signs, but the victim's certificate stands first in KeyInfo."""
    attacker, victim = pki.shared().trusted_profile_lookalike, pki.shared().trusted_profile
    return sign(LETTER, Recipe(identity=attacker, key_info=xmlsign.x509_data(victim, attacker)))


def foreign_key_value() -> bytes:
    numbers = pki.new_key().public_key().public_numbers()
    assert isinstance(numbers, rsa.RSAPublicNumbers)
    modulus = base64.b64encode(numbers.n.to_bytes(256, "big")).decode()
    value = (
        f"<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>{modulus}</ds:Modulus><ds:Exponent>AQAB</ds:Exponent>"
        "</ds:RSAKeyValue></ds:KeyValue></ds:KeyInfo>"
    )
    return whole().replace("</ds:KeyInfo>", value).encode()


def enveloping_in_root() -> bytes:
    data = '<ds:Object Id="data"><text>signed</text></ds:Object>'
    enveloping = sign(MARK, Recipe(targets=(Target("#data", c14n("exc")),), objects=data)).decode()
    return f"<a><text>{EVIL}</text>{enveloping}</a>".encode()


def uncovered_object() -> bytes:
    data = '<ds:Object Id="data"><text>signed</text></ds:Object>'
    enveloping = sign(MARK, Recipe(targets=(Target("#data", c14n("exc")),), objects=data)).decode()
    return inside(enveloping, f"<ds:Object><text>{EVIL}</text></ds:Object>").encode()


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"


XSLT = "http://www.w3.org/TR/1999/REC-xslt-19991116"


CUBIC = "count(//*[count(//*[count(//*) > 0]) > 0]) > 0"


MD5 = "http://www.w3.org/2001/04/xmldsig-more#md5"


NAMESPACES = b"<a %s>%s</a>" % (b" ".join(b'xmlns:n%d="urn:%d"' % (i, i) for i in range(2000)), b"<b/>" * 2000)


def xslt(body: str) -> str:
    sheet = f'<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">{body}</xsl:stylesheet>'
    return f'<ds:Transform Algorithm="{XSLT}">{sheet}</ds:Transform>'
