"""Bring in a package that ePUAP's portal exported in an emergency: item by item, as if each had been pulled.

Every document goes through the same `flow.accept`: kept first, its identity the mailbox and its octets. So importing a
package again, or after a crash, changes nothing; what came another way before is linked and flagged, and not delivered
twice. A malformed item is reported and stops no other. ePUAP's receipts in the package are bound to their documents by
digest.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog

from gateway import flow
from gateway.config import Config
from gateway.operations.act import note
from gateway.operations.plain import plain
from gateway.outbox import receipts
from gateway.receipts.digests import canonical_sha256, detached_digests
from gateway.store import events, imports, submissions
from gateway.tools import Tools
from gateway.transport.archive import Archive, Bounds, FileUnreadable
from gateway.transport.package import Item, Package
from schemas.errors import DocumentUnreadable, IdentifierInvalid, IntakeRefused
from schemas.ids import Mailbox, sha256
from schemas.receipt import Receipt
from schemas.submission import Envelope
from schemas.verification import Indication

log = structlog.get_logger()

MALFORMED = "malformed"
KNOWN = "import.known"
CAME_BEFORE = "import.came_before"
NOT_LISTED = "import.not_listed"
BOUND = "import.receipt_bound"
RECEIPT_KNOWN = "import.receipt_known"


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one item. `number` as in the descriptor; None: a file it does not list.

    outcome: accepted | quarantined | rejected | receipt (filed as mail) | bound (a receipt, to its document) | known
             | refused | malformed; with `dry_run`: new. `code` says why.
    """

    number: int | None
    path: str
    outcome: str
    code: str | None = None
    submission: UUID | None = None
    facts: dict[str, Any] = field(default_factory=dict)  # of the code


@dataclass(frozen=True, slots=True)
class ImportResult:
    """A whole package. `ok`: no item is malformed or refused."""

    sha256: str
    dry_run: bool
    items: tuple[Imported, ...]

    @property
    def ok(self) -> bool:
        """Could every item be taken?"""
        return not any(item.outcome in (MALFORMED, "refused") for item in self.items)

    def to_json(self) -> dict[str, Any]:
        """The contract of `import --json`."""
        counts = Counter(item.outcome for item in self.items)
        shown: dict[str, Any] = plain(self)
        return {"ok": self.ok, "counts": dict(sorted(counts.items())), **shown}


@dataclass(slots=True)
class _Import:
    """One run: what was done, the receipts met on the way, and whom the documents may be known by."""

    package: Package
    tools: Tools
    dry_run: bool
    done: list[Imported] = field(default_factory=list)
    receipts: list[tuple[int | None, str, Envelope | None, Receipt]] = field(default_factory=list)


def import_package(
    tools: Tools,
    path: Path,
    *,
    actor: str,
    mailbox: Mailbox | None = None,
    dry_run: bool = False,
    bounds: Bounds | None = None,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> ImportResult:
    """Import a package.

    Args:   mailbox: for items that name none. dry_run: everything is read, nothing is kept.
    Raises: PackageUnreadable: nothing was imported. StoreUnavailable: begin again; what is in is in once.
    """
    with Archive(path, bounds) as archive:
        run = _Import(Package(archive, mailbox), tools, dry_run)
        for count, item in enumerate(run.package.items, start=1):
            _take(item, run)
            progress(count, len(run.package.items))
        for name in run.package.unlisted():
            _take_unlisted(name, run)
        _bind_receipts(run)
    result = ImportResult(_digest_of(path), dry_run, tuple(sorted(run.done, key=lambda one: one.number or 1 << 31)))
    if any(item.outcome not in ("known", MALFORMED) for item in result.items) and not dry_run:
        with tools.store.begin() as transaction:
            note(transaction, "import", actor, "brama import", {"sha256": result.sha256}, len(result.items))
    log.info("package_imported", sha256=result.sha256, **result.to_json()["counts"])
    return result


def mailbox_of(config: Config, tenant: str | None, mailbox: str | None) -> Mailbox | None:
    """What `--tenant` and `--mailbox` mean. Raises IdentifierInvalid: they name nothing, or not the same."""
    if tenant is not None and tenant not in config.tenants:
        raise IdentifierInvalid("import.tenant_unknown", tenant=tenant)
    own = config.tenants[tenant].mailboxes if tenant is not None else ()
    try:
        given = Mailbox(mailbox) if mailbox is not None else Mailbox(own[0]) if own else None
    except IdentifierInvalid as error:
        raise IdentifierInvalid("import.mailbox_invalid") from error
    if tenant is not None and given not in own:
        raise IdentifierInvalid("import.mailbox_not_of_tenant", tenant=tenant)
    return given


def _take(item: Item, run: _Import) -> None:
    try:
        envelope = run.package.envelope(item)
    except FileUnreadable as error:
        run.done.append(Imported(item.number, item.path, MALFORMED, error.code, facts=error.facts))
        return
    receipt = receipts.receipt_in(envelope.document)
    if receipt is not None:
        run.receipts.append((item.number, item.path, envelope, receipt))
    else:
        run.done.append(_accepted(item.number, item.path, envelope, run))


def _take_unlisted(name: str, run: _Import) -> None:
    """A receipt may lie beside the documents; anything else was forgotten in the list, and somebody should know."""
    try:
        receipt = receipts.receipt_in(run.package.read(name))
    except FileUnreadable as error:
        run.done.append(Imported(None, name, MALFORMED, error.code, facts=error.facts))
        return
    if receipt is None:
        run.done.append(Imported(None, name, MALFORMED, NOT_LISTED))
    else:
        run.receipts.append((None, name, None, receipt))


def _accepted(number: int | None, path: str, envelope: Envelope, run: _Import) -> Imported:
    """Through the same door as everything else, unless this very item has been through it."""
    tools = run.tools
    with tools.store.begin() as transaction:
        same = imports.known(transaction, envelope.mailbox, envelope.digest, sha256(envelope.raw))
        before = submissions.by_identity(transaction, envelope.mailbox, envelope.digest)
    if same is not None:
        if not run.dry_run:
            flow.finish(same, tools)  # the process that kept it may have died before it was decided
        return Imported(number, path, "known", KNOWN, same)
    if run.dry_run:
        return Imported(number, path, "known" if before else "new", CAME_BEFORE if before else None)
    try:
        flow.accept(envelope, tools)
    except IntakeRefused as error:
        return Imported(number, path, "refused", error.code, facts=error.facts)
    with tools.store.begin() as transaction:
        found = submissions.by_identity(transaction, envelope.mailbox, envelope.digest)
    assert found is not None, "accept has committed it, and nothing is ever deleted"
    if before is not None:
        return Imported(number, path, "known", CAME_BEFORE, found.id)
    return Imported(number, path, found.decision.value if found.decision else "kept", found.reason, found.id)


def _bind_receipts(run: _Import) -> None:
    """Each to the document in the package whose digest its seal covers; others are ordinary mail."""
    documents = _documents(run) if run.receipts else {}
    for number, path, envelope, receipt in run.receipts:
        try:
            digests = detached_digests(receipt.xml)
        except DocumentUnreadable:
            digests = frozenset()
        found = next((documents[digest] for digest in digests if digest in documents), None)
        bound = _bound(receipt, found, run) if found else None
        if bound is not None:
            run.done.append(Imported(number, path, bound[0], bound[1], found[0] if found else None))
        elif envelope is not None:
            run.done.append(_accepted(number, path, envelope, run))
        else:
            run.done.append(Imported(None, path, MALFORMED, "import.receipt_for_nothing"))


def _documents(run: _Import) -> dict[str, tuple[UUID | None, Item]]:
    """Every digest a receipt may know a document of this package by."""
    submissions_by_number = {one.number: one.submission for one in run.done if one.outcome != MALFORMED}
    found: dict[str, tuple[UUID | None, Item]] = {}
    for item in run.package.items:
        if item.number in submissions_by_number:
            document = run.package.envelope(item).document
            for digest in (sha256(document), canonical_sha256(document)):
                if digest is not None:
                    found[digest] = (submissions_by_number[item.number], item)
    return found


def _bound(receipt: Receipt, found: tuple[UUID | None, Item], run: _Import) -> tuple[str, str | None] | None:
    """(outcome, code), or None: its seal is not believed, or not for this document after all."""
    submission, item = found
    assert run.tools.mail is not None
    checked = run.tools.mail.check(receipt.xml, run.package.envelope(item).document)
    if checked.binding != "is_for" or checked.verification.indication is not Indication.PASSED:
        return None
    if submission is None:  # a dry run
        return "bound", BOUND
    with run.tools.store.begin() as transaction:
        bound = submissions.receipts_of(transaction, submission)
        if any(one.origin == "epuap" and one.kind == receipt.kind.value for one in bound):
            return "known", RECEIPT_KNOWN
        submissions.save_receipt(transaction, submission, receipt, origin="epuap")
        events.append(transaction, submission, "receipt_obtained", receipt=receipt.id, kind=receipt.kind.value)
    return "bound", BOUND


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
