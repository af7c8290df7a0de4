"""What a gmina's letters are made with: its card, its templates, and how they become documents."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path

from gateway.answers.compose import Composer
from gateway.answers.document import File
from gateway.answers.office import load
from gateway.answers.rendering import Rendering
from gateway.answers.templates import Templates
from gateway.reply import uploads
from gateway.store.answers import StoredAnswer
from gateway.tools import Tools


@cache
def paper(card: Path) -> tuple[Composer, Rendering]:
    """A gmina's card and templates, read once. Raises ConfigError, AnswerError: they are wrong."""
    templates = Templates([card.parent] if card.is_file() else [])
    return Composer(templates, load(card)), Rendering(templates)


def paper_of(stored: StoredAnswer, tools: Tools, files: Sequence[File] = ()) -> tuple[Composer, Rendering]:
    """What one answer is made with: every letter's files, and its own PDF, are enclosed here, inside or by address."""
    composer, render = paper(tools.config.path(tools.config.tenants[stored.tenant].answers.office))
    enclose = partial(uploads.enclose, stored=stored, tools=tools)
    return composer, Rendering(render.templates, files=files, enclose=enclose)
