"""Signatures of a container (ASiC-S, ASiC-E): an archive with XAdES over its files, checked by our own engine."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from urllib.parse import unquote

from gateway.attachments import Rules, is_bomb
from gateway.enclosed.standing import Enclosed, nothing_against
from gateway.signatures import TrustPolicy, verify
from schemas.verification import Crypto, SignatureVerdict

KIND = "ASiC"
_SIGNATURES = re.compile(r"META-INF/[^/]*signatures?[^/]*[.](xml|p7s)", re.IGNORECASE)
_MOST_MEMBERS, _MOST_SIGNATURE_FILES = 1000, 32


class TooLarge(Exception):
    """The container goes beyond the limits; nothing of it was unpacked."""


def is_signed(content: bytes) -> bool:
    """By content: an archive with a file of signatures where ASiC keeps them."""
    if not content.startswith(b"PK"):
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return any(_SIGNATURES.fullmatch(name) for name in archive.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return False


def signatures(content: bytes, rules: Rules, trust: TrustPolicy, at: datetime) -> list[Enclosed]:
    """Each signature, unreadable ones included. Raises TooLarge."""
    if is_bomb(content, rules):
        raise TooLarge
    try:
        members = _unpacked(content, rules)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError, OSError, EOFError, zipfile.zlib.error):  # type: ignore[attr-defined]
        return [Enclosed(KIND, None)]
    listed = [name for name in members if _SIGNATURES.fullmatch(name)]
    files = {name: octets for name, octets in members.items() if _is_content(name)}
    return [item for name in listed[:_MOST_SIGNATURE_FILES] for item in _of_file(name, members[name], files, trust, at)]


def _unpacked(content: bytes, rules: Rules) -> dict[str, bytes]:
    """Every member, never more octets than the tenant takes in attachments altogether, whatever the directory says."""
    left, members = rules.total_bytes, {}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        listed = [item for item in archive.infolist() if not item.is_dir()]
        if len(listed) > _MOST_MEMBERS:
            raise TooLarge
        for item in listed:
            if item.filename in members:
                raise ValueError("two members of one name")
            with archive.open(item) as member:
                octets = member.read(left + 1)
            left -= len(octets)
            if left < 0:
                raise TooLarge
            members[item.filename] = octets
    return members


def _is_content(name: str) -> bool:
    return name != "mimetype" and not name.startswith("META-INF/")


def _of_file(
    name: str, octets: bytes, files: Mapping[str, bytes], trust: TrustPolicy, at: datetime
) -> Iterator[Enclosed]:
    if name.lower().endswith(".p7s"):  # CAdES
        yield Enclosed(KIND, None)
        return
    result = verify(octets, trust, at=at, detached=files)
    if not result.signatures:
        yield Enclosed(KIND, None)
    for verdict in result.signatures:
        yield _judged(verdict, files)


def _judged(verdict: SignatureVerdict, files: Mapping[str, bytes]) -> Enclosed:
    """A signature here must cover every file of the container, and every file it covers must still be there."""
    if verdict.crypto is Crypto.UNSUPPORTED:
        return Enclosed(KIND, None)
    if verdict.crypto is Crypto.BROKEN or any(item.intact is None for item in verdict.references):
        return Enclosed(KIND, intact=False)
    covered = {unquote(item.uri) for item in verdict.references if item.uri and item.intact}
    covered |= {item.uri for item in verdict.references if item.uri and item.intact}
    believed = verdict.signer is not None and verdict.signer.kind != "unknown"
    trusted = believed and nothing_against({item.code for item in verdict.reasons})
    return Enclosed(KIND, True, bool(files) and files.keys() <= covered, trusted)
