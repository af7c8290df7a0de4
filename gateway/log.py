"""Log set-up: fixed event words with fields, JSON lines or a console form on stderr, never personal data.

Field names that could carry personal data or secrets are redacted even if somebody passes them.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

REDACTED = frozenset(
    {
        "pesel",
        "nip",
        "name",
        "surname",
        "first_name",
        "sender",
        "signer",
        "document",
        "body",
        "password",
        "token",
        "xml",
    }
)


def configure(level: str = "INFO", json_lines: bool = True) -> None:
    """Set up structlog and the standard library's logging (uvicorn, procrastinate) alike, to stderr."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
        structlog.processors.format_exc_info,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if json_lines
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("procrastinate", "uvicorn.access", "zeep", "urllib3"):
        logging.getLogger(noisy).setLevel("WARNING")


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace the values of fields that may not be logged."""
    for name in event.keys() & REDACTED:
        event[name] = "[redacted]"
    return event
