"""Answers that come in parts (MTOM/XOP): put back together into the one envelope they stand for."""

from __future__ import annotations

import base64
import re
from email.parser import BytesParser
from email.policy import HTTP
from urllib.parse import unquote

from schemas.errors import EnvelopeUnreadable

INCLUDE = re.compile(
    rb"""<(?:[A-Za-z_][\w.-]*:)?Include\s[^>]*?href\s*=\s*["']cid:([^"']+)["'][^>]*?(?:/>|>\s*</(?:[A-Za-z_][\w.-]*:)?Include>)"""
)


def whole(content: bytes, content_type: str) -> bytes:
    """The envelope of an answer.

    Args:    content_type: the HTTP header; anything but multipart/related means that `content` is the envelope.
    Returns: the root part with every `xop:Include` replaced by the base64 of its part: signatures are over that form.
    Raises:  EnvelopeUnreadable: `intake.part_missing`: no root part, or a part that is referred to is not there.
    Source:  XML-binary Optimized Packaging, section 3; SOAP Message Transmission Optimization Mechanism.
    """
    if not content_type.lower().startswith("multipart/related"):
        return content
    header = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    message = BytesParser(policy=HTTP).parsebytes(header + content)
    parts: dict[str, bytes] = {}
    for part in message.iter_parts():
        payload = part.get_payload(decode=True)
        parts[_cid(part["Content-ID"])] = payload if isinstance(payload, bytes) else b""
    if not parts:
        raise EnvelopeUnreadable("intake.part_missing", part="multipart/related")
    root = parts.get(_cid(message.get_param("start")), next(iter(parts.values())))

    def include(found: re.Match[bytes]) -> bytes:
        name = unquote(found.group(1).decode("latin-1"))
        if name not in parts:
            raise EnvelopeUnreadable("intake.part_missing", part=f"cid:{name[:80]}")
        return base64.b64encode(parts[name])

    return INCLUDE.sub(include, root)


def _cid(value: object) -> str:
    return str(value or "").strip().removeprefix("<").removesuffix(">")
