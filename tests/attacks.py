"""Known attacks on signature gateways: documents a careless verifier takes, and the codes we refuse them with."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.simulate import citizens, pki, xmlsign
from schemas.xmldoc import DS, XADES
from tests.signing import ENVELOPED, MARK, NOT_SIGNATURE, Recipe, Target, c14n, filter2, sign, xpath

EVIL = "EVIL"
LETTER = '<?xml version="1.0" encoding="UTF-8"?>\n<a xmlns="urn:letter"><text>signed</text></a>'
IN_ROOT = "<a Id='doc'><text>signed</text>@SIGNATURE@</a>"
PROPERTIES_TYPE = xmlsign.SIGNED_PROPERTIES_TYPE


@dataclass(frozen=True, slots=True)
class Attack:
    """`number` is the attack's in the list the documentation keeps; `code` is how it is refused."""

    number: int
    title: str
    document: Callable[[], bytes]
    code: str
    detached: Mapping[str, bytes] = field(default_factory=dict)
    scope: str = "crypto"


def whole() -> str:
    """A letter signed as a whole, the honest way."""
    return sign(LETTER).decode()


def by_id() -> tuple[str, str]:
    """A document signed by the Id of its root; and its signature element."""
    signed = sign(IN_ROOT, Recipe(targets=(Target("#doc", ENVELOPED + c14n("exc")),))).decode()
    return signed, re.search(r"<ds:Signature .*</ds:Signature>", signed, re.DOTALL)[0]  # type: ignore[index]


def _doctype(subset: str, *, system: str = "") -> Callable[[], bytes]:
    return lambda: whole().replace("?>\n", f"?>\n<!DOCTYPE a {system}[{subset}]>", 1).encode()


def _transforms(transforms: str, uri: str = "") -> Callable[[], bytes]:
    return lambda: sign(LETTER, Recipe(targets=(Target(uri, transforms),)))


def _changed(pattern: str, replacement: str | Callable[[re.Match[str]], str]) -> Callable[[], bytes]:
    """An honestly signed letter with the first match replaced."""

    def document() -> bytes:
        changed, count = re.subn(pattern, replacement, whole(), count=1, flags=re.DOTALL)
        assert count == 1
        return changed.encode()

    return document


def _wrapped(build: Callable[[str, str, str], str]) -> Callable[[], bytes]:
    """Move a signed element: `build` gets the signed document, its signature, and it without the signature."""

    def document() -> bytes:
        signed, signature = by_id()
        return build(signed, signature, signed.replace(signature, "")).encode()

    return document


def _inside(signature: str, what: str, before: str = "</ds:Signature>") -> str:
    head, tail, rest = signature.rpartition(before)
    return head + what + tail + rest


_WRAPPINGS: dict[str, Callable[[str, str, str], str]] = {
    "XSW2, the original before the signature": lambda _d, s, o: f"<a Id='evil'><text>{EVIL}</text>{o}{s}</a>",
    "XSW3, the signed document first": lambda d, _s, _o: f"<a Id='evil'>{d}<text>{EVIL}</text></a>",
    "XSW4, the signed document last": lambda d, _s, _o: f"<a Id='evil'><text>{EVIL}</text>{d}</a>",
    "XSW5, the signature taken over": lambda _d, s, o: f"<r><a Id='evil'><text>{EVIL}</text>{s}</a>{o}</r>",
    "XSW7, evil in an extension": lambda d, _s, _o: f"<r><x><a Id='evil'><text>{EVIL}</text></a></x>{d}</r>",
    "a document in a document": lambda d, _s, _o: f"<a Id='outer'><text>{EVIL}</text><attachment>{d}</attachment></a>",
}

_SWALLOWED: dict[str, Callable[[str, str, str], str]] = {  # enveloped-signature then leaves nothing of it
    "XSW1, the original in the signature": lambda _d, s, o: (
        f"<a Id='evil'><text>{EVIL}</text>{_inside(s, f'<ds:Object>{o}</ds:Object>')}</a>"
    ),
    "XSW6, the original in KeyInfo": lambda _d, s, o: (
        f"<a Id='evil'><text>{EVIL}</text>{_inside(s, f'<x>{o}</x>', '</ds:KeyInfo>')}</a>"
    ),
    "XSW8, the original in an Object of its own": lambda _d, s, o: (
        f"<a Id='evil'><text>{EVIL}</text>{_inside(s, f'<ds:Object><x>{o}</x></ds:Object>')}</a>"
    ),
}


def _duplicate(attribute: str) -> Callable[[], bytes]:
    def document() -> bytes:
        signed = sign(
            "<a xmlns:e='urn:e'><text Id='t'>signed</text><x/>@SIGNATURE@</a>",
            Recipe(targets=(Target("#t", c14n("exc")), Target("", ENVELOPED))),
        ).decode()
        return signed.replace("<x/>", f"<text {attribute}='t'>{EVIL}</text>").encode()

    return document


def _properties(inner: str = "", *, target: str = "sig", id_: str = "sp", time: str = "2026-02-03T10:11:12Z") -> str:
    return (
        f'<ds:Object><x:QualifyingProperties xmlns:x="{XADES}" Target="#{target}"><x:SignedProperties Id="{id_}">'
        f"<x:SignedSignatureProperties><x:SigningTime>{time}</x:SigningTime>{inner}</x:SignedSignatureProperties>"
        "</x:SignedProperties></x:QualifyingProperties></ds:Object>"
    )


_COVERED = Target("#sp", c14n("exc"), type=PROPERTIES_TYPE)


def _with_properties(objects: str, *targets: Target) -> Callable[[], bytes]:
    return lambda: sign(LETTER, Recipe(targets=(Target(), *targets), objects=objects))


def _second_properties() -> bytes:
    """A second QualifyingProperties in the same signature, as if it were the signed one."""
    signed = sign(LETTER, Recipe(targets=(Target(), _COVERED), objects=_properties())).decode()
    return _inside(signed, _properties(id_="sp2", time="2020-01-01T00:00:00Z")).encode()


def _foreign_properties() -> bytes:
    """Another signature's signed properties put where this one has none."""
    other = _properties(target="other", id_="other-sp", time="2020-01-01T00:00:00Z")
    return _inside(whole(), other).encode()


def _foreign_binding() -> bytes:
    other = pki.shared().trusted_profile_lookalike
    binding = citizens.signing_certificate(other, 2).replace("xades:", "x:")
    return _with_properties(_properties(binding), _COVERED)()


def _ecdsa(value: Callable[[bytes], bytes]) -> Callable[[], bytes]:
    def document() -> bytes:
        identity = pki.self_signed_with("p256")
        method = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
        signed = sign(LETTER, Recipe(method=method, identity=identity)).decode()
        return _other_value(signed, value)

    return document


def _rsa(value: Callable[[bytes], bytes]) -> Callable[[], bytes]:
    return lambda: _other_value(whole(), value)


def _other_value(signed: str, value: Callable[[bytes], bytes]) -> bytes:
    def other(found: re.Match[str]) -> str:
        return f"<ds:SignatureValue>{base64.b64encode(value(base64.b64decode(found[1]))).decode()}<"

    return re.sub("<ds:SignatureValue>([^<]*)<", other, signed).encode()


def _der(value: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    return encode_dss_signature(int.from_bytes(value[:32], "big"), int.from_bytes(value[32:], "big"))


def _plus_modulus(value: bytes) -> bytes:
    public = pki.shared().trusted_profile.certificate.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    return (int.from_bytes(value, "big") + public.public_numbers().n).to_bytes(257, "big")


def _hmac(length: str = "") -> Callable[[], bytes]:
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
        return _other_value(signed, lambda _old: value[: int(length or 256) // 8])

    return document


def _one_broken() -> bytes:
    first = sign("<a><b/></a>", Recipe(id="one", targets=(Target("", NOT_SIGNATURE),))).decode()
    second = sign(first, Recipe(id="two", targets=(Target("", NOT_SIGNATURE),))).decode()
    head, tail, rest = second.rpartition("<ds:DigestValue>")
    return (head + tail + ("B" if rest[0] != "B" else "C") + rest[1:]).encode()


def _counter_signature(of: str) -> Callable[[], bytes]:
    """A counter-signature beside an honest signature, pointing at `of`."""

    def document() -> bytes:
        signed = sign(LETTER, Recipe(targets=(Target(), _COVERED), objects=_properties())).decode()
        signed = signed.replace("<ds:SignatureValue>", '<ds:SignatureValue Id="value">').replace(
            "</x:SignedProperties>",
            "</x:SignedProperties><x:UnsignedProperties><x:UnsignedSignatureProperties><x:CounterSignature>"
            f'{MARK}</x:CounterSignature></x:UnsignedSignatureProperties></x:UnsignedProperties><y Id="y"/>',
        )
        return sign(signed.replace('<y Id="y"/>', ""), Recipe(id="counter", targets=(Target(of, c14n("exc")),)))

    return document


def _swapped_digests() -> bytes:
    targets = (Target("#one", c14n("exc")), Target("#two", c14n("exc")), Target())
    signed = sign("<a><x Id='one'>1</x><y Id='two'>2</y>@SIGNATURE@</a>", Recipe(targets=targets)).decode()
    first, second = re.findall("<ds:DigestValue>([^<]*)<", signed)[:2]
    return signed.replace(first, "@").replace(second, first).replace("@", second).encode()


def _many_costly() -> bytes:
    document = "<a>" + "<b>text</b>" * 45_000 + MARK + "</a>"
    targets = tuple(Target("", ENVELOPED + c14n("exc", f"p{number}")) for number in range(40))
    return sign(document, Recipe(targets=targets))


def _many_copies() -> bytes:
    """References that digest next to nothing, each from a fresh copy of a document that is nearly all signature."""
    filling = "<ds:Object>" + "<b>text</b>" * 45_000 + "</ds:Object>"
    targets = tuple(Target("", ENVELOPED + c14n("exc", f"p{number}")) for number in range(40))
    return sign(f"<a>{MARK}</a>", Recipe(targets=targets, objects=filling))


def _victim_first() -> bytes:
    """The attacker signs, but the victim's certificate stands first in KeyInfo."""
    attacker, victim = pki.shared().trusted_profile_lookalike, pki.shared().trusted_profile
    return sign(LETTER, Recipe(identity=attacker, key_info=xmlsign.x509_data(victim, attacker)))


def _foreign_key_value() -> bytes:
    numbers = pki.new_key().public_key().public_numbers()
    assert isinstance(numbers, rsa.RSAPublicNumbers)
    modulus = base64.b64encode(numbers.n.to_bytes(256, "big")).decode()
    value = (
        f"<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>{modulus}</ds:Modulus><ds:Exponent>AQAB</ds:Exponent>"
        "</ds:RSAKeyValue></ds:KeyValue></ds:KeyInfo>"
    )
    return whole().replace("</ds:KeyInfo>", value).encode()


def _enveloping_in_root() -> bytes:
    data = '<ds:Object Id="data"><text>signed</text></ds:Object>'
    enveloping = sign(MARK, Recipe(targets=(Target("#data", c14n("exc")),), objects=data)).decode()
    return f"<a><text>{EVIL}</text>{enveloping}</a>".encode()


def _uncovered_object() -> bytes:
    data = '<ds:Object Id="data"><text>signed</text></ds:Object>'
    enveloping = sign(MARK, Recipe(targets=(Target("#data", c14n("exc")),), objects=data)).decode()
    return _inside(enveloping, f"<ds:Object><text>{EVIL}</text></ds:Object>").encode()


_LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
_XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"
_XSLT = "http://www.w3.org/TR/1999/REC-xslt-19991116"
_CUBIC = "count(//*[count(//*[count(//*) > 0]) > 0]) > 0"
_MD5 = "http://www.w3.org/2001/04/xmldsig-more#md5"
_NAMESPACES = b"<a %s>%s</a>" % (b" ".join(b'xmlns:n%d="urn:%d"' % (i, i) for i in range(2000)), b"<b/>" * 2000)


def _xslt(body: str) -> str:
    sheet = f'<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">{body}</xsl:stylesheet>'
    return f'<ds:Transform Algorithm="{_XSLT}">{sheet}</ds:Transform>'


def attacks(url: str) -> list[Attack]:
    """All of them; whatever would be fetched points at `url`."""
    return [
        Attack(1, "XXE of a file", _doctype('<!ENTITY x SYSTEM "file:///etc/passwd">'), "document.doctype"),
        Attack(1, "XXE over http", _doctype(f'<!ENTITY x SYSTEM "{url}">'), "document.doctype"),
        Attack(2, "parameter entity", _doctype(f'<!ENTITY % p SYSTEM "{url}"> %p;'), "document.doctype"),
        Attack(2, "external DTD", _doctype("", system=f'SYSTEM "{url}" '), "document.doctype"),
        Attack(3, "entity expansion", _doctype(f'<!ENTITY l0 "ha">{_LAUGHS}'), "document.doctype"),
        Attack(4, "Id by DTD default", _doctype('<!ATTLIST text Id ID "doc">'), "document.doctype"),
        *(
            Attack(
                6,
                f"reference to {uri}",
                lambda uri=uri: sign(
                    LETTER + "",
                    Recipe(
                        targets=(Target(), Target(uri, "")),
                    ),
                    {uri: b""},
                ),
                "signature.detached_missing",
            )  # type: ignore[misc]
            for uri in (
                url,
                "file:///etc/passwd",
                "\\\\127.0.0.1\\share\\a",
                "ftp://127.0.0.1/a",
                "/etc/passwd",
                "../a",
            )
        ),
        Attack(
            7,
            "RetrievalMethod over http",
            lambda: sign(LETTER, Recipe(key_info=f'<ds:KeyInfo><ds:RetrievalMethod URI="{url}"/></ds:KeyInfo>')),
            "signature.reference_refused",
        ),
        Attack(
            7,
            "RetrievalMethod loop",
            lambda: sign(LETTER, Recipe(key_info='<ds:KeyInfo Id="k"><ds:RetrievalMethod URI="#k"/></ds:KeyInfo>')),
            "signature.reference_refused",
        ),
        Attack(
            8,
            "XSLT constant",
            _transforms(ENVELOPED + _xslt('<xsl:template match="/"><x/></xsl:template>')),
            "signature.transform_refused",
        ),
        Attack(
            8,
            "XSLT document()",
            _transforms(
                ENVELOPED + _xslt(f"<xsl:template match='/'><xsl:copy-of select=\"document('{url}')\"/></xsl:template>")
            ),
            "signature.transform_refused",
        ),
        Attack(9, "XPath of nothing", _transforms(xpath("false()")), "signature.transform_refused"),
        Attack(
            9,
            "XPath of a part",
            _transforms(xpath("not(ancestor-or-self::ds:Signature) and ancestor-or-self::text")),
            "signature.transform_refused",
        ),
        Attack(
            9, "Filter 2.0 of a part", _transforms(filter2("//text", kind="intersect")), "signature.transform_refused"
        ),
        Attack(
            9,
            "Filter 2.0 without the text",
            _transforms(filter2("//ds:Signature", "//text")),
            "signature.transform_refused",
        ),
        Attack(
            10, "XPath that never ends", _transforms(xpath(_CUBIC.replace(">", "&gt;"))), "signature.transform_refused"
        ),
        Attack(
            11, "unknown transform", _transforms('<ds:Transform Algorithm="urn:none"/>'), "signature.transform_refused"
        ),
        Attack(
            11,
            "order of transforms",
            _changed(f"({re.escape(ENVELOPED)})({re.escape(c14n('exc'))})", r"\2\1"),
            "signature.transform_order",
        ),
        Attack(12, "many references", lambda: sign(LETTER, Recipe(targets=(Target(),) * 65)), "signature.too_many"),
        Attack(12, "many transforms", _transforms(ENVELOPED + c14n("exc") * 4), "signature.too_many"),
        Attack(
            12,
            "many signatures",
            lambda: b"<a>" + b'<s:Signature xmlns:s="%s"/>' % DS.encode() * 33 + b"</a>",
            "signature.too_many",
        ),
        Attack(12, "references that cost much", _many_costly, "signature.too_costly"),
        Attack(12, "references to copies", _many_copies, "signature.too_costly"),
        Attack(
            13,
            "void canonicalization",
            _changed('xmlns="urn:letter"', 'xmlns="urn:letter" xmlns:r="relative"'),
            "signature.canonicalization_failed",
        ),
        Attack(
            13,
            "an empty node-set",
            lambda: sign(
                MARK, Recipe(targets=(Target("#data", ""),), objects='<ds:Object Id="data">x</ds:Object>')
            ).replace(b'URI="#data">', b'URI="#data"><ds:Transforms>' + NOT_SIGNATURE.encode() + b"</ds:Transforms>"),
            "signature.nothing_signed",
        ),
        *(Attack(14, title, _wrapped(build), "signature.partial_coverage") for title, build in _WRAPPINGS.items()),
        *(Attack(14, title, _wrapped(build), "signature.nothing_signed") for title, build in _SWALLOWED.items()),
        Attack(14, "an enveloping signature in another root", _enveloping_in_root, "signature.partial_coverage"),
        Attack(14, "an Object nobody signed", _uncovered_object, "signature.partial_coverage"),
        *(
            Attack(15, f"a second element with {name}", _duplicate(name), "signature.id_ambiguous")
            for name in ("Id", "ID", "id", "iD", "e:Id", "xml:id")
        ),
        Attack(
            16, "signed properties not referenced", _with_properties(_properties()), "signature.properties_not_covered"
        ),
        Attack(16, "properties of another signature", _foreign_properties, "signature.properties_not_covered"),
        Attack(16, "two sets of properties", _second_properties, "signature.malformed"),
        Attack(
            16,
            "properties that are none",
            lambda: sign("<a><x Id='sp'/>@SIGNATURE@</a>", Recipe(targets=(Target(), _COVERED))),
            "signature.properties_misplaced",
        ),
        Attack(17, "two SignedInfo", _changed("(<ds:SignedInfo>.*</ds:SignedInfo>)", r"\1\1"), "signature.malformed"),
        Attack(
            17,
            "empty SignedInfo",
            _changed("<ds:SignedInfo>.*</ds:SignedInfo>", "<ds:SignedInfo/>"),
            "signature.malformed",
        ),
        Attack(17, "no reference", _changed("<ds:Reference.*</ds:Reference>", ""), "signature.malformed"),
        Attack(
            17,
            "comment in DigestValue",
            _changed("<ds:DigestValue>", "<ds:DigestValue><!-- AAAA -->"),
            "signature.malformed",
        ),
        Attack(
            19, "instruction before the root", _changed("<a xmlns", "<?evil x?><a xmlns"), "signature.digest_mismatch"
        ),
        Attack(19, "instruction in the text", _changed("signed", "si<?evil x?>gned"), "signature.digest_mismatch"),
        Attack(20, "HMAC with the public key", _hmac(), "signature.algorithm_refused"),
        *(Attack(21, f"HMAC cut to {n} bits", _hmac(n), "signature.algorithm_refused") for n in ("0", "8", "40")),
        Attack(22, "empty digest", _changed("<ds:DigestValue>[^<]*", "<ds:DigestValue>"), "signature.digest_mismatch"),
        Attack(
            22, "empty value", _changed("<ds:SignatureValue>[^<]*", "<ds:SignatureValue>"), "signature.value_mismatch"
        ),
        Attack(22, "value not base64", _changed("<ds:SignatureValue>", "<ds:SignatureValue>*"), "signature.not_base64"),
        Attack(22, "digest not base64", _changed("<ds:DigestValue>", "<ds:DigestValue>*"), "signature.not_base64"),
        Attack(23, "ECDSA 0/0", _ecdsa(lambda _value: bytes(64)), "signature.value_mismatch"),
        Attack(23, "ECDSA in DER", _ecdsa(_der), "signature.value_mismatch"),
        Attack(23, "RSA s+n", _rsa(_plus_modulus), "signature.value_mismatch"),
        Attack(
            24,
            "unknown canonicalization",
            _changed(
                f'CanonicalizationMethod Algorithm="{re.escape(xmlsign.EXC_C14N)}"',
                'CanonicalizationMethod Algorithm="urn:none"',
            ),
            "signature.algorithm_refused",
        ),
        Attack(
            24,
            "unknown digest",
            lambda: sign(LETTER, Recipe(targets=(Target(digest="urn:none"),))),
            "signature.algorithm_refused",
        ),
        Attack(
            24,
            "unknown signature method",
            _changed(re.escape(xmlsign.RSA_SHA256), "urn:none"),
            "signature.algorithm_refused",
        ),
        Attack(
            25,
            "same name, other key",
            lambda: sign(LETTER, Recipe(identity=pki.shared().trusted_profile_lookalike)),
            "signature.untrusted",
            scope="full",
        ),
        Attack(26, "the victim's certificate first", _victim_first, "signature.untrusted", scope="full"),
        Attack(27, "SigningCertificate of another", _foreign_binding, "signature.certificate_mismatch"),
        Attack(28, "KeyValue of another", _foreign_key_value, "signature.key_value_mismatch"),
        Attack(
            29, "RSA-1024", lambda: sign(LETTER, Recipe(identity=pki.self_signed_with("rsa1024"))), "signature.key_weak"
        ),
        Attack(
            29,
            "SHA-1 digest",
            lambda: sign(LETTER, Recipe(targets=(Target(digest=DS + "sha1"),))),
            "signature.algorithm_weak",
        ),
        Attack(29, "SHA-1 signature", lambda: sign(LETTER, Recipe(method=DS + "rsa-sha1")), "signature.algorithm_weak"),
        Attack(29, "MD5", lambda: sign(LETTER, Recipe(targets=(Target(digest=_MD5),))), "signature.algorithm_weak"),
        Attack(
            30,
            "nothing signed but the properties",
            lambda: sign(LETTER, Recipe(targets=(_COVERED,), objects=_properties())),
            "signature.nothing_signed",
        ),
        Attack(
            30,
            "only a part signed",
            lambda: sign("<a><b Id='p'/><c>EVIL</c>@SIGNATURE@</a>", Recipe(targets=(Target("#p", c14n("exc")),))),
            "signature.partial_coverage",
        ),
        Attack(
            30,
            "a reference to nothing",
            lambda: sign(
                "<a><b Id='p'/>@SIGNATURE@</a>", Recipe(targets=(Target("#p", c14n("exc")), Target()))
            ).replace(b"Id='p'", b"Id='q'"),
            "signature.reference_missing",
        ),
        Attack(31, "one of two broken", _one_broken, "signature.digest_mismatch"),
        Attack(
            31,
            "a counter-signature of something else",
            _counter_signature("#sp"),
            "signature.counter_signature_misplaced",
        ),
        Attack(32, "deep nesting", lambda: b"<a>" * 20_000 + b"</a>" * 20_000, "document.too_deep"),
        Attack(
            32,
            "30,000 attributes",
            lambda: b"<a " + b" ".join(b'a%d="1"' % i for i in range(30_000)) + b"/>",
            "document.too_many_attributes",
        ),
        Attack(33, "namespaces by elements", lambda: _NAMESPACES, "document.too_many_namespaces"),
        Attack(34, "UTF-7", _changed("UTF-8", "UTF-7"), "document.encoding"),
        Attack(34, "declared as UTF-16", _changed("UTF-8", "UTF-16"), "document.encoding"),
        Attack(34, "XML 1.1", _changed('version="1.0"', 'version="1.1"'), "document.encoding"),
        Attack(34, "NUL", lambda: whole().encode().replace(b"signed", b"sig\x00ned"), "document.not_well_formed"),
        Attack(
            34, "bad UTF-8", lambda: whole().encode().replace(b"signed", b"sig\xc3\x28ned"), "document.not_well_formed"
        ),
        Attack(35, "a second root", lambda: whole().encode() + b"<evil/>", "document.not_well_formed"),
        Attack(35, "truncated", lambda: whole().encode()[:-5], "document.not_well_formed"),
        Attack(37, "digests of two references swapped", _swapped_digests, "signature.digest_mismatch"),
    ]
