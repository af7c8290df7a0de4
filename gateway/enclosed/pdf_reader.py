"""Read a PDF's signatures with pyHanko, in a process of its own; this file is run, and imports nothing of ours.

Standard input: the PDF. Standard output: a JSON list, one object per signature: `intact` (null where it cannot be
judged), `whole`, `certificates` (base64 DER, the signer's first). Memory and processor time are bounded: what a PDF
unpacks to is for its author to choose. Ends with 3 where pyHanko is not installed.
"""

from __future__ import annotations

import base64
import io
import json
import logging
import resource
import sys
from typing import Any

MEMORY_BYTES = 1024 * 1024 * 1024
PROCESSOR_S = 20
MOST_SIGNATURES = 32
NOT_INSTALLED = 3


def main() -> int:
    """The exit code."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_S, PROCESSOR_S))
    logging.disable()
    try:
        from pyhanko.pdf_utils.reader import PdfFileReader
    except ImportError:
        return NOT_INSTALLED
    reader = PdfFileReader(io.BytesIO(sys.stdin.buffer.read()), strict=False)
    found = reader.embedded_regular_signatures[:MOST_SIGNATURES]
    sys.stdout.write(json.dumps([_read(item) for item in found]))
    return 0


def _read(signature: Any) -> dict[str, Any]:
    from pyhanko.sign.validation.generic_cms import validate_sig_integrity
    from pyhanko.sign.validation.status import SignatureCoverageLevel

    try:
        signature.compute_integrity_info()
        intact, valid = validate_sig_integrity(
            signature.signer_info, signature.signer_cert, expected_content_type="data",
            actual_digest=signature.compute_digest(),
        )  # fmt: skip
    except Exception:  # noqa: BLE001  whatever a malformed PDF makes the library raise: this one cannot be judged
        return {"intact": None, "whole": False, "certificates": []}
    summary = signature.summarise_integrity_info()
    whole = summary["coverage"] is SignatureCoverageLevel.ENTIRE_FILE
    later = _only_harmless(summary["diff_result"], {item.field_name for item in signature.reader.embedded_signatures})
    certificates = [signature.signer_cert, *signature.other_embedded_certs]
    return {
        "intact": bool(intact and valid),
        "whole": whole or later,
        "certificates": [base64.b64encode(item.dump()).decode() for item in certificates[:16]],
    }


def _only_harmless(since: Any, signatures: set[str]) -> bool:
    """Whether what was added after the signature is further signatures or validation data, nothing a reader sees."""
    from pyhanko.sign.diff_analysis import ModificationLevel

    level = getattr(since, "modification_level", ModificationLevel.OTHER)
    return level in (ModificationLevel.NONE, ModificationLevel.LTA_UPDATES) or (
        level is ModificationLevel.FORM_FILLING and since.changed_form_fields <= signatures
    )


if __name__ == "__main__":
    sys.exit(main())
