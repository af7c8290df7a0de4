"""XML signatures: a document and a trust policy give a Verification. Knows nothing of forms, mailboxes or stores.

    verify(document, trust, ...) -> Verification
    examine(document, trust, ...) -> Examination: with the evidence for a validation report

Reference processing is our own, on lxml and cryptography, with allow-lists that fail closed: `structure` reads a
ds:Signature strictly, `references` finds what it points at, `transforms` and `canonical` say which octets were signed,
`keys` and `algorithms` do the arithmetic, `properties` reads XAdES, `carried` what comes along with a signature,
`trust` and `signer` answer who; `engine` has the order, `reasons` every code.
"""

from gateway.signatures.engine import Examination, Scope, examine, verify
from gateway.signatures.structure import Bounds
from gateway.signatures.trust import TrustPolicy

__all__ = ["Bounds", "Examination", "Scope", "TrustPolicy", "examine", "verify"]
