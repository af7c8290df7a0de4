"""Is a PDF that the office hands over signed as its addressee will demand? Ours is judged as strictly as theirs.

A signature that does not hold is never sent out. One that holds, and whose signer we cannot confirm, may be: another
program, or a person, may know more than our lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from gateway.enclosed import pdf
from gateway.enclosed.standing import Enclosed
from gateway.signatures import TrustPolicy

UNSIGNED = "answers.decision_unsigned"
BROKEN = "answers.decision_broken"
PARTIAL = "answers.decision_partial"
UNTRUSTED = "answers.decision_untrusted"
UNCHECKED = "answers.decision_unchecked"


def doubt(content: bytes, trust: TrustPolicy, at: datetime) -> str | None:
    """What speaks against handing this PDF over as signed, as a code; None: one signature is believed, none is broken.

    Returns: UNSIGNED; BROKEN or PARTIAL, which nobody can vouch for; UNTRUSTED or UNCHECKED, which a person can.
    """
    if not pdf.is_signed(content):
        return UNSIGNED
    try:
        found = pdf.signatures(content, trust, at)
    except pdf.NotInstalled:
        return UNCHECKED
    return doubt_of(found)


def doubt_of(found: Sequence[Enclosed]) -> str | None:
    """The same, from what is known of each signature in the file."""
    if any(one.intact is False for one in found):
        return BROKEN
    if any(one.intact is None for one in found):
        return UNCHECKED
    whole = [one for one in found if one.whole]
    if not whole:
        return PARTIAL if found else UNSIGNED  # a mere time-stamp signs for nobody
    return None if any(one.trusted for one in whole) else UNTRUSTED
