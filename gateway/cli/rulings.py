"""`brama submissions rule`: whether a letter is effectively lodged, said by a person."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.chosen import Actor, Id, Reason, submission_id
from gateway.cli.documents import AsJson
from gateway.cli.service import Folder
from gateway.cli.shown import told


def rule(
    config: Folder,
    submission: Id,
    reason: Reason,
    actor: Actor,
    effective: Annotated[
        bool, typer.Option("--effective/--ineffective", help="Czy pismo wniesiono skutecznie?", show_default=False)
    ],
    json_: AsJson = False,
) -> None:
    """Rozstrzygnij, czy pismo wniesiono skutecznie; powód jest podstawą i może trafić do zawiadomienia."""
    from gateway.operations import lodging

    with opened(config) as tools:
        one = submission_id(tools.store, submission)
        verdict: Any = "effective" if effective else "ineffective"
        told(lodging.rule(tools, one, verdict, actor=actor, reason=reason), json_)


def add_to(submissions: typer.Typer) -> None:
    """The command of this module into the group it belongs to."""
    submissions.command("rule")(rule)


@contextmanager
def opened(config: Path) -> Iterator[Any]:
    """Everything the steps work with, for operations that begin answers."""
    from gateway import config as settings
    from gateway import log
    from gateway.app import open_tools

    log.configure(os.environ.get("BRAMA_LOG_LEVEL", "ERROR"))
    with open_tools(settings.load(config)) as tools:
        yield tools
