"""Who signed, who sent, and whom the form is about: three sources, compared and never merged."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.checks.say import finding
from schemas.case import Case
from schemas.finding import Finding, Severity


def party_checks(case: Case) -> Iterator[Finding]:
    """Warnings for a clerk, who decides whether somebody may act for another; nothing is said without a signer."""
    signer = case.signature.signer_pesel if case.signature else None
    if signer is None:
        return
    named = {
        party.pesel for party in (case.taxpayer, *(item.party for item in case.co_owners)) if party and party.pesel
    }
    organisation = case.taxpayer is not None and not case.taxpayer.pesel and (case.taxpayer.nip or case.taxpayer.regon)
    if named and signer not in named:
        yield finding("check.signer_not_taxpayer", Severity.WARNING, case.sources.get("taxpayer.pesel"))
    elif organisation:
        yield finding("check.signer_for_organisation", Severity.INFO, case.sources.get("taxpayer.nip"))
    sender = (case.message.sender or {}).get("pesel")
    if sender and sender != signer:
        yield finding("check.sender_not_signer", Severity.INFO)
