"""What does not fit into a letter goes into ePUAP's store of big files first, and the letter says where it lies.

    intent (committed) → upload → its id (committed) → draft with the address → approval → seal
So the address is among the octets that are approved and sealed, and the file's SHA-256 beside it: the seal covers no
more of the file than that. Repeating an upload harms nobody: what it leaves behind is an orphan, noted as one, and no
letter refers to it. A content that is up is not sent up again, however often its letter is drafted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog
from sqlalchemy import Connection

from gateway.answers.document import File
from gateway.crashpoint import crashpoint
from gateway.store import answers, events, uploads
from gateway.store.answers import StoredAnswer
from gateway.store.uploads import UploadState
from gateway.tools import Tools
from gateway.transport.filerepo import file_id_of
from schemas.errors import BramaError, ConfigError, ServiceError, ServiceRefused, ServiceUnreachable
from schemas.files import RepositoryFile

log = structlog.get_logger()

DOES_NOT_FIT = "answers.does_not_fit"
ID_UNKNOWN = "answers.upload_id_unknown"
CUT_OFF = "answers.upload_cut_off"
SUPERSEDED = "answers.upload_superseded"
UNUSED = "answers.upload_unused"
ESCAPED = "flow.escaped"
_MARGIN_S = 60.0  # for drafting after the transfer


class NotUploaded(Exception):
    """A file is not up. `again`: trying later makes sense; otherwise a person must look."""

    def __init__(self, code: str, *, again: bool) -> None:
        super().__init__(code)
        self.code, self.again = code, again


@dataclass(frozen=True, slots=True)
class _Ended:
    """How one call ended."""

    state: UploadState
    file_id: str | None = None
    code: str | None = None
    text: str | None = None
    again: bool = False


def most_bytes(tools: Tools) -> int:
    """The largest file a letter of ours can bring, inside it or by address."""
    own = tools.config.gateway.files
    return max(own.inline_limit_bytes, own.upload_limit_bytes) if _can_upload(tools) else own.inline_limit_bytes


def enclose(files: Sequence[File], stored: StoredAnswer, tools: Tools) -> list[File]:
    """The files as the letter is to hold them: the largest as addresses, until the others fit inside.

    Raises: NotUploaded: one of them is not up. StoreUnavailable.
    """
    outside = _outside(files, tools.config.gateway.files.inline_limit_bytes)
    return [_by_address(file, stored, tools) if number in outside else file for number, file in enumerate(files)]


def forsake(transaction: Connection, stored: StoredAnswer, drafted: bytes) -> None:
    """What went up for an earlier draft and is not named by this one is an orphan. The caller holds the answer."""
    for one in uploads.of_answer(transaction, stored.id):
        if one.state is UploadState.KEPT and one.file_id and one.file_id.encode() not in drafted:
            uploads.forsake(transaction, one.id, UNUSED)
            _tell(transaction, stored, one.id, _Ended(UploadState.ORPHANED, code=UNUSED))


def _outside(files: Sequence[File], most: int) -> frozenset[int]:
    """Which do not go inside; as few as possible."""
    inside = sorted(range(len(files)), key=lambda number: len(files[number].content))
    while inside and sum(len(files[number].content) for number in inside) > most:
        inside.pop()
    return frozenset(range(len(files))) - frozenset(inside)


def _by_address(file: File, stored: StoredAnswer, tools: Tools) -> File:
    own, digest = tools.config.gateway.files, file.content.sha256()
    if not _can_upload(tools) or len(file.content) > own.upload_limit_bytes:
        raise NotUploaded(DOES_NOT_FIT, again=False)
    file_id = _file_id(file, digest, stored, tools)
    address = own.address.format(id=file_id)
    return replace(file, address=address, description=f"{file.description} (SHA-256: {digest})")


def _file_id(file: File, digest: str, stored: StoredAnswer, tools: Tools) -> str:
    """Of this content, for this answer: as written down, else of an upload made now."""
    with tools.store.begin() as transaction:
        lease_s = tools.config.gateway.files.timeout_s + _MARGIN_S
        if not answers.renew(transaction, stored.id, stored.fence, lease_s):
            raise NotUploaded(SUPERSEDED, again=True)
        known = uploads.kept(transaction, stored.id, digest)
        if known is not None:
            return known
        for lost in uploads.abandon(transaction, stored.id, digest, CUT_OFF):
            _tell(transaction, stored, lost, _Ended(UploadState.ORPHANED, code=CUT_OFF))
        number = uploads.begin(
            transaction, stored.id,
            sha256=digest, name=file.name, size_bytes=len(file.content), worker=tools.worker,
        )  # fmt: skip
    ended = _upload(file, stored.tenant, tools)
    crashpoint("after_upload")
    ended = _noted(number, ended, digest, stored, tools)
    crashpoint("after_upload_kept")
    if ended.file_id is None or ended.state is not UploadState.KEPT:
        raise NotUploaded(ended.code or ESCAPED, again=ended.again)
    return ended.file_id


def _upload(file: File, tenant: str, tools: Tools) -> _Ended:
    """The one call, sorted by whether the store may have the file now."""
    assert tools.files is not None
    try:
        said = tools.files.repository(tenant).upload(RepositoryFile(file.name, file.content_type, file.content))
    except ServiceRefused as error:
        text = f"{error.facts.get('number', '')} {error.facts.get('text', '')}".strip()
        return _Ended(UploadState.FAILED, code=error.code, text=text)
    except (ServiceUnreachable, ConfigError) as error:
        return _Ended(UploadState.FAILED, code=error.code, text=str(error.facts.get("reason", "")), again=True)
    except ServiceError as error:
        return _Ended(UploadState.ORPHANED, code=error.code, text=str(error.facts.get("reason", "")), again=True)
    except Exception as error:
        code = error.code if isinstance(error, BramaError) else ESCAPED
        log.exception("upload_escaped", tenant=tenant, code=code)
        return _Ended(UploadState.ORPHANED, code=code, text=type(error).__name__)
    file_id = file_id_of(said, tuple(host.lower() for host in tools.config.gateway.files.hosts))
    if file_id is None:
        return _Ended(UploadState.ORPHANED, code=ID_UNKNOWN, text=said[:300])
    return _Ended(UploadState.KEPT, file_id)


def _noted(number: int, ended: _Ended, digest: str, stored: StoredAnswer, tools: Tools) -> _Ended:
    """Written down; what came after somebody else took the answer up is an orphan."""
    with tools.store.begin() as transaction:
        if not uploads.finish(
            transaction, number, ended.state, file_id=ended.file_id, code=ended.code, text=ended.text
        ):
            return _Ended(UploadState.ORPHANED, code=SUPERSEDED, again=True)
        _tell(transaction, stored, number, ended, sha256=digest)
    log.info("file_uploaded", answer=str(stored.id), upload=number, state=ended.state.value, code=ended.code)
    return ended


def _tell(transaction: Connection, stored: StoredAnswer, number: int, ended: _Ended, **facts: str) -> None:
    """Into the timeline, without the id: whoever has that may fetch the file."""
    told = {**facts, "code": ended.code} if ended.code else facts
    word = f"answer_upload_{ended.state.value}"
    events.append(transaction, stored.submission_id, word, answer=str(stored.id), upload=number, **told)


def _can_upload(tools: Tools) -> bool:
    return tools.files is not None and bool(tools.config.gateway.files.url)
