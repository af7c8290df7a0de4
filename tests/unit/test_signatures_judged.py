"""Beside an independent judge: wherever the JDK's XML signature can tell, our verdict on intactness is the same.

Where it is not, the case is listed here with the reason, and xmlsec1 sides with us.
"""

from __future__ import annotations

import base64
import functools
import random
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from gateway.signatures import TrustPolicy, verify
from gateway.simulate import pki, xmlsign
from schemas.verification import Crypto, Verification
from tests import corpus, reference
from tests.judges import jdk, xmlsec
from tests.mutations import mutate
from tests.signing import sign

MUTATIONS = 2500
REFUSED = {  # what the JDK takes and we refuse
    ("signature.id_ambiguous", None),
    ("signature.transform_refused", "XPath"),
    ("signature.malformed", "X509Certificate"),  # DER so damaged that only the JDK still finds a key in it
}


@functools.cache
def signed() -> dict[str, bytes]:
    return dict(corpus.signed())


def ours(document: bytes) -> Verification:
    return verify(document, TrustPolicy(), detached=corpus.DETACHED, scope="crypto")


def known_difference(name: str) -> str | None:
    """Where the JDK (17) departs from the recommendation, by what the case is about."""
    inherits = ("not signature", "filter2", "enveloped by count", "without unsigned")
    if "not signature, c14n, exc" in name:
        return "two canonicalizations in a row: the JDK digests the document as it was before the filter"
    if name.startswith("whole/xml attributes") and any(how in name for how in inherits):
        return "xml:* attributes: the JDK repeats an ancestor's on elements whose parent is in the node-set"
    if name.startswith("part/xml attributes") and "exc" not in name:
        return "xml:* attributes: the JDK takes the outermost ancestor's instead of the nearest one's"
    if "c14n-comments, then" in name and name.endswith("/empty"):
        return "comments: URI='' selects none, but the JDK keeps them when canonicalization with comments comes first"
    return None


def test_the_jdk_and_we_agree_on_every_shape_of_signature() -> None:
    answers = jdk.judge(list(signed().values()), corpus.DETACHED)
    differing = [
        name
        for (name, document), answer in zip(signed().items(), answers, strict=True)
        if [item.verdict for item in answer] != [item.crypto for item in ours(document).signatures]
    ]
    assert [name for name in differing if known_difference(name) is None] == []
    assert len(differing) < 60


def test_where_the_jdk_differs_xmlsec1_sides_with_us() -> None:
    listed = [name for name in signed() if known_difference(name) and "#part" not in name and "xpointer" not in name]
    sample = random.Random(7).sample(listed, 12)
    for name in sample:
        assert ours(signed()[name]).signatures[0].crypto is Crypto.INTACT
        assert xmlsec.accepts(signed()[name]), name


def test_after_any_small_change_we_find_intact_exactly_what_the_jdk_finds_intact() -> None:
    chance = random.Random(2026)
    names = [name for name in signed() if known_difference(name) is None]
    cases = [(name, mutate(signed()[name], seed)) for seed, name in enumerate(chance.choices(names, k=MUTATIONS))]
    answers = jdk.judge([document for _, document in cases], corpus.DETACHED)
    for (name, document), answer in zip(cases, answers, strict=True):
        result = ours(document)
        for theirs, own in zip(answer, result.signatures, strict=bool(result.signatures)):
            if theirs.verdict == "broken":
                assert own.crypto is not Crypto.INTACT, (name, document)
            if theirs.verdict == "intact" and own.crypto is not Crypto.INTACT:
                if "comments" in name and b"<!--" in _signed_info(document):
                    continue  # SignedInfo canonicalized with comments: the JDK leaves them out all the same
                refused = {(item.code, item.facts.get("what")) for item in own.reasons}
                assert own.crypto is Crypto.UNSUPPORTED, (name, document)
                assert refused & REFUSED, (name, document)


@pytest.mark.parametrize(
    ("main", "mask", "salt"),
    [("sha256", "sha256", 32), ("sha512", "sha512", 20), ("sha384", "sha384", None)],
)
def test_pss_with_its_parameters_written_out_is_judged_alike(main: str, mask: str, salt: int | None) -> None:
    document = _pss(main, mask, salt)
    (verdict,) = ours(document).signatures
    assert verdict.crypto is Crypto.INTACT
    assert jdk.judge([document])[0][0].verdict == "intact"
    broken = document.replace(b"<b Id='part'>x", b"<b Id='part'>y")
    assert ours(broken).signatures[0].crypto is Crypto.BROKEN


def _pss(main: str, mask: str, salt: int | None) -> bytes:
    """An honest signature whose method is written with RSAPSSParams."""
    more, uris = "http://www.w3.org/2007/05/xmldsig-more#", {
        "sha256": "http://www.w3.org/2001/04/xmlenc#sha256",
        "sha384": "http://www.w3.org/2001/04/xmldsig-more#sha384",
        "sha512": "http://www.w3.org/2001/04/xmlenc#sha512",
    }  # fmt: skip
    algorithms = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
    length = "" if salt is None else f"<p:SaltLength>{salt}</p:SaltLength>"
    parameters = (
        f'<p:RSAPSSParams xmlns:p="{more}"><ds:DigestMethod Algorithm="{uris[main]}"/><p:MaskGenerationFunction '
        f'Algorithm="{more}MGF1"><ds:DigestMethod Algorithm="{uris[mask]}"/></p:MaskGenerationFunction>{length}'
        "</p:RSAPSSParams>"
    )
    plain = sign(corpus.DOCUMENTS["plain"]).decode()
    method = f'<ds:SignatureMethod Algorithm="{xmlsign.RSA_SHA256}"/>'
    written = plain.replace(method, f'<ds:SignatureMethod Algorithm="{more}rsa-pss">{parameters}</ds:SignatureMethod>')
    signed_info = xmlsign.canonical(xmlsign._find(written.encode(), "sig")[0], xmlsign.EXC_C14N)
    key = pki.shared().trusted_profile.key
    assert isinstance(key, rsa.RSAPrivateKey)
    octets = algorithms[main].digest_size if salt is None else salt
    value = key.sign(signed_info, padding.PSS(padding.MGF1(algorithms[mask]), octets), algorithms[main])
    shown = base64.b64encode(value).decode()
    return re.sub("<ds:SignatureValue>[^<]*<", f"<ds:SignatureValue>{shown}<", written).encode()


def _signed_info(document: bytes) -> bytes:
    return document.partition(b"<ds:SignedInfo>")[2].partition(b"</ds:SignedInfo>")[0]


@pytest.mark.parametrize("path", reference.files("epuap/data/samples/upp/*.xml"), ids=lambda path: path.name)
def test_real_receipts_of_others_are_judged_as_the_jdk_judges_them(path: Path) -> None:
    (answer,) = jdk.judge([path.read_bytes()])
    result = verify(path.read_bytes(), TrustPolicy(), scope="crypto")
    assert [item.verdict for item in answer] == [item.crypto for item in result.signatures]
    letters = {True: "v", False: "x", None: "?"}
    assert answer[0].references == "".join(letters[item.intact] for item in result.signatures[0].references)
