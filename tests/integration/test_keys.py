"""Signing keys from files and from a software token, rolled over in time."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pkcs11
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from lxml import etree
from pydantic import SecretStr
from signxml import XMLSigner, XMLVerifier, methods
from signxml.verifier import SignatureConfiguration

from gateway.keys import KeyOptions, KeyRing, SigningKey, from_pem, from_pkcs12, load, load_ring
from gateway.simulate import pki
from gateway.simulate.pki import Identity, PrivateKey
from gateway.tokens import TokenKey, open_key
from schemas.errors import TrustError
from schemas.texts import all_texts
from tests.softhsm import LABEL, PIN, SoftHsm, soft_hsm, the_session
from tests.trust_pki import DAY, HOUR, T


@pytest.fixture(scope="module")
def root() -> Identity:
    return pki.authority(pki.name("TEST Root", "TEST"), at=T)


@pytest.fixture
def hsm() -> SoftHsm:
    return soft_hsm()


def seal(root: Identity, key: PrivateKey | TokenKey | None = None, at: int = 0, days: int = 365) -> Identity:
    """A seal valid from `at` days after T for `days` days."""
    moment = T + at * DAY
    valid = (timedelta(0), days * DAY)
    return pki.issue(pki.name("TEST Pieczęć", "TEST"), root, at=moment, key=key or pki.new_key("p256"), valid=valid)  # type: ignore[arg-type]


def refused(work: object) -> str:
    with pytest.raises(TrustError) as error:
        work()  # type: ignore[operator]
    assert error.value.code in all_texts()
    return error.value.code


def pem(folder: Path, identity: Identity, password: str = "", chain: tuple[Identity, ...] = ()) -> tuple[Path, Path]:
    encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    (folder / "key.pem").write_bytes(identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    (folder / "certificate.pem").write_bytes(b"".join(item.certificate_pem for item in (identity, *chain)))
    return folder / "key.pem", folder / "certificate.pem"


# --- files


def test_a_key_from_pkcs12(root: Identity, tmp_path: Path) -> None:
    identity = seal(root)
    (tmp_path / "seal.p12").write_bytes(identity.pkcs12("hasło"))
    found = from_pkcs12(tmp_path / "seal.p12", "hasło")
    assert found.certificate == identity.certificate
    assert found.chain == ()  # the root stays out of signatures


def test_the_authority_in_between_goes_with_the_key(root: Identity, tmp_path: Path) -> None:
    between = pki.authority(pki.name("TEST CA", "TEST"), root, at=T)
    files = pem(tmp_path, seal(between), chain=(between, root))
    assert from_pem(*files).chain == (between.certificate,)


@pytest.mark.parametrize("password", ["", "tajne"])
def test_a_key_from_pem(root: Identity, tmp_path: Path, password: str) -> None:
    identity = seal(root)
    assert from_pem(*pem(tmp_path, identity, password), password).certificate == identity.certificate


def test_a_wrong_password_or_file_is_unreadable(root: Identity, tmp_path: Path) -> None:
    (tmp_path / "seal.p12").write_bytes(seal(root).pkcs12("dobre"))
    key, certificate = pem(tmp_path, seal(root), "dobre")
    assert refused(lambda: from_pkcs12(tmp_path / "seal.p12", "złe")) == "key.unreadable"
    assert refused(lambda: from_pkcs12(tmp_path / "nie-ma.p12", "")) == "key.unreadable"
    assert refused(lambda: from_pem(key, certificate, "złe")) == "key.unreadable"
    assert refused(lambda: from_pem(key, certificate)) == "key.unreadable"
    assert refused(lambda: from_pem(key, tmp_path / "nie-ma.pem", "dobre")) == "key.unreadable"
    assert refused(lambda: load(KeyOptions(kind="pem"))) == "key.unreadable"


def test_a_key_of_another_certificate_is_unfit(root: Identity, tmp_path: Path) -> None:
    key, _ = pem(tmp_path, seal(root))
    (tmp_path / "other").mkdir()
    _, certificate = pem(tmp_path / "other", seal(root))
    assert refused(lambda: from_pem(key, certificate)) == "key.unfit"


def test_a_short_key_is_unfit(root: Identity, tmp_path: Path) -> None:
    weak = seal(root, pki.new_key("rsa1024"))
    assert refused(lambda: from_pem(*pem(tmp_path, weak))) == "key.unfit"


def test_options_name_each_kind_and_hide_the_password(root: Identity, tmp_path: Path) -> None:
    identity = seal(root)
    (tmp_path / "seal.p12").write_bytes(identity.pkcs12("hasło"))
    pem(tmp_path, identity)
    options = (
        KeyOptions(kind="pkcs12", file=Path("seal.p12"), password=SecretStr("hasło")),
        KeyOptions(kind="pem", file=Path("key.pem"), certificate=Path("certificate.pem")),
    )
    ring = load_ring(options, tmp_path)
    assert [key.certificate for key in ring.keys] == [identity.certificate] * 2
    assert "hasło" not in repr(options)
    assert "hasło" not in str(ring)


# --- roll-over


def ring(*identities: Identity) -> KeyRing:
    return KeyRing(tuple(SigningKey.of(item.key, item.certificate) for item in identities))


def test_the_successor_signs_from_the_moment_it_is_valid(root: Identity) -> None:
    old, new = seal(root, at=0, days=365), seal(root, at=335, days=365)
    keys = ring(old, new)
    assert keys.signing(T + 334 * DAY).certificate == old.certificate
    assert keys.signing(T + 335 * DAY).certificate == new.certificate
    assert keys.signing(T + 400 * DAY).certificate == new.certificate


def test_the_old_one_is_still_recognised_and_a_strangers_is_not(root: Identity) -> None:
    old, new = seal(root, at=0, days=10), seal(root, at=5)
    keys = ring(old, new)
    assert keys.recognises(old.certificate)
    assert keys.recognises(new.certificate)
    assert not keys.recognises(seal(root).certificate)


def test_with_none_valid_nothing_is_signed(root: Identity) -> None:
    keys = ring(seal(root, days=10))
    assert refused(lambda: keys.signing(T + 11 * DAY)) == "key.none_valid"
    assert refused(lambda: keys.signing(T - DAY)) == "key.none_valid"


def test_expiry_is_a_number_of_days_and_a_warning(root: Identity) -> None:
    keys = ring(seal(root, days=40))
    assert (keys.expires_in_days(T), keys.warns(T)) == (40, False)
    assert (keys.expires_in_days(T + 10 * DAY), keys.warns(T + 10 * DAY)) == (30, True)
    assert keys.expires_in_days(T + 39 * DAY + HOUR) == 0
    assert keys.expires_in_days(T + 41 * DAY) == -1
    assert keys.keys[0].expires_in_days(T) == 40


def test_a_successor_without_a_gap_silences_the_warning_and_one_with_a_gap_does_not(root: Identity) -> None:
    now = T + 20 * DAY
    assert not ring(seal(root, days=30), seal(root, at=25, days=365)).warns(now)
    assert ring(seal(root, days=30), seal(root, at=31, days=365)).warns(now)


# --- the token


def verified(key: TokenKey, data: bytes, **how: object) -> bool:
    public = key.public
    if isinstance(public, rsa.RSAPublicKey):
        scheme = how.get("scheme") or padding.PKCS1v15()
        assert isinstance(scheme, padding.AsymmetricPadding)
        public.verify(key.sign(data, scheme, hashes.SHA256()), data, scheme, hashes.SHA256())
    else:
        public.verify(key.sign(data, ec.ECDSA(hashes.SHA256())), data, ec.ECDSA(hashes.SHA256()))
    return True


@pytest.mark.parametrize("label", ["rsa", "p256"])
def test_what_the_token_signs_cryptography_verifies(hsm: SoftHsm, label: str) -> None:
    assert verified(hsm.key(label), b"dokument")


def test_the_token_signs_pss(hsm: SoftHsm) -> None:
    assert verified(hsm.key("rsa"), b"dokument", scheme=padding.PSS(padding.MGF1(hashes.SHA256()), 32))


@pytest.mark.parametrize(("label", "method"), [("rsa", "RSA_SHA256"), ("p256", "ECDSA_SHA256")])
def test_signxml_signs_with_a_key_on_the_token(root: Identity, hsm: SoftHsm, label: str, method: str) -> None:
    identity = seal(root, hsm.key(label))
    signer = XMLSigner(
        method=methods.enveloped, signature_algorithm=getattr(__import__("signxml").SignatureMethod, method)
    )
    signed = etree.tostring(
        signer.sign(etree.fromstring(b"<a><b/></a>"), key=hsm.key(label), cert=[identity.certificate])
    )
    expected = SignatureConfiguration(signature_methods=frozenset([signer.sign_alg]))
    XMLVerifier().verify(signed, x509_cert=identity.certificate, expect_config=expected)
    with pytest.raises(Exception, match=r"(?i)digest|signature"):
        XMLVerifier().verify(signed.replace(b"<b/>", b"<c/>"), x509_cert=identity.certificate, expect_config=expected)


@pytest.mark.parametrize("label", ["rsa", "p256"])
def test_a_key_is_loaded_from_the_token_with_its_certificate(
    root: Identity, hsm: SoftHsm, tmp_path: Path, label: str
) -> None:
    (tmp_path / "seal.pem").write_bytes(seal(root, hsm.key(label)).certificate_pem)
    signing = load(token_options(hsm, label), tmp_path)
    assert isinstance(signing.key, TokenKey)
    assert verified(signing.key, b"dokument")


def token_options(hsm: SoftHsm, label: str, **changed: object) -> KeyOptions:
    given = {
        "kind": "pkcs11", "module": Path(hsm.module), "token": LABEL, "label": label,
        "certificate": Path("seal.pem"), "password": SecretStr(PIN),
    }  # fmt: skip
    return KeyOptions.model_validate({**given, **changed})


def test_a_certificate_of_another_key_on_the_token_is_found_out_by_a_signature(
    root: Identity, hsm: SoftHsm, tmp_path: Path
) -> None:
    (tmp_path / "seal.pem").write_bytes(seal(root, pki.new_key("rsa2048")).certificate_pem)
    assert refused(lambda: load(token_options(hsm, "rsa"), tmp_path)) == "key.unfit"


def test_a_missing_key_or_token_or_library_is_told_apart(root: Identity, hsm: SoftHsm, tmp_path: Path) -> None:
    (tmp_path / "seal.pem").write_bytes(seal(root, hsm.key("rsa")).certificate_pem)
    assert refused(lambda: load(token_options(hsm, "nie-ma"), tmp_path)) == "key.token_key_missing"
    assert refused(lambda: load(token_options(hsm, "rsa", token="inny"), tmp_path)) == "key.token_missing"
    assert (
        refused(lambda: load(token_options(hsm, "rsa", module=tmp_path / "nie-ma.so"), tmp_path)) == "key.token_failed"
    )


def test_many_threads_sign_through_one_session(hsm: SoftHsm) -> None:
    # python-pkcs11 fails and poisons the process when threads use it concurrently, even with a session each
    keys = [hsm.key("rsa"), hsm.key("p256")]
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda number: verified(keys[number % 2], b"%d" % number), range(400)))
    assert done == [True] * 400
    assert keys[0].token is keys[1].token


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the library's search, cut off
def test_a_lost_session_is_opened_anew(hsm: SoftHsm) -> None:
    key = hsm.key("rsa")
    the_session(key).close()
    assert verified(key, b"dokument")


def test_the_private_key_does_not_leave_the_token(hsm: SoftHsm) -> None:
    key = hsm.key("rsa")
    found = the_session(key).get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label="rsa")
    with pytest.raises(pkcs11.exceptions.PKCS11Error):
        found[pkcs11.Attribute.PRIVATE_EXPONENT]


def _in_child(answers: object, key: TokenKey) -> None:
    try:
        key.sign(b"x", padding.PKCS1v15(), hashes.SHA256())
    except TrustError as error:
        answers.put(error.code)  # type: ignore[attr-defined]
    else:
        answers.put("signed")  # type: ignore[attr-defined]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_may_not_use_the_parents_token(hsm: SoftHsm) -> None:
    forking = multiprocessing.get_context("fork")
    answers = forking.SimpleQueue()
    child = forking.Process(target=_in_child, args=(answers, hsm.key("rsa")))
    child.start()
    child.join(30)
    assert answers.get() == "key.token_forked"


def test_a_wrong_pin_is_refused(tmp_path: Path, hsm: SoftHsm) -> None:
    # asked in a process of its own: this one is logged in already, and login is the process's
    spawning = multiprocessing.get_context("spawn")
    answers = spawning.SimpleQueue()
    child = spawning.Process(target=_with_wrong_pin, args=(answers, hsm.module))
    child.start()
    child.join(60)
    assert answers.get() == "key.token_refused"


def _with_wrong_pin(answers: object, module: str) -> None:
    try:
        open_key(module, LABEL, "zły", "rsa", pki.new_key("p256").public_key())
    except TrustError as error:
        answers.put(error.code)  # type: ignore[attr-defined]


def test_a_signature_over_other_data_does_not_verify(hsm: SoftHsm) -> None:
    key = hsm.key("rsa")
    value = key.sign(b"dokument", padding.PKCS1v15(), hashes.SHA256())
    public = key.public
    assert isinstance(public, rsa.RSAPublicKey)
    with pytest.raises(InvalidSignature):
        public.verify(value, b"inny", padding.PKCS1v15(), hashes.SHA256())
