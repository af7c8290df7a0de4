"""An official `styl.xsl` run on a document, when a gmina supplies one: in a process of its own, with nothing to reach.

XSLT 1.0 only. No network, no file, no further document, no writing; bounded in memory and time. The result is shown as
the gmina's stylesheet wrote it, so it is somebody else's HTML: serve it only in a sandboxed frame, or as a download.
"""

from __future__ import annotations

from lxml import etree

from gateway import bounded
from schemas.errors import FormError
from schemas.xmldoc import parse

RESULT_BYTES = 20 * 1024 * 1024


def apply_stylesheet(document: bytes, stylesheet: bytes, *, timeout_s: float = 10.0) -> bytes:
    """The transformed document.

    Raises FormError: `form.style_refused` (no stylesheet, or it asked for something outside), `form.style_limit` (time,
    memory or size).
    """
    try:
        result: bytes = bounded.call(_transformed, document, stylesheet, timeout_s=timeout_s)
    except bounded.OutOfBounds as error:
        raise FormError("form.style_limit", limit=error.limit) from error
    except bounded.Escaped as error:
        raise FormError("form.style_refused", reason=str(error)[:300]) from error
    return result


def _transformed(document: bytes, stylesheet: bytes) -> bytes:
    """In the other process."""
    denied = etree.XSLTAccessControl.DENY_ALL  # type: ignore[attr-defined] # lxml's stubs lack it
    result = bytes(etree.XSLT(parse(stylesheet), access_control=denied)(parse(document)))
    if len(result) > RESULT_BYTES:
        raise FormError("form.style_limit", limit=f"{RESULT_BYTES >> 20} MiB")
    return result
