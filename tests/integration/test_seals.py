"""Our seals as configured: several keys around a roll-over, a token, and time-stamps that may or must be there."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway import config as settings
from gateway.config import Config
from gateway.keys import KeyRing, SigningKey
from gateway.receipt import UppFacts
from gateway.seals import Seals, load_seals
from gateway.simulate import pki
from gateway.simulate.pki import Identity
from gateway.tokens import TokenKey
from schemas.errors import ConfigError, ReceiptError, TrustError
from schemas.receipt import ReceiptParty
from schemas.texts import all_texts
from tests.softhsm import LABEL, PIN, soft_hsm
from tests.trust_pki import DAY, T

DOCUMENT = b"<wniosek/>"
FACTS = UppFacts("TEST-1", ReceiptParty("TEST Urząd"), None, "DOK1", "1", "wniosek.xml", T)


@pytest.fixture(scope="module")
def root() -> Identity:
    return pki.authority(pki.name("TEST Root", "TEST"), at=T)


def seal(root: Identity, since: int, days: int, key: object = None) -> Identity:
    own = key or pki.new_key("p256")
    valid = (0 * DAY, days * DAY)
    return pki.issue(pki.name("TEST Pieczęć", "TEST"), root, at=T + since * DAY, key=own, valid=valid)  # type: ignore[arg-type]


def configured(folder: Path, receipt: str) -> Config:
    (folder / "gateway.toml").write_text(receipt, encoding="utf-8")
    return settings.load(folder)


def refused(work: object) -> str:
    with pytest.raises((ReceiptError, TrustError)) as error:
        work()  # type: ignore[operator]
    assert error.value.code in all_texts()
    return error.value.code


def test_the_successor_takes_over_and_a_token_after_it(root: Identity, tmp_path: Path) -> None:
    hsm = soft_hsm()
    first, second = seal(root, 0, 30), seal(root, 25, 30)
    third = seal(root, 50, 30, hsm.key("rsa"))
    (tmp_path / "first.p12").write_bytes(first.pkcs12("pierwsze"))
    (tmp_path / "secret").write_text("pierwsze")
    (tmp_path / "second.key").write_bytes(second.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "second.pem").write_bytes(second.certificate_pem)
    (tmp_path / "third.pem").write_bytes(third.certificate_pem)
    (tmp_path / "pin").write_text(PIN)

    seals = load_seals(
        configured(
            tmp_path,
            f"""
            [receipt]
            key = "first.p12"
            password = "file:secret"
            [[receipt.keys]]
            kind = "pem"
            file = "second.key"
            certificate = "second.pem"
            [[receipt.keys]]
            kind = "pkcs11"
            module = "{hsm.module}"
            token = "{LABEL}"
            label = "rsa"
            certificate = "third.pem"
            password = "file:pin"
            """,
        )
    )

    assert seals.key(T + DAY).certificate == first.certificate
    assert seals.key(T + 25 * DAY).certificate == second.certificate
    assert isinstance(seals.key(T + 60 * DAY).key, TokenKey)
    assert seals.ring.expires_in_days(T) == 80
    assert refused(lambda: seals.key(T + 81 * DAY)) == "key.none_valid"


def test_without_a_key_nothing_is_sealed(tmp_path: Path) -> None:
    seals = load_seals(configured(tmp_path, ""))
    assert refused(lambda: seals.issue(FACTS, DOCUMENT, T)) == "receipt.no_seal"


def test_a_missing_file_or_secret_is_told_before_anything_is_sealed(root: Identity, tmp_path: Path) -> None:
    missing = configured(tmp_path, '[receipt]\nkey = "nie-ma.p12"\n')
    assert refused(lambda: load_seals(missing)) == "key.unreadable"
    unset = configured(tmp_path, '[receipt]\nkey = "nie-ma.p12"\npassword = "file:nie-ma"\n')
    with pytest.raises(ConfigError):
        load_seals(unset)


def failing(_octets: bytes) -> bytes:
    raise ReceiptError("receipt.time_stamp_unavailable", reason="trust.fetch_failed")


def seals_with(root: Identity, stamp: object, *, required: bool) -> Seals:
    identity = seal(root, 0, 30)
    ring = KeyRing((SigningKey.of(identity.key, identity.certificate),))
    return Seals(ring, stamp, required)  # type: ignore[arg-type]


def test_a_receipt_goes_out_without_a_time_stamp_unless_one_is_required(root: Identity) -> None:
    receipt = seals_with(root, failing, required=False).issue(FACTS, DOCUMENT, T)
    assert b"SignatureTimeStamp" not in receipt.xml
    strict = seals_with(root, failing, required=True)
    assert refused(lambda: strict.issue(FACTS, DOCUMENT, T)) == "receipt.time_stamp_unavailable"
    stamped = seals_with(root, lambda _: b"token", required=True).issue(FACTS, DOCUMENT, T)
    assert b"SignatureTimeStamp" in stamped.xml
