"""MTOM/XOP: envelopes whose files travel beside them as parts of one multipart message, written and read.

A message in parts stands for the one envelope with base64 in it; that envelope is what signatures are over.
"""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Collection, Iterator, Mapping
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import unquote

from lxml import etree

from schemas.errors import EnvelopeUnreadable
from schemas.xmldoc import qname

XOP = "http://www.w3.org/2004/08/xop/include"
INCLUDE = re.compile(
    rb"""<(?:[A-Za-z_][\w.-]*:)?Include\s[^>]*?href\s*=\s*["']cid:([^"']+)["'][^>]*?(?:/>|>\s*</(?:[A-Za-z_][\w.-]*:)?Include>)"""
)


def packed(envelope: etree._Element, files: Collection[bytes], content_type: str) -> tuple[bytes, str]:
    """One message of an envelope and the files in it.

    Args:    envelope: finished, also signed; each element whose whole text is the base64 of one of `files` gets an
             `xop:Include` instead. content_type: of the plain envelope, with `action` in SOAP 1.2.
    Returns: the body and its Content-Type.
    Source:  XML-binary Optimized Packaging, section 3 and 4; SOAP 1.1 Binding for MTOM 1.0.
    """
    moved = list(_moved_out(envelope, {base64.b64encode(content).decode(): content for content in files if content}))
    frame = _Frame(content_type)
    parts = [frame.root(etree.tostring(envelope, encoding="utf-8", xml_declaration=True))]
    for name, content in moved:
        parts += [frame.head("application/octet-stream", "binary", name), content, b"\r\n"]
    return b"".join([*parts, frame.end]), frame.content_type


def around(envelope: bytes, name: str, content_type: str) -> tuple[bytes, bytes, str]:
    """What stands before and after the one file of a message in two parts, for those who send it in pieces.

    Args:    envelope: finished, with `include(name)` where the file's base64 would stand; content_type: of it alone.
    Returns: both, and the Content-Type of the whole.
    """
    frame = _Frame(content_type)
    return (
        frame.root(envelope) + frame.head("application/octet-stream", "binary", name),
        b"\r\n" + frame.end,
        frame.content_type,
    )


def include(name: str) -> bytes:
    """`xop:Include` of a part."""
    return f'<xop:Include xmlns:xop="{XOP}" href="cid:{name}"/>'.encode()


def part_name() -> str:
    """A new one."""
    return f"{uuid.uuid4()}@brama"


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


def octets_in(value: Any) -> Iterator[bytes]:
    """Every file among a call's arguments."""
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from octets_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from octets_in(item)


def _moved_out(envelope: etree._Element, by_text: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Name and octets of each part; every element has one of its own, also where two hold the same."""
    for element in list(envelope.iter(etree.Element)):
        content = by_text.get(element.text or "") if len(element) == 0 else None
        if content is not None:
            name = part_name()
            element.text = None
            etree.SubElement(element, qname(XOP, "Include"), {"href": f"cid:{name}"}, nsmap={"xop": XOP})
            yield name, content


class _Frame:
    """What stands around the parts of one message."""

    def __init__(self, content_type: str) -> None:
        """`content_type`: of the plain envelope."""
        plain = _message(content_type)
        action, self._kind = plain.get_param("action"), plain.get_content_type()
        self._start, self._boundary = f"root-{part_name()}", f"brama-{uuid.uuid4()}"
        self.end = f"--{self._boundary}--\r\n".encode()
        self.content_type = (
            f'multipart/related; type="application/xop+xml"; start="<{self._start}>"; start-info="{self._kind}"; '
            f'boundary="{self._boundary}"' + (f'; action="{action}"' if action else "")
        )

    def root(self, envelope: bytes) -> bytes:
        """The whole first part."""
        kind = f'application/xop+xml; charset=UTF-8; type="{self._kind}"'
        return self.head(kind, "8bit", self._start) + envelope + b"\r\n"

    def head(self, kind: str, encoding: str, name: str) -> bytes:
        """What stands before a part's octets."""
        lines = (f"--{self._boundary}", f"Content-Type: {kind}", f"Content-Transfer-Encoding: {encoding}",
                 f"Content-ID: <{name}>", "", "")  # fmt: skip
        return "\r\n".join(lines).encode()


def _message(content_type: str) -> Message:
    message = Message()
    message["Content-Type"] = content_type
    return message


def _cid(value: object) -> str:
    return str(value or "").strip().removeprefix("<").removesuffix(">")
