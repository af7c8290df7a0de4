"""What a person may ask of the gateway; the command line and the console call nothing else.

    look    submissions, submission, deliveries, delivery, receipt_of, books, offices, pauses
    rule    lodging.rule: is it effectively lodged; letters: calls for correction, decisions; answering: what goes out
    act     replay, settle, set_aside, release, close, edit, map_again, look_up, pause, resume
            each with actor and reason, recorded for ever
Every function takes a `Store`, returns a typed result with `to_json`, and raises OperationRefused where the state does
not allow what was asked, StoreUnavailable where the database is away.
"""

from gateway.operations.act import ActionResult, Refusal, ReplayResult, close, release, replay, set_aside, settle
from gateway.operations.books import Books, books
from gateway.operations.correct import edit, look_up, map_again
from gateway.operations.evidence import ReportView, report_of
from gateway.operations.find import by_prefix
from gateway.operations.look import (
    DeliveryFilter,
    DeliveryPage,
    DeliveryView,
    SubmissionFilter,
    SubmissionPage,
    SubmissionView,
    deliveries,
    delivery,
    receipt_of,
    submission,
    submissions,
)
from gateway.operations.pausing import OfficeView, known_office, offices, pause, pauses, resume

__all__ = [
    "ActionResult",
    "Books",
    "DeliveryFilter",
    "DeliveryPage",
    "DeliveryView",
    "OfficeView",
    "Refusal",
    "ReplayResult",
    "ReportView",
    "SubmissionFilter",
    "SubmissionPage",
    "SubmissionView",
    "books",
    "by_prefix",
    "close",
    "deliveries",
    "delivery",
    "edit",
    "known_office",
    "look_up",
    "map_again",
    "offices",
    "pause",
    "pauses",
    "receipt_of",
    "release",
    "replay",
    "report_of",
    "resume",
    "set_aside",
    "settle",
    "submission",
    "submissions",
]
