"""Answers to citizens, from what begins one to a signed letter in the outbox (the plan: gateway.answers.plan).

    opening   what begins an answer: a case of an answered service, a ruling, findings, a lost file, a clerk
    steps     one step of a plan: query and draft → (a person approves) → seal what was drafted → outbox
    drafts    what each letter that needs no ledger is made of
    uploads   files that do not fit into a letter: up into ePUAP's store before the letter is drafted
Repeating any of it is harmless.
"""

from gateway.reply.opening import (
    begin,
    call_for_correction,
    correction,
    deliver_decision,
    doubts_of,
    file_lost,
    notice,
    rejection,
)
from gateway.reply.papers import paper
from gateway.reply.steps import work
from gateway.reply.uploads import most_bytes

__all__ = [
    "begin",
    "call_for_correction",
    "correction",
    "deliver_decision",
    "doubts_of",
    "file_lost",
    "most_bytes",
    "notice",
    "paper",
    "rejection",
    "work",
]
