"""Fetch one big file, durably and once.

    claim (committed) → transfer, straight to disk → synced → taken out, hashed, judged → kept, one commit
The transfer cannot be repeated, so nothing reads the answer before it is on disk; everything after that can be done
again by whoever finds it there. What is cut off amid the transfer is asked for again; if ePUAP has let go of it, it is
lost: said in the timeline, held in sight, and the sender is asked for it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, RowMapping

from gateway.bigfiles import rules
from gateway.bigfiles.presence import Presence, named
from gateway.bigfiles.rules import Failed
from gateway.bigfiles.spool import Answer, Spool
from gateway.crashpoint import crashpoint
from gateway.retry import RetryPolicy
from gateway.store import events, files
from gateway.store.files import Claim
from gateway.tools import FileTools, Tools
from schemas.delivery import Repeat
from schemas.errors import BramaError, EnvelopeUnreadable, ServiceRefused, ServiceUnreachable, ServiceUnsettled
from schemas.files import Fetched, FileState
from schemas.finding import Finding, Severity
from schemas.texts import text

log = structlog.get_logger()

OnLoss = Callable[[Connection, UUID, Tools], None]  # a submission has lost a file, in the commit that says so

NO_ROOM = "attachment.no_room"
UNREADABLE = "attachment.answer_unreadable"
UNTRUSTED = "attachment.answer_untrusted"
WORKER_LOST = "attachment.transfer_cut_off"
ESCAPED = "flow.escaped"
PIECE = 1024 * 1024  # of what is stored
_MARGIN_S = 60.0  # for reading and storing after the transfer


def attempt(file: UUID, tools: Tools, on_loss: OnLoss) -> None:
    """One try, if the file is due and nobody else's; otherwise nothing. Raises StoreUnavailable."""
    if tools.files is None:
        return
    with tools.store.begin() as transaction:
        claim = files.claim(transaction, file, worker=worker(tools), lease_s=lease_s(tools))
    if claim is None:
        return
    crashpoint("before_fetch")
    came = _transfer(claim, tools.files, tools)
    crashpoint("after_fetch")
    finish(claim, came, tools, on_loss)


def finish(claim: Claim, came: Answer | Failed, tools: Tools, on_loss: OnLoss) -> None:
    """From an answer on disk to a kept file, or from a failure to what follows. Raises StoreUnavailable: as it was."""
    assert tools.files is not None
    if isinstance(came, Answer):
        failed = _kept_from(came, claim, tools.files, tools)
        if failed is None:
            return
        came = failed
    _failed(claim, came, tools, on_loss)
    Spool(tools.files.spool).discard(claim.id, claim.fence)


def lease_s(tools: Tools) -> float:
    """For how long a file is its worker's: the transfer, and storing what came."""
    return tools.config.gateway.files.timeout_s + _MARGIN_S


def worker(tools: Tools) -> str:
    """Who is at a file, for its row. A spool that cannot be written to shows itself when the transfer begins."""
    assert tools.files is not None
    try:
        return named(tools.worker, Presence(tools.files.spool).sign_in())
    except OSError:
        return tools.worker


def _transfer(claim: Claim, own: FileTools, tools: Tools) -> Answer | Failed:
    """The one call. Before it everything is made sure of that would be missed after it."""
    begun, spool = False, Spool(own.spool)
    try:
        repository = own.repository(claim.tenant)
        if not spool.has_room_for(tools.config.gateway.files.limit_bytes):
            return Failed(NO_ROOM)
        with spool.begin(claim.id, claim.fence) as sink:
            begun = True
            content_type = repository.download(claim.file_id, _Sink(sink).write)
            return spool.complete(sink, claim.id, claim.fence, content_type)
    except ServiceUnreachable as error:
        return Failed(error.code, str(error.facts.get("reason", "")))
    except ServiceUnsettled as error:
        reason = str(error.facts.get("reason", ""))
        return Failed(rules.TOO_LARGE if "too_large" in reason else error.code, reason, begun=True)
    except (BramaError, OSError) as error:  # of our own making: configuration, key, disk
        code = error.code if isinstance(error, BramaError) else NO_ROOM
        log.error("fetch_broken", file=str(claim.id), code=code, error=type(error).__name__)
        return Failed(code, type(error).__name__, begun=begun)


class _Sink:
    """Where the tests' process dies amid a transfer."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, piece: bytes) -> None:
        """One piece, as it came."""
        self._file.write(piece)
        crashpoint("in_fetch")


def _kept_from(answer: Answer, claim: Claim, own: FileTools, tools: Tools) -> Failed | None:
    """Read, take out, judge and keep; what failed where there is no file in the answer."""
    spool = Spool(own.spool)
    try:
        fetched = own.repository(claim.tenant).read(answer.path, answer.content_type)
        path, sha256, size = spool.take_out(answer, fetched.octets())
    except ServiceRefused as error:
        number = str(error.facts.get("number", ""))
        said = f"{number} {error.facts.get('text', '')}".strip()
        return Failed(rules.REFUSED, said, number=int(number) if number.lstrip("-").isdigit() else 0)
    except EnvelopeUnreadable as error:
        log.error("answer_unreadable", file=str(claim.id), code=error.code)
        spool.set_aside(answer)
        return Failed(UNREADABLE, error.code, begun=True)
    kind, findings = own.judge(path, claim.tenant, fetched.content_type)
    if fetched.untrusted:
        findings = (*findings, _untrusted(fetched.untrusted))
    _keep(claim, fetched, path, {"type": kind, "sha256": sha256, "size_bytes": size}, findings, tools)
    crashpoint("after_file_kept")
    spool.discard(claim.id)
    return None


def _keep(
    claim: Claim, fetched: Fetched, path: Path, about: dict[str, Any], findings: tuple[Finding, ...], tools: Tools
) -> None:
    """Every piece, what is known of it, and what now may go on, in one commit; nothing if somebody else has it."""
    held = any(finding.severity is Severity.ERROR for finding in findings)
    state = FileState.HELD if held else FileState.KEPT
    codes = [finding.code for finding in findings]
    with tools.store.begin() as transaction:
        if files.still_held(transaction, claim) is None:
            log.warning("late_file_refused", file=str(claim.id), fence=claim.fence)
            return
        with path.open("rb") as content:
            number = 0
            while piece := content.read(PIECE):
                files.add_piece(transaction, claim.id, number, piece)
                number += 1
        files.settle(
            transaction, claim.id, state, **about, in_doubt=False, last_text=None,
            name=fetched.name.replace("\0", ""), content_type=fetched.content_type.replace("\0", ""),
            last_code=codes[0] if held else None, findings=[finding.to_json() for finding in findings],
        )  # fmt: skip
        for submission in files.linked_to(transaction, claim.id):
            events.append(transaction, submission, f"file_{state.value}", file=str(claim.id), **about, findings=codes)
            files.free_deliveries(transaction, submission)
    log.info("file_settled", file=str(claim.id), state=state.value, size_bytes=about["size_bytes"], findings=codes)


def _failed(claim: Claim, failed: Failed, tools: Tools, on_loss: OnLoss) -> None:
    with tools.store.begin() as transaction:
        row = files.still_held(transaction, claim)
        if row is None:
            log.warning("late_file_refused", file=str(claim.id), fence=claim.fence)
            return
        after = _follows(row, failed, tools)
        lost = after.state is FileState.LOST
        files.settle(
            transaction, claim.id, after.state, refusals=after.refusals, in_doubt=after.in_doubt, due_at=after.due_at,
            last_code=after.code, last_text=failed.text or None, findings=[_finding(after.code)] if lost else [],
        )  # fmt: skip
        word = "attachment_lost" if lost else "file_fetch_failed"
        for submission in files.linked_to(transaction, claim.id):
            events.append(
                transaction, submission, word, file=str(claim.id), code=after.code, because=failed.code,
                number=failed.number, attempts=row["attempts"], then=after.state.value,
            )  # fmt: skip
            if lost:
                on_loss(transaction, submission, tools)
    log.warning(word, file=str(claim.id), code=after.code, because=failed.code, then=after.state.value)


def _follows(row: RowMapping, failed: Failed, tools: Tools) -> rules.Follows:
    worker, own = tools.config.gateway.worker, tools.config.gateway.files
    policy = RetryPolicy(worker.retry_s, worker.retry_for_h * 3600, worker.jitter, Repeat.SAFE, 0.0)
    so_far = rules.Standing(row["attempts"], row["refusals"], row["in_doubt"], row["first_tried_at"], row["now"])
    luck = random.random()  # noqa: S311 - jitter, not a secret
    return rules.follows(failed, so_far, policy, gone=own.gone_codes, refusals=own.refusals, luck=luck)


def _untrusted(reason: str) -> Finding:
    said = (text(UNTRUSTED, language, reason=reason) for language in ("pl", "en"))
    return Finding(UNTRUSTED, Severity.ERROR, None, None, *said)


def _finding(code: str) -> dict[str, Any]:
    return Finding(code, Severity.ERROR, None, None, text(code, "pl"), text(code, "en")).to_json()
