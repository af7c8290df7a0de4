"""What a caller is told when we refuse: one table from our codes to the number (`Wyjatek/kod`) on the wire.

Numbers are stable and public (docs/codes.md) and never get another meaning. `status/kod` of an answer about a document
that was kept is a setting and has nothing to do with these.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from schemas.errors import BramaError


class FaultKind(NamedTuple):
    """How one code looks on the wire: number, SOAP 1.1 faultcode, HTTP status."""

    number: int
    soap_code: Literal["Client", "Server", "VersionMismatch", "MustUnderstand"]
    http_status: int = 500  # SOAP 1.1 over HTTP: a Fault is a 500


FAULTS: dict[str, FaultKind] = {
    "intake.refused": FaultKind(100, "Client"),
    "intake.envelope_unreadable": FaultKind(101, "Client"),
    "intake.soap_version": FaultKind(102, "VersionMismatch"),
    "intake.not_soap": FaultKind(103, "Client"),
    "intake.must_understand": FaultKind(104, "MustUnderstand"),
    "intake.content_type": FaultKind(105, "Client"),
    "message.untrusted": FaultKind(106, "Client"),
    "intake.operation_unknown": FaultKind(110, "Client"),
    "intake.request_invalid": FaultKind(111, "Client"),
    "intake.part_missing": FaultKind(112, "Client"),
    "intake.part_repeated": FaultKind(113, "Client"),
    "intake.base64_invalid": FaultKind(114, "Client"),
    "intake.body_too_large": FaultKind(120, "Client", 413),
    "intake.body_timeout": FaultKind(121, "Client"),
    "intake.quarantine_full": FaultKind(130, "Client"),
    "intake.still_deciding": FaultKind(131, "Server"),
    "intake.busy": FaultKind(200, "Server"),
    "store.unavailable": FaultKind(201, "Server"),
    "brama.error": FaultKind(299, "Server"),
}


def fault_of(error: BramaError) -> FaultKind:
    """The row of an error: by its code, else by the code of the nearest class above it; at the end `brama.error`."""
    codes = [error.code, *(getattr(kind, "code", "") for kind in type(error).__mro__)]
    return next((FAULTS[code] for code in codes if code in FAULTS), FAULTS["brama.error"])
