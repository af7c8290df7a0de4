"""Big files wired from the configuration: each gmina's client of FileRepo, the folder answers go to, and the rules."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

from pydantic import Field

from connectors.http import Http, HttpOptions
from gateway import channels
from gateway.attachments import Rules, Scanner, judge_file
from gateway.config import Config
from gateway.store.embedded import default_folder
from gateway.tools import FileTools
from gateway.transport.filerepo import Check, FileRepository
from schemas.errors import ConfigError
from schemas.finding import Finding

_ANY = "application/octet-stream"  # says nothing
_BASE64 = 4 / 3
_AROUND = 2 * 1024 * 1024  # envelope, token, signature, headers of parts
_LINES = 1.05  # base64 may be broken into lines


class _Patient(HttpOptions):
    """Half a gigabyte takes its time."""

    timeout_s: float = Field(gt=0, le=7200)


def file_tools_of(config: Config, rules_of: Callable[[str | None], Rules]) -> FileTools:
    """Nothing is read or opened before the first big file.

    Args: rules_of: of a gmina, for attached files.
    """
    own, attached = config.gateway.files, config.gateway.attachments
    scanner = Scanner(attached.scanner, attached.scanner_timeout_s) if attached.scanner else None
    return FileTools(
        repository=Repositories(config).get,
        spool=config.path(own.spool) if own.spool else default_folder() / "spool",
        judge=partial(_judge, rules_of, scanner),
    )


class Repositories:
    """One client per gmina, built when first needed and shared by all threads."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._built: dict[str, FileRepository] = {}
        self._lock = threading.Lock()

    def get(self, teryt: str) -> FileRepository:
        """Raises ConfigError: no such tenant, no key, no pinned certificate."""
        with self._lock:
            if teryt not in self._built:
                self._built[teryt] = self._build(teryt)
            return self._built[teryt]

    def _build(self, teryt: str) -> FileRepository:
        tenant = self._config.tenants.get(teryt)
        if tenant is None:
            raise ConfigError([f"tenants: {teryt}: nie ma takiej gminy / no such tenant"])
        own = self._config.gateway.files
        if not own.url:
            raise ConfigError(["files.url: puste, a jest duży plik / empty, and there is a big file"])
        most = int(own.limit_bytes * _BASE64 * _LINES) + _AROUND
        endpoint = channels.endpoint(self._config, own.url)
        endpoint = replace(endpoint, http=Http(_Patient(timeout_s=own.timeout_s, max_answer_bytes=most)))
        subject = tenant.subject or tenant.mailboxes[0].strip("/").partition("/")[0]
        check = cast(Check, endpoint.check) if own.check_answers and endpoint.check else None
        return FileRepository(endpoint, subject, check, upload_parts=own.upload_form == "mtom")


def _judge(
    rules_of: Callable[[str | None], Rules], scanner: Scanner | None, path: Path, tenant: str, declared: str
) -> tuple[str | None, tuple[Finding, ...]]:
    return judge_file(path, "" if declared == _ANY else declared, rules_of(tenant), scanner)
