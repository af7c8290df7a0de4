"""What a gmina's letters are made with: its card, its templates, and how they become documents."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from gateway.answers.compose import Composer
from gateway.answers.office import load
from gateway.answers.rendering import Rendering
from gateway.answers.templates import Templates


@cache
def paper(card: Path) -> tuple[Composer, Rendering]:
    """A gmina's card and templates, read once. Raises ConfigError, AnswerError: they are wrong."""
    templates = Templates([card.parent] if card.is_file() else [])
    return Composer(templates, load(card)), Rendering(templates)
