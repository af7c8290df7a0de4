"""`brama submissions rule`: whether a letter is effectively lodged, said by a person."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.cli.chosen import Actor, Id, Reason, opened_tools, submission_id
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

    with opened_tools(config) as tools:
        one = submission_id(tools.store, submission)
        verdict: Any = "effective" if effective else "ineffective"
        told(lodging.rule(tools, one, verdict, actor=actor, reason=reason), json_)


def add_to(submissions: typer.Typer) -> None:
    """The command of this module into the group it belongs to."""
    submissions.command("rule")(rule)
