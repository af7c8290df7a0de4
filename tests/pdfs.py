"""PDFs for tests: the smallest, and signed ones (PAdES) by pyHanko."""

from __future__ import annotations

import io

from asn1crypto import keys, x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.writer import PageObject, PdfFileWriter
from pyhanko.sign import signers
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko_certvalidator.registry import SimpleCertificateStore

from gateway.simulate.pki import Identity


def a_pdf() -> bytes:
    """One empty page."""
    writer, out = PdfFileWriter(), io.BytesIO()
    page = generic.StreamObject(stream_data=b"q Q")
    box = generic.ArrayObject(map(generic.NumberObject, (0, 0, 200, 200)))
    writer.insert_page(PageObject(contents=writer.add_object(page), media_box=box))
    writer.write(out)
    return out.getvalue()


def signed_pdf(identity: Identity, plain: bytes | None = None, field: str = "Podpis") -> bytes:
    """`plain`, by default an empty page, with one more signature."""
    signer = signers.SimpleSigner(
        signing_cert=x509.Certificate.load(identity.certificate.public_bytes(Encoding.DER)),
        signing_key=keys.PrivateKeyInfo.load(
            identity.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        ),
        cert_registry=SimpleCertificateStore(),
    )
    meta = signers.PdfSignatureMetadata(field_name=field, subfilter=SigSeedSubFilter.PADES)
    writer = IncrementalPdfFileWriter(io.BytesIO(plain or a_pdf()))
    return signers.sign_pdf(writer, meta, signer=signer).getvalue()


def with_a_page(pdf: bytes) -> bytes:
    """The same with another page, added after whatever was signed."""
    writer, out = IncrementalPdfFileWriter(io.BytesIO(pdf)), io.BytesIO()
    page = generic.StreamObject(stream_data=b"Q q")
    box = generic.ArrayObject(map(generic.NumberObject, (0, 0, 200, 200)))
    writer.insert_page(PageObject(contents=writer.add_object(page), media_box=box))
    writer.write(out)
    return out.getvalue()
