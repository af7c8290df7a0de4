"""What a person may ask of the gateway; the command line and the console call nothing else.

    look    submissions, submission, deliveries, delivery, receipt_of, books
    act     replay, settle, set_aside, release, close      each with actor and reason, recorded for ever
Every function takes a `Store`, returns a typed result with `to_json`, and raises OperationRefused where the state does
not allow what was asked, StoreUnavailable where the database is away.
"""

from gateway.operations.act import ActionResult, Refusal, ReplayResult, close, release, replay, set_aside, settle
from gateway.operations.books import Books, books
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

__all__ = [
    "ActionResult",
    "Books",
    "DeliveryFilter",
    "DeliveryPage",
    "DeliveryView",
    "Refusal",
    "ReplayResult",
    "SubmissionFilter",
    "SubmissionPage",
    "SubmissionView",
    "books",
    "by_prefix",
    "close",
    "deliveries",
    "delivery",
    "receipt_of",
    "release",
    "replay",
    "set_aside",
    "settle",
    "submission",
    "submissions",
]
