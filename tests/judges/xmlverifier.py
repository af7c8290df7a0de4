"""Ask signxml, which shares no code with our verifier: its own reference processing, its own XAdES."""

from __future__ import annotations

from collections.abc import Mapping

from cryptography.x509 import Certificate
from lxml.etree import DocumentInvalid
from signxml.exceptions import InvalidDigest, InvalidInput, InvalidSignature
from signxml.xades import XAdESVerifier


def accepts(document: bytes, certificate: Certificate, detached: Mapping[str, bytes] | None = None) -> bool:
    """Whether signxml finds the XAdES signature under the document's root, and all its references, intact.

    Args: certificate: the signer's, pinned, so that only intactness is judged. detached: reference URI → octets.
    Anything it raises beside a broken digest or value, a reference it cannot resolve, or a signature against the schema
    is an error here too.
    """
    try:
        XAdESVerifier().verify(document, x509_cert=certificate, uri_resolver=(detached or {}).get)
    except (InvalidDigest, InvalidSignature, InvalidInput, DocumentInvalid):
        return False
    return True
