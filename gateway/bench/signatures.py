"""What verifying and issuing a signature costs, beside the same work by hand and beside other libraries.

Floor of verifying: parse, three canonicalizations, SHA-256, one raw RSA verification. Floor of signing: parse, three
canonicalizations, SHA-256 of each, one raw RSA signature. All take turns inside a round; the best of the rounds
counts, for ours as for the floor. Peers are measured where they are installed: signxml, python-xmlsec.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from lxml import etree

from gateway.receipts.issue import UppFacts, issue_upp
from gateway.receipts.seal import SealKey
from gateway.signatures import TrustPolicy, verify
from gateway.simulate import pki
from gateway.simulate.citizens import person, sign_qualified, sign_trusted_profile
from schemas.receipt import ReceiptParty
from schemas.verification import Indication

SIZES = {"5 KB": (900, 15, 3.0), "1 MB": (750_000, 2, 2.0)}  # attachment octets, repetitions a round, budget
SIGN_BUDGET = 2.0

Work = Callable[[], Any]


def measure(rounds: int = 60) -> list[dict[str, Any]]:
    """A figure for each shape and size: CPU microseconds, floor, ratio, budget; then peers and issuing."""
    figures = [figure for size in SIZES for figure in _verifying(size, rounds)]
    return [*figures, _issuing(rounds)]


def _verifying(size: str, rounds: int) -> list[dict[str, Any]]:
    attachment, repeat, budget = SIZES[size]
    own = pki.shared()
    trust = TrustPolicy(
        "bench",
        trusted_profile_seals=(own.trusted_profile.certificate,),
        qualified_anchors=(own.qualified_ca.certificate,),
    )
    document = _document(attachment)
    shapes = {
        "podpis zaufany": sign_trusted_profile(document, person(1), own),
        "qualified": sign_qualified(document, person(1), own),
    }
    figures = []
    for shape, signed in shapes.items():
        works: dict[str, Work] = {
            f"verify {shape} {size}": lambda signed=signed: _ours(signed, trust),  # type: ignore[misc]
            "floor": _floor(signed, own.trusted_profile.key),
        }
        if shape == "qualified":  # the peers know no XPath transform
            works |= {f"verify {name} {size}": work for name, work in _peers(signed).items()}
        taken = _in_turns(works, rounds, repeat)
        low = taken.pop("floor")
        figures += [
            _figure(name, value, low, budget if name.startswith(f"verify {shape}") else None)
            for name, value in taken.items()
        ]
    return figures


def _issuing(rounds: int) -> dict[str, Any]:
    own, moment = pki.shared(), datetime.now(UTC)
    key = SealKey.of(own.upo_seal.key, own.upo_seal.certificate)
    document = _document(900)
    party = ReceiptParty("Gmina Przykład", "9999011", "TERYT")
    facts = UppFacts("BRAMA-UPP-1", party, party, "BRAMA-1", "bench", "dokument.xml", moment)
    issued = issue_upp(facts, document, key, moment).xml
    works: dict[str, Work] = {
        "ours": lambda: issue_upp(facts, document, key, moment),
        "floor": _signing_floor(issued, own.upo_seal.key),
    }
    taken = _in_turns(works, rounds, 10)
    return _figure("issue UPP", taken["ours"], taken["floor"], SIGN_BUDGET)


def _ours(signed: bytes, trust: TrustPolicy) -> None:
    if verify(signed, trust).indication is not Indication.PASSED:
        raise RuntimeError("the document under measurement is not valid")


def _floor(signed: bytes, key: pki.PrivateKey) -> Work:
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("the floor is RSA")
    public = key.public_key()
    value = key.sign(signed[:2000], padding.PKCS1v15(), hashes.SHA256())

    def work() -> None:
        tree = etree.fromstring(signed, etree.XMLParser(huge_tree=True)).getroottree()
        for _ in range(3):
            octets = etree.tostring(tree, method="c14n", exclusive=True)
        hashlib.sha256(octets).digest()
        public.verify(value, signed[:2000], padding.PKCS1v15(), hashes.SHA256())

    return work


def _signing_floor(issued: bytes, key: pki.PrivateKey) -> Work:
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("the floor is RSA")

    def work() -> None:
        tree = etree.fromstring(issued).getroottree()
        for _ in range(3):
            octets = etree.tostring(tree, method="c14n", exclusive=True)
            hashlib.sha256(octets).digest()
        key.sign(octets, padding.PKCS1v15(), hashes.SHA256())

    return work


def _peers(signed: bytes) -> dict[str, Work]:
    return {**_signxml(signed), **_xmlsec(signed)}


def _signxml(signed: bytes) -> dict[str, Work]:
    from signxml.verifier import SignatureConfiguration, XMLVerifier

    certificate = _certificate(signed)
    expected = SignatureConfiguration(expect_references=2)

    def work() -> None:
        XMLVerifier().verify(signed, x509_cert=certificate, expect_config=expected, id_attribute="Id")

    return {"signxml": work} if _works(work) else {}


def _xmlsec(signed: bytes) -> dict[str, Work]:
    try:
        import xmlsec  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        return {}
    pem = _certificate(signed)

    def work() -> None:
        root = etree.fromstring(signed, etree.XMLParser(huge_tree=True))
        for element in root.iter("{*}SignedProperties"):
            xmlsec.tree.add_ids(element, ["Id"])
        context = xmlsec.SignatureContext()
        context.key = xmlsec.Key.from_memory(pem, xmlsec.constants.KeyDataFormatCertPem)
        context.verify(xmlsec.tree.find_node(root, "Signature"))

    return {"python-xmlsec": work} if _works(work) else {}


def _works(work: Work) -> bool:
    """A peer that cannot verify the document at all is left out, not timed."""
    try:
        work()
    except Exception:  # noqa: BLE001 - whatever it is, there is nothing to measure
        return False
    return True


def _certificate(signed: bytes) -> str:
    body = signed.split(b"<ds:X509Certificate>")[1].split(b"<")[0].decode()
    lines = "\n".join(body[at : at + 64] for at in range(0, len(body), 64))
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"


def _document(attachment: int) -> bytes:
    rows = "".join(f"<pozycja numer='{number}'>zażółć gęślą jaźń</pozycja>" for number in range(12))
    data = base64.b64encode(bytes(range(256)) * (attachment // 256 + 1)).decode()
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<dokument xmlns="urn:bench">{rows}<z>{data}</z></dokument>'.encode()
    )


def _in_turns(works: dict[str, Work], rounds: int, repeat: int) -> dict[str, float]:
    """Least CPU seconds of one run of each: whatever else the machine does only adds. The first round warms up."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            start = time.process_time()
            for _ in range(repeat):
                work()
            if number:
                taken[name].append((time.process_time() - start) / repeat)
    return {name: min(values) for name, values in taken.items()}


def _figure(name: str, value: float, floor: float, budget: float | None) -> dict[str, Any]:
    return {
        "name": name,
        "unit": "µs CPU",
        "value": round(value * 1e6, 1),
        "floor": round(floor * 1e6, 1),
        "ratio": round(value / floor, 2),
        "budget": budget,
        "within_budget": None if budget is None else value / floor <= budget,
    }
