"""Every code a built-in connector answers with, and what it means for the delivery: the one visible table.

The rule behind it: `Unreachable` only where the effect surely did not happen (nothing was sent, the transaction did not
commit, or the other side said "later"); `Refused` only where the other side understood and said no; everything else
that is not a clear yes is `Unsettled`. Texts for people: schemas/texts/connector.toml.
"""

from __future__ import annotations

import re

from schemas.delivery import Outcome, Refused, StepStopped, Unreachable, Unsettled
from schemas.errors import ConnectorError

MEANING: dict[str, type[Refused] | type[Unreachable] | type[Unsettled]] = {
    # before anything is sent
    "record.incomplete": Refused,  # a value the options ask for is not in the record
    "record.violations": Refused,  # length, charset, pattern: every violation listed
    # folder, sftp
    "folder.unwritable": Unreachable,
    "folder.key_unusable": Refused,
    "folder.template_wrong": Unreachable,
    "folder.publish_in_doubt": Unsettled,
    "sftp.unreachable": Unreachable,
    "sftp.answer_lost": Unsettled,
    "response.awaited": Unsettled,  # published, and the office has not said yes or no
    "response.refused": Refused,
    # fetch
    "fetch.nothing_sent": Unreachable,  # the office comes for its cases
    # rehearsal
    "rehearsal.refused": Refused,
    "rehearsal.unreachable": Unreachable,
    "rehearsal.hung_up": Unsettled,
    # HTTP, under soap, ezd_puw, rest and ezd_rp
    "http.not_sent": Unreachable,  # failed before the first byte of the request left: refused, DNS, TLS, time
    "http.answer_lost": Unsettled,  # broke after the first byte
    "http.timeout": Unsettled,  # no whole answer in time
    "http.answer_too_large": Unsettled,
    "http.later": Unreachable,  # 429, 503
    "http.not_admitted": Unreachable,  # 401, 403, 407: credentials are for the administrator, not for a clerk
    "http.wrong_address": Unreachable,  # 307, 308, 404, 405, 410
    "http.redirected": Unsettled,  # any other 3xx: also the way to say "done, look there"
    "http.conflict": Unsettled,  # 409: it may have this very case, or be taking it just now
    "http.refused": Refused,  # 400 and the other 4xx
    "http.status": Unsettled,  # 5xx and whatever else
    "http.no_token": Unreachable,  # the authorisation server gave none, so the office was not asked at all
    # SOAP
    "soap.contract_unavailable": Unreachable,  # the WSDL cannot be loaded
    "soap.contract_mismatch": Unreachable,  # operation or argument not in the WSDL
    "soap.argument_invalid": Refused,  # a value does not fit its XSD type
    "soap.fault_refused": Refused,  # Client, Sender
    "soap.fault": Unsettled,  # Server, Receiver and others, unless the options know better
    "soap.fault_later": Unreachable,
    # the answer itself
    "answer.unreadable": Unsettled,
    "answer.untrusted": Unsettled,  # its WS-Security signature is missing or wrong
    "answer.refused": Refused,
    "answer.later": Unreachable,
    # SQL
    "sql.unreachable": Unreachable,
    "sql.interrupted": Unreachable,  # before COMMIT was sent: rolled back
    "sql.statement_wrong": Unreachable,  # no such table, column, permission
    "sql.key_not_unique": Unreachable,
    "sql.not_transactional": Unreachable,  # MyISAM: a broken write would stay half-done
    "sql.value_refused": Refused,
    "sql.constraint": Refused,
    "sql.office_refused": Refused,  # RAISE, SIGNAL or an exception of the office's own procedure or trigger
    "sql.commit_lost": Unsettled,
    # a doubtful step could not be asked about
    "connector.look_up_failed": Unsettled,
}

_LONGEST_TEXT = 300
_PESEL_LIKE = re.compile(r"(?<!\d)\d{11}(?!\d)")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|\([^()]*\)=\([^()]*\)")


def outcome(code: str, text: str = "", retry_after_s: float | None = None) -> Outcome:
    """The outcome `code` stands for. `text` should have passed `said` or hold nothing personal."""
    kind = MEANING[code]
    if kind is Unreachable:
        return Unreachable(code, text, retry_after_s)
    return kind(code, text)


def stopped(code: str, text: str = "", retry_after_s: float | None = None) -> StepStopped:
    """The exception that ends a step, and the try, with this outcome."""
    return StepStopped(outcome(code, text, retry_after_s))


def as_error(stop: StepStopped) -> ConnectorError:
    """The same for `check`, which raises."""
    return ConnectorError(getattr(stop.outcome, "code", None), text=getattr(stop.outcome, "text", ""))


def said(text: str) -> str:
    """What the other side said, fit to be stored: one line, bounded, numbers that look like a PESEL masked."""
    return _PESEL_LIKE.sub("···········", " ".join(text.split()))[:_LONGEST_TEXT]


def technical(error: BaseException) -> str:
    """A library's error, fit to be stored: its class and first line without quoted values (they may be personal)."""
    first = next(iter(str(error).strip().splitlines()), "")
    return said(f"{type(error).__name__}: {_QUOTED.sub('…', first)}".rstrip(": "))
