"""A test PKI, generated: podpis zaufany's seal, qualified certificates, the UPO seal, and look-alikes for attacks.

Nothing here is real: every name says TEST, every key is made on the spot. `shared()` gives one PKI per process, because
making RSA keys is what costs.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509.oid import NameOID, ObjectIdentifier

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

UPO_PASSWORD = "brama-test"  # noqa: S105 - of the generated UPO seal; protects nothing
_QC_STATEMENTS = ObjectIdentifier("1.3.6.1.5.5.7.1.3")
_QC_COMPLIANCE_AND_SSCD = bytes.fromhex("3014 3008060604008e460101 3008060604008e460104")
_SUBJECT_ORGANISATION_ID = ObjectIdentifier("2.5.4.97")

TRUST_TOML = """\
# Written by the generated test PKI. A certificate listed here is believed for exactly what its table says.
environment = "test"

[[trusted_profile_seal]]
certificate = "trusted-profile.pem"

[[qualified_anchor]]
certificate = "qualified-ca.pem"

[[seal]]
certificate = "upo-seal.pem"
"""


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate with its private key; `issuer` is the certificate above it (itself when self-signed)."""

    certificate: x509.Certificate
    key: PrivateKey
    issuer: x509.Certificate

    @property
    def certificate_pem(self) -> bytes:
        """The certificate as PEM."""
        return self.certificate.public_bytes(Encoding.PEM)

    def pkcs12(self, password: str, name: str = "brama") -> bytes:
        """Key, certificate and issuer as one PKCS#12 container."""
        return pkcs12.serialize_key_and_certificates(
            name.encode(), self.key, self.certificate, [self.issuer], BestAvailableEncryption(password.encode())
        )


@dataclass(frozen=True, slots=True)
class Pki:
    """Everything the demo and the tests sign with."""

    root: Identity
    trusted_profile: Identity  # the minister's seal: one certificate, all citizens
    trusted_profile_lookalike: Identity  # same subject and issuer names, another key, signed by itself
    qualified_ca: Identity
    qualified: Identity  # a person: JANINA PRZYKŁADOWA
    upo_seal: Identity

    @classmethod
    def create(cls, at: datetime | None = None) -> Pki:
        """Generate all of it; valid from a year before `at` to three years after."""
        moment = at or datetime.now(UTC)
        root = authority(name("TEST Root CA", "TEST Centrum Certyfikacji"), at=moment)
        seal_name = name("TEST Minister - pieczęć podpisu zaufanego", "TEST Ministerstwo Cyfryzacji")
        qualified_ca = authority(name("TEST Kwalifikowane CA", "TEST Dostawca Usług Zaufania"), root, at=moment)
        return cls(
            root=root,
            trusted_profile=issue(seal_name, root, at=moment),
            trusted_profile_lookalike=self_signed(seal_name, claimed_issuer=root.certificate.subject, at=moment),
            qualified_ca=qualified_ca,
            qualified=qualified_person("JANINA", "PRZYKŁADOWA", "80010112340", qualified_ca, at=moment),
            upo_seal=issue(name("TEST Brama - pieczęć UPO", "TEST Związek Gmin"), root, at=moment),
        )

    def save(self, folder: Path) -> Path:
        """Write certificates, keys, `upo-seal.p12` and `trust.toml` to `folder`; returns the path of `trust.toml`."""
        folder.mkdir(parents=True, exist_ok=True)
        for file_name, identity in self._files().items():
            (folder / f"{file_name}.pem").write_bytes(identity.certificate_pem)
            key_file = folder / f"{file_name}.key"
            key_file.touch(mode=0o600)
            key_file.write_bytes(
                identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
                + identity.issuer.public_bytes(Encoding.PEM)
            )
        (folder / "upo-seal.p12").write_bytes(self.upo_seal.pkcs12(UPO_PASSWORD))
        trust = folder / "trust.toml"
        trust.write_text(TRUST_TOML, encoding="utf-8")
        return trust

    @classmethod
    def load(cls, folder: Path) -> Pki:
        """Read back what `save` wrote. Raises FileNotFoundError when a part is missing."""
        return cls(**{file_name.replace("-", "_"): _load(folder, file_name) for file_name in cls._names()})

    def _files(self) -> dict[str, Identity]:
        return {file_name: getattr(self, file_name.replace("-", "_")) for file_name in self._names()}

    @staticmethod
    def _names() -> tuple[str, ...]:
        return ("root", "trusted-profile", "trusted-profile-lookalike", "qualified-ca", "qualified", "upo-seal")


@functools.cache
def shared() -> Pki:
    """One PKI for the whole process."""
    return Pki.create()


def name(common_name: str, organisation: str, organisation_id: str | None = None) -> x509.Name:
    """A subject of an authority or a seal, in Poland."""
    parts = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "PL"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
    ]
    if organisation_id:
        parts.append(x509.NameAttribute(_SUBJECT_ORGANISATION_ID, organisation_id))
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def person_name(first_name: str, surname: str, pesel: str) -> x509.Name:
    """A subject of a qualified certificate: PESEL as `PNOPL-…` in serialNumber (ETSI EN 319 412-1)."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "PL"),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, f"PNOPL-{pesel}"),
            x509.NameAttribute(NameOID.GIVEN_NAME, first_name),
            x509.NameAttribute(NameOID.SURNAME, surname),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{first_name} {surname}"),
        ]
    )


def new_key(kind: str = "rsa2048") -> PrivateKey:
    """`rsa2048`, `rsa1024` (for refusals), `p256`, `p384`, `p521`."""
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind.removeprefix("rsa")))
    curves: dict[str, ec.EllipticCurve] = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1()}
    return ec.generate_private_key(curves[kind])


def authority(subject: x509.Name, issuer: Identity | None = None, *, at: datetime, key: str = "p256") -> Identity:
    """A certification authority: a root when `issuer` is None."""
    own = new_key(key)
    usage = _usage(key_cert_sign=True, crl_sign=True)
    builder = _builder(subject, issuer.certificate.subject if issuer else subject, own, at)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return _sign(builder.add_extension(usage, critical=True), own, issuer)


def issue(
    subject: x509.Name,
    issuer: Identity,
    *,
    at: datetime,
    key: PrivateKey | None = None,
    usage: x509.KeyUsage | None = None,
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = (),
    valid: tuple[timedelta, timedelta] = (timedelta(days=365), timedelta(days=3 * 365)),
) -> Identity:
    """An end-entity certificate (a seal unless `usage` says otherwise); `valid` reaches before and after `at`."""
    own = key or new_key()
    builder = _builder(subject, issuer.certificate.subject, own, at, valid)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(usage or _usage(digital_signature=True, content_commitment=True), critical=True)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return _sign(builder, own, issuer)


def qualified_person(
    first_name: str,
    surname: str,
    pesel: str,
    issuer: Identity,
    *,
    at: datetime,
    key: PrivateKey | None = None,
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = (),
) -> Identity:
    """A person's qualified certificate as they are issued: nonRepudiation only, qcStatements."""
    statements = x509.UnrecognizedExtension(_QC_STATEMENTS, _QC_COMPLIANCE_AND_SSCD)
    return issue(
        person_name(first_name, surname, pesel),
        issuer,
        at=at,
        key=key,
        usage=_usage(content_commitment=True),
        extensions=((statements, False), *extensions),
    )


def self_signed(subject: x509.Name, *, claimed_issuer: x509.Name | None = None, at: datetime) -> Identity:
    """Anybody's certificate with any names in it: what an impostor makes."""
    own = new_key()
    return _sign(_builder(subject, claimed_issuer or subject, own, at), own, None)


def self_signed_with(key: str) -> Identity:
    """A certificate of nobody, with a key of this kind (see `new_key`)."""
    own, subject = new_key(key), name(f"TEST {key}", "TEST")
    return _sign(_builder(subject, subject, own, datetime.now(UTC)), own, None)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: PrivateKey,
    at: datetime,
    valid: tuple[timedelta, timedelta] = (timedelta(days=365), timedelta(days=3 * 365)),
) -> x509.CertificateBuilder:
    before, after = valid
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - before)
        .not_valid_after(at + after)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _sign(builder: x509.CertificateBuilder, own: PrivateKey, issuer: Identity | None) -> Identity:
    signing_key = issuer.key if issuer else own
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()), critical=False
    )
    certificate = builder.sign(signing_key, hashes.SHA256())
    return Identity(certificate, own, issuer.certificate if issuer else certificate)


def _usage(
    *,
    digital_signature: bool = False,
    content_commitment: bool = False,
    key_cert_sign: bool = False,
    crl_sign: bool = False,
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=content_commitment,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _load(folder: Path, file_name: str) -> Identity:
    pem = (folder / f"{file_name}.key").read_bytes()
    key = load_pem_private_key(pem, None)
    if not isinstance(key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)):
        raise TypeError(f"{file_name}.key: neither RSA nor EC")
    return Identity(
        certificate=x509.load_pem_x509_certificate((folder / f"{file_name}.pem").read_bytes()),
        key=key,
        issuer=x509.load_pem_x509_certificate(pem),
    )
