"""Base64 to octets, strictly and fast: attachments of megabytes pass here more than once."""

from __future__ import annotations

import pybase64


def from_base64(written: str | bytes) -> bytes:
    """Decode RFC 4648 base64: no white space, no other character, exactly the padding that is due.

    Raises: ValueError `base64`.
    """
    try:
        return pybase64.b64decode(written, validate=True)  # unlike binascii's strict mode, it refuses surplus padding
    except ValueError as error:
        raise ValueError("base64") from error
