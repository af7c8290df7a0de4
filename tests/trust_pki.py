"""A small generated world for the trust tests: root, authority, a person, and what they publish on a time line."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509

from gateway.simulate import authorities, pki
from gateway.simulate.authorities import Revoked
from gateway.simulate.pki import Identity
from gateway.trust import Anchor, RevocationEvidence, TrustVerdict, judge
from schemas.verification import Indication

T = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
PASSED, INDETERMINATE, FAILED = Indication.PASSED, Indication.INDETERMINATE, Indication.FAILED
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class World:
    """`root` is the anchor, `ca` issues to `person`; every published piece says which time it is from."""

    def __init__(self) -> None:
        self.root = pki.authority(pki.name("TEST Root", "TEST"), at=T)
        self.ca = pki.authority(pki.name("TEST Kwalifikowane CA", "TEST"), self.root, at=T)
        self.person = self.qualified()
        self.responder = authorities.ocsp_responder(self.ca, at=T)
        self.anchors = (Anchor(self.root.certificate),)

    def qualified(self, *, extensions: tuple[tuple[x509.ExtensionType, bool], ...] = ()) -> Identity:
        """A qualified certificate with a fresh P-256 key."""
        key = pki.new_key("p256")
        return pki.qualified_person("JAN", "TESTOWY", "80010112340", self.ca, at=T, key=key, extensions=extensions)

    def crls(self, at: datetime = T, *revoked: Revoked) -> RevocationEvidence:
        """Lists of both authorities from `at`; `revoked` are entries of the lower one's."""
        return RevocationEvidence(
            crls=(
                authorities.crl(self.root, at=at, valid_for=30 * DAY),
                authorities.crl(self.ca, revoked, at=at, valid_for=DAY),
            )
        )

    def root_list(self, at: datetime = T, *revoked: Revoked) -> RevocationEvidence:
        """Only the root's list: the authority's own status."""
        return RevocationEvidence(crls=(authorities.crl(self.root, revoked, at=at, valid_for=30 * DAY),))

    def answer(self, at: datetime = T, revoked: Revoked | None = None, **how: object) -> RevocationEvidence:
        """An OCSP answer about the person."""
        responder = how.pop("responder", self.responder)
        assert isinstance(responder, Identity)
        answer = authorities.ocsp_answer(
            self.person.certificate,
            self.ca.certificate,
            responder,
            at=at,
            revoked=revoked,
            **how,  # type: ignore[arg-type]
        )
        return RevocationEvidence(ocsps=(answer,))

    def chain(self) -> Sequence[x509.Certificate]:
        """What a signature's KeyInfo carries beside the signer's certificate."""
        return (self.ca.certificate,)


@functools.cache
def world() -> World:
    """One for the whole run: nothing in it is ever changed."""
    return World()


def ask(w: World, evidence: RevocationEvidence | None = None, **how: Any) -> TrustVerdict:
    """Judge the person's certificate at T with complete lists, unless told otherwise."""
    certificate = how.pop("certificate", w.person.certificate)
    chain = how.pop("chain", w.chain())
    anchors = how.pop("anchors", w.anchors)
    how.setdefault("at", T)
    return judge(certificate, chain, anchors, evidence=w.crls() if evidence is None else evidence, **how)


def codes(verdict: TrustVerdict) -> list[str]:
    return [reason.code for reason in verdict.reasons]


def answer(verdict: TrustVerdict) -> tuple[Indication, str | None, list[str]]:
    return verdict.indication, verdict.sub_indication, codes(verdict)
