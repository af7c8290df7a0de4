"""Every known attack is refused with its own code, quickly, without a connection, and nothing unsigned goes on."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from gateway.signatures import verify
from gateway.simulate import citizens, pki
from schemas.verification import Crypto, Indication, Verification
from tests import attacks
from tests.attack_documents import EVIL
from tests.attacks import Attack
from tests.signing import honest_s, trust

LISTENING = socket.create_server(("127.0.0.1", 0))
URL = f"http://127.0.0.1:{LISTENING.getsockname()[1]}/x"
ATTACKS = attacks.attacks(URL)


@pytest.fixture(scope="module", autouse=True)
def connections() -> Iterator[list[object]]:
    """Who called at the address every attack points to; nobody may."""
    seen: list[object] = []

    def accept() -> None:
        while True:
            try:
                connection, caller = LISTENING.accept()
            except OSError:
                return
            seen.append(caller)
            connection.close()

    threading.Thread(target=accept, daemon=True).start()
    yield seen
    LISTENING.shutdown(socket.SHUT_RDWR)
    LISTENING.close()
    assert seen == []


def codes(result: Verification) -> set[str]:
    found = {item.code for item in result.reasons}
    return found.union(*({item.code for item in verdict.reasons} for verdict in result.signatures))


def _without_port(title: str) -> str:
    """The same name in every process: the listener's port is another each time."""
    return re.sub(r"(?<=127\.0\.0\.1:)\d+", "PORT", title)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda item: _without_port(f"{item.number} {item.title}"))
def test_the_attack_is_refused_with_its_code(attack: Attack) -> None:
    document = attack.document()
    started = time.thread_time()
    result = verify(document, trust(), scope=attack.scope)  # type: ignore[arg-type]
    spent = time.thread_time() - started
    assert attack.code in codes(result)
    assert result.indication is not Indication.PASSED
    assert spent < 20_000 * honest_s()
    assert result.signed_xml is None or EVIL.encode() not in result.signed_xml


def test_every_attack_of_the_list_has_its_test() -> None:
    elsewhere = {5, 18, 36}  # tests of their own below
    assert {item.number for item in ATTACKS} | elsewhere == set(range(1, 38))


def test_what_only_points_elsewhere_is_accepted_and_not_followed() -> None:  # 5
    document = (
        f'<?xml-stylesheet type="text/xsl" href="{URL}"?><a xmlns:i="http://www.w3.org/2001/XInclude" '
        f'xmlns:s="http://www.w3.org/2001/XMLSchema-instance" s:schemaLocation="urn:a {URL}">'
        f'<i:include href="{URL}"/><i:include href="file:///etc/passwd" parse="text"/></a>'
    ).encode()
    signed = citizens.sign_trusted_profile(document, citizens.person(1), pki.shared())
    result = verify(signed, trust())
    assert result.indication is Indication.PASSED
    assert result.signed_xml is not None
    assert b"root:" not in result.signed_xml


@pytest.mark.parametrize("role", ["PodpisZP", "EPSignature"])
def test_a_comment_inside_a_text_does_not_hide_the_rest_of_it(role: citizens.Role) -> None:  # 18
    person = citizens.person(4)
    signed = citizens.sign_trusted_profile(b"<a><b>admin.evil</b></a>", person, pki.shared(), role)
    pesel = person.pesel.encode()
    signed = signed.replace(pesel, pesel[:4] + b"<!-- -->" + pesel[4:]).replace(b"admin.", b"admin<!-- -->.")
    result = verify(signed, trust())
    assert result.signatures[0].crypto is Crypto.INTACT
    assert result.signatures[0].signer is not None
    assert result.signatures[0].signer.pesel == person.pesel
    assert result.signed_xml == b"<a><b>admin.evil</b></a>"


def test_what_goes_on_is_octet_for_octet_what_was_digested() -> None:  # 36
    document = "<a  x = '1'><![CDATA[<b>]]>\r\n<!-- c -->zażółć</a>".encode()
    signed = citizens.sign_trusted_profile(document, citizens.person(1), pki.shared())
    result = verify(signed, trust())
    digest = re.search(rb"<ds:DigestValue>([^<]*)<", signed)
    assert result.signed_xml is not None
    assert digest is not None
    assert base64.b64encode(hashlib.sha256(result.signed_xml).digest()) == digest[1]


def test_the_real_signer_is_reported_whoever_is_listed_first() -> None:  # 26
    (attack,) = (item for item in ATTACKS if item.number == 26)
    (verdict,) = verify(attack.document(), trust()).signatures
    attacker = pki.shared().trusted_profile_lookalike.certificate
    assert verdict.signer is not None
    assert verdict.signer.certificate_sha256 == hashlib.sha256(_der(attacker)).hexdigest()
    assert verdict.signer.kind == "unknown"


def test_a_role_outside_the_signed_properties_is_not_read() -> None:
    person, other = citizens.person(1), citizens.person(2)
    signed = citizens.sign_trusted_profile(b"<a/>", person, pki.shared())
    role = re.search(rb"<xades:SignerRole>.*</xades:SignerRole>", signed)
    assert role is not None
    forged = role[0].replace(person.pesel.encode(), other.pesel.encode())
    signed = signed.replace(
        b"</ds:Signature>", b'<ds:Object xmlns:xades="urn:x">' + forged + b"</ds:Object></ds:Signature>"
    )
    (verdict,) = verify(signed, trust()).signatures
    assert verdict.signer is not None
    assert verdict.signer.pesel == person.pesel


def test_one_broken_signature_spoils_the_whole_but_each_is_told_apart() -> None:  # 31
    (attack,) = (item for item in ATTACKS if item.title == "one of two broken")
    result = verify(attack.document(), trust(), scope="crypto")
    assert [item.crypto for item in result.signatures] == [Crypto.INTACT, Crypto.BROKEN]
    assert result.indication is Indication.FAILED


def test_an_expired_certificate_and_one_not_meant_for_signing_are_not_enough() -> None:  # 29
    own, moment = pki.shared(), datetime.now(UTC)
    ca = own.qualified_ca
    expired = pki.issue(
        pki.person_name("Anna", "Próbna", "80010112340"), ca, at=moment, valid=(timedelta(days=9), timedelta(days=-1))
    )
    usage = pki.issue(pki.person_name("Anna", "Próbna", "80010112340"), ca, at=moment, usage=pki._usage(crl_sign=True))
    for identity, code in ((expired, "signature.certificate_expired"), (usage, "signature.key_usage")):
        signed = citizens.sign_qualified(b"<a/>", citizens.person(1), own, identity=identity)
        result = verify(signed, trust())
        assert code in codes(result)
        assert result.indication is Indication.INDETERMINATE


def test_names_in_a_certificate_never_reach_the_reasons() -> None:
    identity = pki.self_signed(pki.name("evil\nsignature=valid", "x\r\ny"), at=datetime.now(UTC))
    signed = citizens.sign_qualified(b"<a/>", citizens.person(1), pki.shared(), identity=identity)
    shown = str(verify(signed, trust()).signatures[0].reasons)
    assert "evil" not in shown


def _der(certificate: object) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.DER)  # type: ignore[attr-defined, no-any-return]
