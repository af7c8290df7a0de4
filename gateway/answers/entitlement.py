"""May this person be told? What somebody owes is a fiscal secret (tajemnica skarbowa, art. 293 Ordynacji podatkowej).

A machine answers only the person who signed, about that person. Whoever asks for somebody else, for a company, or
signed in a way that names nobody is looked at by a clerk before any ledger is asked.
"""

from __future__ import annotations

from collections.abc import Collection

from schemas.case import Case
from schemas.case_parts import Party
from schemas.verification import Indication

UNKNOWN = "answers.signer_unknown"
DIFFERS = "answers.signer_differs"
AUTHORITY = "answers.authority_unchecked"
NOBODY = "answers.party_unknown"


def doubt(case: Case, cleared: Collection[str] = ()) -> str | None:
    """Why a clerk must look first (a code to hold the plan with), or None where the signer asks about themselves.

    Args: cleared: codes a clerk has looked at. Without a party there is nobody to ask about, whatever was cleared.
    """
    party = about(case)
    if party is None or not (party.pesel or party.nip):
        return NOBODY
    found = _doubt(case, party)
    return None if found in cleared else found


def about(case: Case) -> Party | None:
    """Whose dues are asked for: the taxpayer the form names, else whoever sent it."""
    return case.taxpayer or case.submitter


def identifier(party: Party) -> str:
    """What ledgers are asked by: PESEL, else NIP. Never logged."""
    return party.pesel or party.nip or ""


def _doubt(case: Case, party: Party) -> str | None:
    signature = case.signature
    if signature is None or signature.indication != Indication.PASSED or not signature.signer_pesel:
        return UNKNOWN
    if not party.pesel:
        return AUTHORITY
    return None if signature.signer_pesel == party.pesel else DIFFERS
