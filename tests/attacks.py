"""Known attacks on signature gateways: documents a careless verifier takes, and the codes we refuse them with."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateway.simulate import pki, xmlsign
from schemas.xmldoc import DS
from tests.attack_documents import (
    COVERED,
    CUBIC,
    LAUGHS,
    LETTER,
    MD5,
    NAMESPACES,
    SWALLOWED,
    WRAPPINGS,
    by_hmac,
    changed,
    counter_signature,
    der,
    doctype,
    duplicated,
    ecdsa_value,
    enveloping_in_root,
    foreign_binding,
    foreign_key_value,
    foreign_properties,
    many_copies,
    many_costly,
    one_broken,
    plus_modulus,
    properties,
    referring_to,
    rsa_value,
    second_properties,
    swapped_digests,
    uncovered_object,
    victim_first,
    whole,
    with_properties,
    with_transforms,
    wrapped,
    xslt,
)
from tests.signing import ENVELOPED, MARK, NOT_SIGNATURE, Recipe, Target, c14n, filter2, sign, xpath


@dataclass(frozen=True, slots=True)
class Attack:
    """`number` is the attack's in the list the documentation keeps; `code` is how it is refused."""

    number: int
    title: str
    document: Callable[[], bytes]
    code: str
    detached: Mapping[str, bytes] = field(default_factory=dict)
    scope: str = "crypto"


def attacks(url: str) -> list[Attack]:
    """All of them; whatever would be fetched points at `url`."""
    return [
        Attack(1, "XXE of a file", doctype('<!ENTITY x SYSTEM "file:///etc/passwd">'), "document.doctype"),
        Attack(1, "XXE over http", doctype(f'<!ENTITY x SYSTEM "{url}">'), "document.doctype"),
        Attack(2, "parameter entity", doctype(f'<!ENTITY % p SYSTEM "{url}"> %p;'), "document.doctype"),
        Attack(2, "external DTD", doctype("", system=f'SYSTEM "{url}" '), "document.doctype"),
        Attack(3, "entity expansion", doctype(f'<!ENTITY l0 "ha">{LAUGHS}'), "document.doctype"),
        Attack(4, "Id by DTD default", doctype('<!ATTLIST text Id ID "doc">'), "document.doctype"),
        *(
            Attack(6, f"reference to {uri}", referring_to(uri), "signature.detached_missing")
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
            with_transforms(ENVELOPED + xslt('<xsl:template match="/"><x/></xsl:template>')),
            "signature.transform_refused",
        ),
        Attack(
            8,
            "XSLT document()",
            with_transforms(
                ENVELOPED + xslt(f"<xsl:template match='/'><xsl:copy-of select=\"document('{url}')\"/></xsl:template>")
            ),
            "signature.transform_refused",
        ),
        Attack(9, "XPath of nothing", with_transforms(xpath("false()")), "signature.transform_refused"),
        Attack(
            9,
            "XPath of a part",
            with_transforms(xpath("not(ancestor-or-self::ds:Signature) and ancestor-or-self::text")),
            "signature.transform_refused",
        ),
        Attack(
            9,
            "Filter 2.0 of a part",
            with_transforms(filter2("//text", kind="intersect")),
            "signature.transform_refused",
        ),
        Attack(
            9,
            "Filter 2.0 without the text",
            with_transforms(filter2("//ds:Signature", "//text")),
            "signature.transform_refused",
        ),
        Attack(
            10,
            "XPath that never ends",
            with_transforms(xpath(CUBIC.replace(">", "&gt;"))),
            "signature.transform_refused",
        ),
        Attack(
            11,
            "unknown transform",
            with_transforms('<ds:Transform Algorithm="urn:none"/>'),
            "signature.transform_refused",
        ),
        Attack(
            11,
            "order of transforms",
            changed(f"({re.escape(ENVELOPED)})({re.escape(c14n('exc'))})", r"\2\1"),
            "signature.transform_order",
        ),
        Attack(12, "many references", lambda: sign(LETTER, Recipe(targets=(Target(),) * 65)), "signature.too_many"),
        Attack(12, "many transforms", with_transforms(ENVELOPED + c14n("exc") * 4), "signature.too_many"),
        Attack(
            12,
            "many signatures",
            lambda: b"<a>" + b'<s:Signature xmlns:s="%s"/>' % DS.encode() * 33 + b"</a>",
            "signature.too_many",
        ),
        Attack(12, "references that cost much", many_costly, "signature.too_costly"),
        Attack(12, "references to copies", many_copies, "signature.too_costly"),
        Attack(
            13,
            "void canonicalization",
            changed('xmlns="urn:letter"', 'xmlns="urn:letter" xmlns:r="relative"'),
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
        *(Attack(14, title, wrapped(build), "signature.partial_coverage") for title, build in WRAPPINGS.items()),
        *(Attack(14, title, wrapped(build), "signature.nothing_signed") for title, build in SWALLOWED.items()),
        Attack(14, "an enveloping signature in another root", enveloping_in_root, "signature.partial_coverage"),
        Attack(14, "an Object nobody signed", uncovered_object, "signature.partial_coverage"),
        *(
            Attack(15, f"a second element with {name}", duplicated(name), "signature.id_ambiguous")
            for name in ("Id", "ID", "id", "iD", "e:Id", "xml:id")
        ),
        Attack(
            16, "signed properties not referenced", with_properties(properties()), "signature.properties_not_covered"
        ),
        Attack(16, "properties of another signature", foreign_properties, "signature.properties_not_covered"),
        Attack(16, "two sets of properties", second_properties, "signature.malformed"),
        Attack(
            16,
            "properties that are none",
            lambda: sign("<a><x Id='sp'/>@SIGNATURE@</a>", Recipe(targets=(Target(), COVERED))),
            "signature.properties_misplaced",
        ),
        Attack(17, "two SignedInfo", changed("(<ds:SignedInfo>.*</ds:SignedInfo>)", r"\1\1"), "signature.malformed"),
        Attack(
            17,
            "empty SignedInfo",
            changed("<ds:SignedInfo>.*</ds:SignedInfo>", "<ds:SignedInfo/>"),
            "signature.malformed",
        ),
        Attack(17, "no reference", changed("<ds:Reference.*</ds:Reference>", ""), "signature.malformed"),
        Attack(
            17,
            "comment in DigestValue",
            changed("<ds:DigestValue>", "<ds:DigestValue><!-- AAAA -->"),
            "signature.malformed",
        ),
        Attack(
            19, "instruction before the root", changed("<a xmlns", "<?evil x?><a xmlns"), "signature.digest_mismatch"
        ),
        Attack(19, "instruction in the text", changed("signed", "si<?evil x?>gned"), "signature.digest_mismatch"),
        Attack(20, "HMAC with the public key", by_hmac(), "signature.algorithm_refused"),
        *(Attack(21, f"HMAC cut to {n} bits", by_hmac(n), "signature.algorithm_refused") for n in ("0", "8", "40")),
        Attack(22, "empty digest", changed("<ds:DigestValue>[^<]*", "<ds:DigestValue>"), "signature.digest_mismatch"),
        Attack(
            22, "empty value", changed("<ds:SignatureValue>[^<]*", "<ds:SignatureValue>"), "signature.value_mismatch"
        ),
        Attack(22, "value not base64", changed("<ds:SignatureValue>", "<ds:SignatureValue>*"), "signature.not_base64"),
        Attack(22, "digest not base64", changed("<ds:DigestValue>", "<ds:DigestValue>*"), "signature.not_base64"),
        Attack(23, "ECDSA 0/0", ecdsa_value(lambda _value: bytes(64)), "signature.value_mismatch"),
        Attack(23, "ECDSA in DER", ecdsa_value(der), "signature.value_mismatch"),
        Attack(23, "RSA s+n", rsa_value(plus_modulus), "signature.value_mismatch"),
        Attack(
            24,
            "unknown canonicalization",
            changed(
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
            changed(re.escape(xmlsign.RSA_SHA256), "urn:none"),
            "signature.algorithm_refused",
        ),
        Attack(
            25,
            "same name, other key",
            lambda: sign(LETTER, Recipe(identity=pki.shared().trusted_profile_lookalike)),
            "signature.untrusted",
            scope="full",
        ),
        Attack(26, "the victim's certificate first", victim_first, "signature.untrusted", scope="full"),
        Attack(27, "SigningCertificate of another", foreign_binding, "signature.certificate_mismatch"),
        Attack(28, "KeyValue of another", foreign_key_value, "signature.key_value_mismatch"),
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
        Attack(29, "MD5", lambda: sign(LETTER, Recipe(targets=(Target(digest=MD5),))), "signature.algorithm_weak"),
        Attack(
            30,
            "nothing signed but the properties",
            lambda: sign(LETTER, Recipe(targets=(COVERED,), objects=properties())),
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
        Attack(31, "one of two broken", one_broken, "signature.digest_mismatch"),
        Attack(
            31,
            "a counter-signature of something else",
            counter_signature("#sp"),
            "signature.counter_signature_misplaced",
        ),
        Attack(32, "deep nesting", lambda: b"<a>" * 20_000 + b"</a>" * 20_000, "document.too_deep"),
        Attack(
            32,
            "30,000 attributes",
            lambda: b"<a " + b" ".join(b'a%d="1"' % i for i in range(30_000)) + b"/>",
            "document.too_many_attributes",
        ),
        Attack(33, "namespaces by elements", lambda: NAMESPACES, "document.too_many_namespaces"),
        Attack(34, "UTF-7", changed("UTF-8", "UTF-7"), "document.encoding"),
        Attack(34, "declared as UTF-16", changed("UTF-8", "UTF-16"), "document.encoding"),
        Attack(34, "XML 1.1", changed('version="1.0"', 'version="1.1"'), "document.encoding"),
        Attack(34, "NUL", lambda: whole().encode().replace(b"signed", b"sig\x00ned"), "document.not_well_formed"),
        Attack(
            34, "bad UTF-8", lambda: whole().encode().replace(b"signed", b"sig\xc3\x28ned"), "document.not_well_formed"
        ),
        Attack(35, "a second root", lambda: whole().encode() + b"<evil/>", "document.not_well_formed"),
        Attack(35, "truncated", lambda: whole().encode()[:-5], "document.not_well_formed"),
        Attack(37, "digests of two references swapped", swapped_digests, "signature.digest_mismatch"),
    ]
