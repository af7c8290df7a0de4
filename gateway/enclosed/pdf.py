"""Signatures of a PDF (PAdES): read in another process, the signer believed or not by our own policy."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from datetime import datetime
from typing import Any

from gateway.enclosed import pdf_reader
from gateway.enclosed.standing import Enclosed, nothing_against
from gateway.signatures import TrustPolicy
from gateway.signatures.keys import certificate
from gateway.signatures.signer import Moment, judge

KIND = "PAdES"
_PATIENCE_S = 60.0


class NotInstalled(Exception):
    """pyHanko is missing: the extra `pdf-signatures`."""


def is_signed(content: bytes) -> bool:
    """By content: a PDF with the range of octets that every signature in a PDF states."""
    return b"%PDF-" in content[:1024] and b"/ByteRange" in content


def signatures(content: bytes, trust: TrustPolicy, at: datetime) -> list[Enclosed]:
    """Each signature; a single unreadable one where the file makes the library fail. Raises NotInstalled."""
    command = [sys.executable, "-P", pdf_reader.__file__]  # -P: nothing is imported from where it happens to run
    try:
        finished = subprocess.run(command, input=content, capture_output=True, check=False, timeout=_PATIENCE_S)  # noqa: S603
    except subprocess.TimeoutExpired:
        return [Enclosed(KIND, None)]
    if finished.returncode == pdf_reader.NOT_INSTALLED:
        raise NotInstalled
    if finished.returncode:
        return [Enclosed(KIND, None)]
    return [_judged(item, trust, at) for item in json.loads(finished.stdout)]


def _judged(said: dict[str, Any], trust: TrustPolicy, at: datetime) -> Enclosed:
    if not said["intact"]:
        return Enclosed(KIND, said["intact"])
    try:
        signer, *others = [certificate(base64.b64decode(item)) for item in said["certificates"]]
    except ValueError:
        return Enclosed(KIND, None)
    standing = judge(signer, None, trust, Moment(at, at), others)
    believed = standing.signer is not None and standing.signer.kind != "unknown"
    return Enclosed(KIND, True, said["whole"], believed and nothing_against({item.code for item in standing.reasons}))
