"""A generated corpus of signed documents: documents × places × references × canonicalizations × algorithms."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from gateway.signatures.algorithms import DIGESTS, METHODS
from gateway.simulate import pki
from schemas.xmldoc import DS, XADES
from tests.signing import BASE64, ENVELOPED, MARK, NOT_SIGNATURE, Recipe, Target, c14n, filter2, sign, xpath

DETACHED = {
    "Pismo%20og%C3%B3lne.xml": b"<a xmlns='urn:a'  x='1'><!-- c --><b/>\r\n</a>",
    "file.bin": b"\x00\x01 octets",
}

DOCUMENTS = {
    "plain": f"<a><b Id='part'>x</b>{MARK}</a>",
    "default namespace": f"<a xmlns='urn:a'><b Id='part'><c><d/></c></b>{MARK}</a>",
    "prefixes": (
        "<p:a xmlns:p='urn:p' xmlns:q='urn:q' xmlns:u='urn:unused'>"
        f"<q:b Id='part' p:z='1' q:y='2' x='3'><r:c xmlns:r='urn:p' r:k='v'/></q:b>{MARK}</p:a>"
    ),
    "default namespace taken back": (
        f"<a xmlns='urn:a'><b xmlns='' Id='part'><c xmlns='urn:c'><d xmlns=''/></c></b>{MARK}</a>"
    ),
    "xml attributes": (
        "<a xml:lang='pl' xml:space='preserve'><m xml:lang='en'>"
        f"<b Id='part'> <c xml:space='default'/> </b></m>{MARK}</a>"
    ),
    "around the root": (
        '<?xml version="1.0" encoding="UTF-8"?>\n<?xml-stylesheet href="a.xsl"?>\n<!-- before -->\n'
        f"<a>\n  <b Id='part'>x<!-- in -->y</b>\n  {MARK}\n</a>\n<?after one?>\n<!-- after -->\n<?after two?>\n"
    ),
    "texts": (
        "<a><b Id='part' t=' &#9;&#10;&#13; &lt;&quot;&amp;'>&#13;&lt;&gt;&amp;<![CDATA[<x>&amp;]]> zażółć\r\n🦊"
        f"<?pi data?></b><!-- c -->text{MARK}tail</a>"
    ),
    "nested": f"<a><x><y id='part'><z/></y>\n<w>{MARK} after</w></x>\n</a>",
    "first child": f"<a>{MARK}<b ID='part'/>text</a>",
    "two prefixes for one namespace": (
        f"<n:a xmlns:n='urn:n'><b xmlns:m='urn:n' Id='part'><m:c n:x='1'/><n:c m:x='2'/></b>{MARK}</n:a>"
    ),
}

_DS_PREDICATE = f"*[local-name()='Signature' and namespace-uri()='{DS}']"
WHOLE = {
    "enveloped": ENVELOPED,
    "enveloped, exc": ENVELOPED + c14n("exc"),
    "enveloped, exc with prefixes": ENVELOPED + c14n("exc", "#default p u ds"),
    "enveloped, exc-comments": ENVELOPED + c14n("exc-comments"),
    "enveloped, c14n": ENVELOPED + c14n("c14n"),
    "enveloped, c14n-comments": ENVELOPED + c14n("c14n-comments"),
    "enveloped, c14n11": ENVELOPED + c14n("c14n11"),
    "enveloped, c14n11-comments": ENVELOPED + c14n("c14n11-comments"),
    "not signature": NOT_SIGNATURE,
    "not signature, exc": NOT_SIGNATURE + c14n("exc"),
    "not signature, spaced": xpath(" not( ancestor-or-self :: sig:Signature )\n", f"xmlns:sig='{DS}'"),
    "not signature, by name": xpath(f"not(ancestor-or-self::{_DS_PREDICATE})"),
    "not signature twice": NOT_SIGNATURE + NOT_SIGNATURE,
    "enveloped by count": xpath(
        "count(ancestor-or-self::ds:Signature | here()/ancestor::ds:Signature[1]) "
        "&gt; count(ancestor-or-self::ds:Signature)"
    ),
    "without unsigned properties": NOT_SIGNATURE
    + xpath(
        "not(ancestor-or-self::*[local-name() = 'UnsignedProperties' and namespace-uri() = 'http://uri.etsi.org/01903/v1.3.2#'])"
    ),
    "filter2": filter2("/descendant::ds:Signature"),
    "filter2, c14n11": filter2("/descendant::ds:Signature") + c14n("c14n11"),
    "filter2, double slash": filter2(" //ds:Signature "),
    "filter2, here": filter2("here()/ancestor::ds:Signature[1]"),
    "c14n, then not signature": c14n("c14n") + NOT_SIGNATURE,
    "c14n-comments, then filter2, c14n-comments": c14n("c14n-comments")
    + filter2("/descendant::ds:Signature")
    + c14n("c14n-comments"),
    "not signature, c14n, exc": NOT_SIGNATURE + c14n("c14n") + c14n("exc"),
}
PART = {
    "nothing": "",
    "exc": c14n("exc"),
    "exc with prefixes": c14n("exc", "#default p q u"),
    "exc-comments": c14n("exc-comments"),
    "c14n": c14n("c14n"),
    "c14n-comments": c14n("c14n-comments"),
    "c14n11": c14n("c14n11"),
    "c14n11-comments": c14n("c14n11-comments"),
    "enveloped beside it": ENVELOPED + c14n("exc"),
    "not signature": NOT_SIGNATURE,
}


def signed() -> Iterator[tuple[str, bytes]]:
    """Every case with its name."""
    yield from _whole()
    yield from _parts()
    yield from _algorithms()
    yield from _signed_infos()
    yield from _enveloping()
    yield from _detached()
    yield from _several()


def _whole() -> Iterator[tuple[str, bytes]]:
    for title, document in DOCUMENTS.items():
        for how, transforms in WHOLE.items():
            for uri in ("", "#xpointer(/)"):
                recipe = Recipe(targets=(Target(uri, transforms),))
                yield f"whole/{title}/{how}/{uri or 'empty'}", sign(document, recipe)


def _parts() -> Iterator[tuple[str, bytes]]:
    for title, document in DOCUMENTS.items():
        for how, transforms in PART.items():
            for uri in ("#part", "#xpointer(id('part'))"):
                yield f"part/{title}/{how}/{uri}", sign(document, Recipe(targets=(Target(uri, transforms),)))


def _algorithms() -> Iterator[tuple[str, bytes]]:
    keys = {"rsa": "rsa2048", "pss": "rsa2048", "ecdsa": "p256"}
    made = {kind: pki.self_signed_with(kind) for kind in ("p256", "p384", "p521", "rsa1024")}
    for uri, method in METHODS.items():
        if method.family in keys and method.hash.name not in ("sha224", "md5"):
            identity = made["p256"] if method.family == "ecdsa" else None
            yield f"method/{uri}", sign(DOCUMENTS["plain"], Recipe(method=uri, identity=identity))
    for kind in ("p384", "p521", "rsa1024"):
        family = "rsa" if kind.startswith("rsa") else "ecdsa"
        method_uri = f"http://www.w3.org/2001/04/xmldsig-more#{family}-sha256"
        yield f"key/{kind}", sign(DOCUMENTS["plain"], Recipe(method=method_uri, identity=made[kind]))
    for uri in (uri for uri, digest in DIGESTS.items() if digest.name != "md5"):  # the JDK does not judge MD5
        yield f"digest/{uri}", sign(DOCUMENTS["plain"], Recipe(targets=(Target(digest=uri),)))


def _signed_infos() -> Iterator[tuple[str, bytes]]:
    for title, document in DOCUMENTS.items():
        for variant in ("c14n", "c14n-comments", "c14n11", "c14n11-comments", "exc", "exc-comments"):
            yield f"signed info/{title}/{variant}", sign(document, Recipe(c14n=variant))
        yield f"signed info/{title}/prefixes", sign(document, Recipe(prefixes="#default p u"))


def _enveloping() -> Iterator[tuple[str, bytes]]:
    inner = "<a xmlns='urn:a' xmlns:u='urn:u'><!-- c --><b xml:lang='pl'/></a>"
    for how, transforms in PART.items():
        if "beside" in how or "not signature" in how:  # these leave nothing of an Object
            continue
        data = f'<ds:Object Id="data">{inner}</ds:Object>'
        yield f"enveloping/{how}", sign(MARK, Recipe(targets=(Target("#data", transforms),), objects=data))
    encoded = base64.b64encode(b"octets \x00\xff" * 20).decode()
    data = f'<ds:Object Id="data" Encoding="{DS}base64">{encoded[:60]}\n{encoded[60:]}</ds:Object>'
    yield "enveloping/base64", sign(MARK, Recipe(targets=(Target("#data", BASE64),), objects=data))
    properties = (
        f'<ds:Object><x:QualifyingProperties xmlns:x="{XADES}" Target="#sig"><x:SignedProperties Id="sp">'
        "<x:SignedSignatureProperties><x:SigningTime>2026-02-03T10:11:12Z</x:SigningTime>"
        "</x:SignedSignatureProperties></x:SignedProperties></x:QualifyingProperties></ds:Object>"
    )
    for how in ("exc", "c14n", "c14n11"):
        signed_properties = Target("#sp", c14n(how), type="http://uri.etsi.org/01903#SignedProperties")
        yield (
            f"xades/{how}",
            sign(DOCUMENTS["prefixes"], Recipe(targets=(Target(), signed_properties), objects=properties)),
        )


def _detached() -> Iterator[tuple[str, bytes]]:
    xml, binary = tuple(DETACHED)
    for how, transforms in {"nothing": "", "exc": c14n("exc"), "c14n-comments": c14n("c14n-comments")}.items():
        yield f"detached/{how}", sign(MARK, Recipe(targets=(Target(xml, transforms),)), DETACHED)
    unsigned = xpath(f"not(ancestor-or-self::*[local-name() = 'UnsignedProperties' and namespace-uri() = '{XADES}'])")
    yield "detached/unsigned properties", sign(MARK, Recipe(targets=(Target(xml, unsigned),)), DETACHED)
    yield "detached/octets", sign(MARK, Recipe(targets=(Target(binary, ""),)), DETACHED)
    yield "detached/beside", sign(DOCUMENTS["plain"], Recipe(targets=(Target(), Target(binary, ""))), DETACHED)


def _several() -> Iterator[tuple[str, bytes]]:
    first = sign("<a><b/>\n</a>", Recipe(id="one", targets=(Target("", NOT_SIGNATURE),)))
    yield "several/parallel", sign(first.decode(), Recipe(id="two", targets=(Target("", NOT_SIGNATURE),)))
    yield "several/serial", sign(first.decode(), Recipe(id="two", targets=(Target("", ENVELOPED + c14n("c14n")),)))
