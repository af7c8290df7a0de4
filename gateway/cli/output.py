"""How the command line speaks: JSON or Polish text, and one place that turns errors into exit codes."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

import typer
import typer.main
from rich.console import Console
from rich.text import Text

from gateway.cli import polish
from schemas.errors import (
    AnswerError,
    BramaError,
    ConfigError,
    DocumentUnreadable,
    MappingError,
    OperationRefused,
    ReceiptError,
    StoreUnavailable,
)
from schemas.texts import all_texts, text

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


# The document or the state says "no".
ANSWERS = (DocumentUnreadable, MappingError, ReceiptError, OperationRefused, AnswerError)


class Exit(IntEnum):
    """What the exit code says."""

    FINE = 0
    NO = 1
    USAGE = 2
    UNREACHABLE = 3


def language() -> str:
    """`pl`, or `en` where BRAMA_LANG says so."""
    return "en" if os.environ.get("BRAMA_LANG", "pl").lower().startswith("en") else "pl"


def say(pl: str, en: str) -> str:
    """The sentence in the language of this run."""
    return en if language() == "en" else pl


def shown_state(code: str | None) -> str:
    """A state, decision, step or outcome: the Polish word, and the code that options take; none is a dash."""
    if code is None:
        return "—"
    known = all_texts().get(f"word.state_{code}")
    return f"{known['pl']} ({code})" if known and language() == "pl" else code


def shown_letter(code: str | None) -> str:
    """What is answered, or the letter that answers it, by its name; none is a dash, and a stranger stands as it is."""
    known = all_texts().get(f"word.letter_{code}")
    return known[language()] if known else code or "—"


def show_json(document: Any) -> None:
    """One JSON document on stdout, UTF-8, readable."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2, default=str) + "\n")
    sys.stdout.flush()


def read_moment(given: str | None, option: str) -> datetime | None:
    """An ISO 8601 time from an option, aware; without a zone it is UTC. Raises BadParameter (exit code 2)."""
    if given is None:
        return None
    try:
        moment = datetime.fromisoformat(given)
    except ValueError as error:
        raise typer.BadParameter(
            say("czas musi być w ISO 8601, np. 2026-02-03T10:00:00Z", "give ISO 8601, e.g. 2026-02-03T10:00:00Z"),
            param_hint=option,
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def leave(code: Exit) -> None:
    """End with this exit code."""
    raise typer.Exit(int(code))


def fail(error: BramaError, *, as_json: bool) -> Exit:
    """Tell a person, or with --json a program, what went wrong; returns the exit code that fits."""
    problems = error.problems if isinstance(error, ConfigError) else []
    sentence = text(error.code, language(), **error.facts)
    if as_json:
        show_json({"error": {"code": error.code, "message": sentence, "problems": problems}})
    else:
        err.print(Text(f"{say('Błąd', 'Error')}: ", "red") + Text(f"{sentence} [{error.code}]", ""))
        for problem in problems:
            err.print(Text(f"  • {problem}"))
    if isinstance(error, StoreUnavailable):
        return Exit.UNREACHABLE
    return Exit.NO if isinstance(error, ANSWERS) else Exit.USAGE


def misused(error: typer.TyperException, *, as_json: bool) -> Exit:
    """Tell what is wrong with how the program was called."""
    context = getattr(error, "ctx", None)
    sentence = error.format_message()
    if context is not None and sentence == context.get_help():
        err.print(Text(sentence))  # called without anything: the help page is the answer
        return Exit.USAGE
    sentence = polish.spoken(sentence) if language() == "pl" else sentence
    if as_json:
        show_json({"error": {"code": "cli.usage", "message": sentence, "problems": []}})
    if context is not None:
        hint = f"{context.command_path} {context.help_option_names[0]}"
        err.print(Text(f"{context.get_usage()}\n{say('Opis', 'Help')}: {hint}\n"))
    err.print(Text(f"{say('Błąd', 'Error')}: ", "red") + Text(sentence, ""))
    return Exit.USAGE


def run_safely(app: typer.Typer, arguments: list[str] | None = None) -> int:
    """Run the program; whatever happens, the exit code keeps its meaning and no traceback reaches a user."""
    arguments = sys.argv[1:] if arguments is None else arguments
    command = typer.main.get_command(app)
    try:
        left: Any = (polish.teach(command) if language() == "pl" else command).main(arguments, standalone_mode=False)
        return left if isinstance(left, int) else int(Exit.FINE)
    except SystemExit as leaving:
        if isinstance(leaving.__context__, BrokenPipeError):  # the reader had enough: typer and rich end with 1 then
            return int(Exit.FINE)
        return leaving.code if isinstance(leaving.code, int) else int(Exit.FINE)
    except typer.TyperException as error:
        return int(misused(error, as_json="--json" in arguments))
    except BramaError as error:
        return int(fail(error, as_json="--json" in arguments))
    except (KeyboardInterrupt, typer.Abort):
        err.print(say("Przerwano.", "Interrupted."))
        return int(Exit.NO)
