"""Qualified signatures in the main flow: the report is kept, and looked at again when newer data are due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from sqlalchemy import func, select, text

from gateway import sweep
from gateway.signatures import TrustPolicy
from gateway.simulate import authorities, documents
from gateway.simulate.authorities import Revoked
from gateway.simulate.citizens import sign_qualified
from gateway.simulate.people import person
from gateway.store import reports
from gateway.trust.report import ValidationReport, confirm
from gateway.trust.service import TrustService
from gateway.trust.settings import RevocationSettings, TrustSettings
from gateway.trust.source import RevocationSource
from gateway.trust.verdict import Anchor, RevocationEvidence
from gateway.trusted import Trusted, verifier
from schemas.submission import Submission
from schemas.verification import Indication
from tests.builders import TERYT, pki
from tests.gateways import Gateway

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WHO = person(7)


class Office:
    """A gateway that judges by path and revocation, and what the authority has published so far."""

    def __init__(self, gateway: Gateway, folder: Path) -> None:
        self.source = RevocationSource()
        anchors = (Anchor(pki().qualified_ca.certificate),)
        paths = TrustService(lambda _: anchors, self.source)
        settings = TrustSettings(folder=folder, revocation=RevocationSettings())
        policy = TrustPolicy(environment="test", judge=paths)
        verify = verifier(policy, Trusted(settings, (), paths, None, None), gateway.tools.clock)
        self.gateway = gateway.with_tools(verify=verify, verify_again=verify)
        self.store = gateway.tools.store

    def publishes(self, *revoked: Revoked, at: datetime, valid_for: timedelta = DAY) -> None:
        crl = authorities.crl(pki().qualified_ca, revoked, at=at, valid_for=valid_for)
        self.source.bundle = RevocationEvidence(crls=(crl,))

    def receive(self) -> Submission:
        written = documents.property_return(TERYT, seed=7, taxpayer=WHO)
        return self.gateway.receive(sign_qualified(written, WHO, pki()))

    def report(self, submission: Submission) -> ValidationReport | None:
        with self.store.begin() as transaction:
            stored = reports.latest(transaction, submission.id)
        return ValidationReport.from_json(stored) if stored else None

    def count(self, table: str) -> int:
        with self.store.begin() as transaction:
            return int(transaction.execute(select(func.count()).select_from(text(table))).scalar_one())

    def due(self) -> datetime | None:
        with self.store.begin() as transaction:
            query = text("SELECT max(recheck_at) FROM validation_report")
            found: datetime | None = transaction.execute(query).scalar()
            return found

    def time_comes(self) -> None:
        with self.store.begin() as transaction:
            transaction.execute(
                text(
                    "UPDATE validation_report SET recheck_at = now() - interval '1 second' WHERE recheck_at IS NOT NULL"
                )
            )


@pytest.fixture
def office(gateway: Gateway, tmp_path: Path) -> Office:
    return Office(gateway, tmp_path)


def now() -> datetime:
    return datetime.now(UTC)


def test_a_qualified_signature_is_accepted_and_its_report_confirmed_from_the_store(office: Office) -> None:
    office.publishes(at=now() + HOUR)
    submission = office.receive()

    report = office.report(submission)

    assert submission.decision == "accepted"
    assert report is not None
    assert report.document_sha256 == submission.sha256
    assert confirm(report) == (True,)
    assert office.due() is None


def test_what_cannot_be_told_yet_is_quarantined_and_looked_at_again(office: Office) -> None:
    submission = office.receive()
    assert (submission.decision, submission.reason) == ("quarantined", "policy.trust_indeterminate")
    due = office.due()
    assert due is not None
    assert due > now()

    office.publishes(at=now() + HOUR)
    office.time_comes()
    sweep.sweep(office.gateway.tools)

    report = office.report(submission)
    assert report is not None
    assert report.verification.indication is Indication.PASSED
    assert "verified_again" in office.gateway.words(submission)
    assert office.gateway.load(submission).decision == "quarantined"  # a person decides, and now knows more
    assert office.due() is None


def test_data_older_than_the_signature_are_looked_at_again_when_the_next_are_due(office: Office) -> None:
    office.publishes(at=now() - HOUR)
    submission = office.receive()
    assert submission.decision == "accepted"
    assert office.due() is not None

    certificate = _certificate_of(office.report(submission))
    office.publishes(Revoked(certificate, now() - HOUR / 2), at=now() + HOUR)
    office.time_comes()
    sweep.sweep(office.gateway.tools)

    report = office.report(submission)
    assert report is not None
    assert report.verification.signatures[0].sub_indication == "REVOKED_NO_POE"
    assert office.count("validation_report") == 2


def _certificate_of(report: ValidationReport | None) -> x509.Certificate:
    assert report is not None
    assert report.evidence[0].trust is not None
    return x509.load_der_x509_certificate(report.evidence[0].trust.chain[0])


def test_nothing_new_only_waits_longer(office: Office) -> None:
    submission = office.receive()
    office.time_comes()
    sweep.sweep(office.gateway.tools)
    due = office.due()
    assert due is not None
    assert due > now()
    assert office.count("validation_report") == 1
    assert "verified_again" not in office.gateway.words(submission)


def test_a_process_that_dies_while_looking_loses_nothing(office: Office) -> None:
    office.receive()
    office.time_comes()
    with office.store.begin() as transaction:
        assert len(reports.take_due(transaction)) == 1
    with office.store.begin() as transaction:
        assert reports.take_due(transaction) == []  # somebody has it, for a while
    assert office.due() is not None


def test_the_same_list_is_kept_once_for_all(office: Office) -> None:
    office.publishes(at=now() + HOUR)
    office.receive()
    before = office.count("evidence")
    written = documents.property_return(TERYT, seed=8, taxpayer=WHO)
    office.gateway.receive(sign_qualified(written, WHO, pki()))
    assert office.count("validation_report") == 2
    assert office.count("evidence") == before + 1  # another certificate of the same person, nothing else


def test_a_pinned_seal_leaves_a_report_and_nothing_to_look_at_again(gateway: Gateway) -> None:
    submission = gateway.receive()
    with gateway.tools.store.begin() as transaction:
        assert reports.latest(transaction, submission.id) is not None
        assert reports.take_due(transaction) == []
