"""Signatures inside attached files: PDFs (PAdES) and containers (ASiC). Findings for a clerk, never a verdict.

    Inspector(trust).findings(attachment, rules) -> findings with `attachment.signature_*` codes
    doubt(decision, trust, now) -> what speaks against handing a PDF of the office over as signed

`pdf` asks pyHanko, in a process of its own with bounded memory and time; `container` reads the archive within the
tenant's limits and gives the XAdES inside to our own engine; `standing` says whether the signer is believed.
"""

from gateway.enclosed.inspector import Inspector
from gateway.enclosed.outgoing import doubt

__all__ = ["Inspector", "doubt"]
