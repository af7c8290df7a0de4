"""Signatures of any shape for tests: the document says where, the references say what.

Which octets that means is computed by our own engine; that proves nothing by itself, so the JDK judges the result.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.signatures import TrustPolicy, canonical, references, structure, transforms, verify
from gateway.signatures.algorithms import CANONICALIZATIONS
from gateway.simulate import pki, xmlsign
from gateway.simulate.pki import Identity
from gateway.simulate.xmlsign import EXC_C14N, RSA_SHA256, SHA256
from schemas.xmldoc import DS, parse

MARK = "@SIGNATURE@"
C14N = {
    "c14n": "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
    "c14n-comments": "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments",
    "c14n11": "http://www.w3.org/2006/12/xml-c14n11",
    "c14n11-comments": "http://www.w3.org/2006/12/xml-c14n11#WithComments",
    "exc": EXC_C14N,
    "exc-comments": EXC_C14N + "WithComments",
}
ENVELOPED = xmlsign.ENVELOPED
NOT_SIGNATURE = xmlsign.NOT_SIGNATURE
BASE64 = f'<ds:Transform Algorithm="{DS}base64"/>'


@functools.cache
def trust() -> TrustPolicy:
    """Who tests believe: the test PKI's seal of podpis zaufany and its qualified authority."""
    own = pki.shared()
    return TrustPolicy(
        "test",
        trusted_profile_seals=(own.trusted_profile.certificate,),
        qualified_anchors=(own.qualified_ca.certificate,),
    )


@functools.cache
def honest_s() -> float:
    """Processor time that this machine takes to verify a small honest document: the measure for dishonest ones."""
    document = sign("<a>Zażółć</a>")
    return min(_verifying_s(document) for _ in range(10))


def _verifying_s(document: bytes) -> float:
    started = time.thread_time()
    verify(document, trust())
    return time.thread_time() - started


def c14n(name: str, prefixes: str = "") -> str:
    """A C14N transform, with a PrefixList where one is given."""
    if not prefixes:
        return f'<ds:Transform Algorithm="{C14N[name]}"/>'
    inclusive = f'<ec:InclusiveNamespaces xmlns:ec="{EXC_C14N}" PrefixList="{prefixes}"/>'
    return f'<ds:Transform Algorithm="{C14N[name]}">{inclusive}</ds:Transform>'


def xpath(expression: str, declared: str = f'xmlns:ds="{DS}"') -> str:
    """An XPath 1.0 transform."""
    return (
        '<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116">'
        f"<ds:XPath {declared}>{expression}</ds:XPath></ds:Transform>"
    )


def filter2(*expressions: str, kind: str = "subtract") -> str:
    """An XPath Filter 2.0 transform."""
    uri = "http://www.w3.org/2002/06/xmldsig-filter2"
    inner = "".join(f'<f:XPath xmlns:f="{uri}" xmlns:ds="{DS}" Filter="{kind}">{one}</f:XPath>' for one in expressions)
    return f'<ds:Transform Algorithm="{uri}">{inner}</ds:Transform>'


@dataclass(frozen=True, slots=True)
class Target:
    """What one reference points at."""

    uri: str | None = ""
    transforms: str = ENVELOPED + c14n("exc")
    digest: str = SHA256
    type: str | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """One signature: everything has an honest default; a test changes one thing."""

    targets: Sequence[Target] = (Target(),)
    method: str = RSA_SHA256
    c14n: str = "exc"
    prefixes: str = ""  # of SignedInfo's canonicalization
    objects: str = ""
    key_info: str | None = None
    identity: Identity | None = None
    id: str = "sig"

    def but(self, **changes: object) -> Recipe:
        """The same with these changes."""
        return replace(self, **changes)  # type: ignore[arg-type]


HONEST = Recipe()


def sign(document: str, recipe: Recipe = HONEST, detached: Mapping[str, bytes] | None = None) -> bytes:
    """Put a signature where the document says `@SIGNATURE@` (as the root's last child when it does not)."""
    if MARK not in document:
        document = xmlsign.insert_last(document.encode(), MARK.encode()).decode()
    identity = recipe.identity or pki.shared().trusted_profile
    blank = _written(recipe, identity, ["AAAA"] * len(recipe.targets), "AAAA")
    digests = _digests(document.replace(MARK, blank).encode(), recipe, detached or {})
    unsigned = document.replace(MARK, _written(recipe, identity, digests, "AAAA")).encode()
    signed_info = _signed_info(unsigned, recipe)
    value = base64.b64encode(xmlsign.raw_signature(identity.key, signed_info, recipe.method)).decode()
    return document.replace(MARK, _written(recipe, identity, digests, value)).encode()


def _digests(whole: bytes, recipe: Recipe, detached: Mapping[str, bytes]) -> list[str]:
    held, signature = _read(whole, recipe, detached)
    found = []
    for reference in signature.references:
        if reference.refusal is not None:
            found.append("AAAA")
            continue
        data = references._dereference(reference.uri, held)
        assert data is not None
        octets = transforms.apply(data, reference.steps, signature.element)
        assert reference.digest is not None
        found.append(base64.b64encode(hashlib.new(reference.digest.name, octets).digest()).decode())
    return found


def _signed_info(whole: bytes, recipe: Recipe) -> bytes:
    held, signature = _read(whole, recipe, {})
    nodes = canonical.NodeSet(held.tree, whole, signature.signed_info, comments=True)
    return canonical.octets(nodes, CANONICALIZATIONS[C14N[recipe.c14n]], tuple(recipe.prefixes.split()))


def _read(
    whole: bytes, recipe: Recipe, detached: Mapping[str, bytes]
) -> tuple[references.Document, structure.Signature]:
    tree = parse(whole)
    element = next(item for item in tree.iter(canonical.SIGNATURE) if item.get("Id") == recipe.id)
    bounds = structure.Bounds(references=10_000, transforms=100, handled_octets=10**12)
    return references.Document(tree, whole, detached, bounds), structure.read(element, bounds)


def _written(recipe: Recipe, identity: Identity, digests: Sequence[str], value: str) -> str:
    listed = "".join(_reference(target, digest) for target, digest in zip(recipe.targets, digests, strict=True))
    inclusive = (
        f'<ec:InclusiveNamespaces xmlns:ec="{EXC_C14N}" PrefixList="{recipe.prefixes}"/>' if recipe.prefixes else ""
    )
    key_info = xmlsign.x509_data(identity) if recipe.key_info is None else recipe.key_info
    return (
        f'<ds:Signature xmlns:ds="{DS}" Id="{recipe.id}"><ds:SignedInfo>'
        f'<ds:CanonicalizationMethod Algorithm="{C14N[recipe.c14n]}">{inclusive}</ds:CanonicalizationMethod>'
        f'<ds:SignatureMethod Algorithm="{recipe.method}"/>{listed}</ds:SignedInfo>'
        f"<ds:SignatureValue>{value}</ds:SignatureValue>{key_info}{recipe.objects}</ds:Signature>"
    )


def _reference(target: Target, digest: str) -> str:
    uri = "" if target.uri is None else f' URI="{target.uri}"'
    kind = "" if target.type is None else f' Type="{target.type}"'
    listed = f"<ds:Transforms>{target.transforms}</ds:Transforms>" if target.transforms else ""
    return (
        f'<ds:Reference{uri}{kind}>{listed}<ds:DigestMethod Algorithm="{target.digest}"/>'
        f"<ds:DigestValue>{digest}</ds:DigestValue></ds:Reference>"
    )
