"""Round trips: a citizen asks through ePUAP, the gmina's answer comes to the citizen's box, receipts to the timeline.

The request waits in a polled box, `brama pull` takes it, `brama work` asks two ledgers, drafts, seals and delivers; the
certificate has one approval by a clerk. Then the addressee collects, and UPP and UPD come back through the same box.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import requests

from gateway.clock import WARSAW
from gateway.demo.scenes import ANSWERS_MAILBOX
from gateway.demo.stage import Stage
from gateway.operations import answering
from gateway.simulate.applications import certificate_application, settlement_query
from gateway.simulate.citizens import sign_trusted_profile
from gateway.simulate.ledger import year_of_dues
from gateway.simulate.people import Person, nrb, person
from gateway.store import answers, submissions
from gateway.store.answers import StoredAnswer
from gateway.store.database import Store
from schemas.ids import sha256

T = TypeVar("T")
PATIENCE_S = 180.0
CLERK = "demo"


@dataclass(frozen=True, slots=True)
class _Trip:
    service: str
    form: Callable[..., bytes]
    citizen: Person
    late: bool  # does the citizen owe something?


TRIPS = (
    _Trip("settlement_query", settlement_query, person(41, "Krasnopol"), late=True),
    _Trip("arrears_certificate_application", certificate_application, person(42, "Krasnopol"), late=False),
)


def round_trips(stage: Stage, store: Store) -> list[dict[str, Any]]:
    """Every trip: service, whether the answer is in the citizen's box, and the kinds of receipts in its timeline."""
    return [_trip(trip, stage, store) for trip in TRIPS]


def _trip(trip: _Trip, stage: Stage, store: Store) -> dict[str, Any]:
    today = datetime.now(WARSAW).date()
    stage.ledger.book(year_of_dues(trip.citizen.pesel, today, account=nrb(1), late=trip.late))
    document = sign_trusted_profile(trip.form(applicant=trip.citizen), trip.citizen, stage.pki)
    box = f"/mieszkaniec{trip.citizen.pesel[-5:]}/domyslna"
    order = {"mailbox": ANSWERS_MAILBOX, "document": base64.b64encode(document).decode(), "file_name": "wniosek.xml",
             "reply_mailbox": box}  # fmt: skip
    requests.post(f"{stage.epuap.url}/simulated/box", json=order, timeout=10).raise_for_status()
    stored = _until(lambda: _resting(store, sha256(document)))
    if stored is not None and stored.step == "approve":
        _approve(store, stored)
        stored = _until(lambda: _resting(store, sha256(document), but="approve"))
    letters = _until(lambda: [one for one in stage.epuap.effects("delivered") if one["to"] == box]) or []
    for letter in letters:
        for kind in ("UPP", "UPD"):
            order = {"number": letter["number"], "kind": kind}
            requests.post(f"{stage.epuap.url}/simulated/receipt", json=order, timeout=10).raise_for_status()
    receipts = _until(lambda: _receipts(store, stored, at_least=2)) if letters else None
    return {
        "service": trip.service,
        "answered": len(letters) == 1,
        "document": stored.plan["document"] if stored else None,
        "code": stored.last_code if stored else None,
        "receipts": receipts or [],
    }


def _resting(store: Store, digest: str, but: str = "") -> StoredAnswer | None:
    """The answer once it waits for a person or is sent."""
    with store.begin() as transaction:
        found = submissions.by_identity(transaction, ANSWERS_MAILBOX, digest)
        stored = answers.of_submission(transaction, found.id) if found else []
    return next((one for one in stored if one.step in ("approve", "held", "sent") and one.step != but), None)


def _approve(store: Store, stored: StoredAnswer) -> None:
    """A clerk opens the draft, checks that no proceedings run, and stands for exactly these octets."""
    digest = sha256(answering.draft_of(store, stored.id))
    answering.approve(
        store, stored.id, sha256=digest, actor=CLERK, reason="sprawdzono w pokazie", proceedings_checked=True
    )


def _receipts(store: Store, stored: StoredAnswer | None, *, at_least: int) -> list[str]:
    if stored is None:
        return []
    found = [one for view in answering.messages_of(store, stored.submission_id) for one in view.receipts]
    return [one["kind"] for one in found] if len(found) >= at_least else []


def _until(look: Callable[[], T | None]) -> T | None:
    """What `look` finds, within patience; None where it finds nothing."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    return None
