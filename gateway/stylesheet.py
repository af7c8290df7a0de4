"""An official `styl.xsl` run on a document, when a gmina supplies one: in a process of its own, with nothing to reach.

XSLT 1.0 only. No network, no file, no further document, no writing; bounded in memory and time. The result is shown as
the gmina's stylesheet wrote it, so it is somebody else's HTML: serve it only in a sandboxed frame, or as a download.
"""

from __future__ import annotations

import multiprocessing
import resource
from multiprocessing.connection import Connection

from lxml import etree

from schemas.errors import FormError
from schemas.xmldoc import parse

MEMORY_BYTES = 512 * 1024 * 1024
RESULT_BYTES = 20 * 1024 * 1024


def apply_stylesheet(document: bytes, stylesheet: bytes, *, timeout_s: float = 10.0) -> bytes:
    """The transformed document.

    Raises FormError: `form.style_refused` (no stylesheet, or it asked for something outside), `form.style_limit` (time,
    memory or size).
    """
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe(duplex=False)
    worker = context.Process(target=_transform, args=(document, stylesheet, theirs, timeout_s), daemon=True)
    worker.start()
    theirs.close()
    try:
        if not mine.poll(timeout_s + _START_S):
            raise FormError("form.style_limit", limit=f"{timeout_s} s")
        kind, answer = mine.recv()
    except EOFError:
        raise FormError("form.style_limit", limit="memory") from None
    finally:
        worker.kill()
        worker.join()
        mine.close()
    if kind != "done":
        raise FormError(kind, reason=answer.decode("utf-8", "replace")[:300], limit=RESULT_BYTES)
    return bytes(answer)


_START_S = 10.0  # of starting an interpreter on a busy machine


def _transform(document: bytes, stylesheet: bytes, answer: Connection, timeout_s: float) -> None:
    """In the other process. Its answer is ("done", bytes) or (code, reason)."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (int(timeout_s) + 1, int(timeout_s) + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    try:
        tree, style = parse(document), parse(stylesheet)
        denied = etree.XSLTAccessControl.DENY_ALL  # type: ignore[attr-defined] # lxml's stubs lack it
        result = bytes(etree.XSLT(style, access_control=denied)(tree))
    except MemoryError:
        answer.send(("form.style_limit", b"memory"))
    except Exception as error:  # noqa: BLE001 # whatever it is, the other side must hear of it
        answer.send(("form.style_refused", f"{type(error).__name__}: {error}".encode()))
    else:
        too_much = len(result) > RESULT_BYTES
        answer.send(("form.style_limit", b"size") if too_much else ("done", result))
