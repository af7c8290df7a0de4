"""Letters as data: `<name>.toml` says the Polish text block by block; folders override each other file by file.

A template's texts are Jinja2 in its sandbox, with everything undefined refused; what comes out is plain text, never
markup, so nothing a citizen wrote can become part of a document's structure.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway import resources
from gateway.answers import polish
from gateway.answers.letter import Block, Codes, Column, Heading, Paragraph, Points, Table
from schemas.errors import AnswerError

WORDS = "words.toml"
LAYOUT = "letter.typ"
CREST = ("herb.svg", "herb.png")
_BLANK_LINE = re.compile(r"\n\s*\n")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ColumnSource(_Model):
    """A column: its head and the text of its cells, in which `row` is the row."""

    head: str
    cell: str
    align: Literal["left", "right", "center"] = "left"
    width: float = Field(default=0, ge=0)


class BlockSource(_Model):
    """One block. `when` is an expression; the block is left out where it is not true. `rows` names a list."""

    kind: Literal["heading", "text", "small", "strong", "list", "table", "codes"]
    when: str | None = None
    text: str = ""
    rows: str | None = None
    item: str = ""
    numbered: bool = False
    caption: str = ""
    columns: tuple[ColumnSource, ...] = ()
    sums: tuple[str, ...] = ()


class TemplateSource(_Model):
    """A whole letter. `basis` is the law it rests on; `status` says how far the text has been checked."""

    title: str
    subtitle: str | None = None
    basis: str | None = None
    block: tuple[BlockSource, ...] = Field(min_length=1)


class Words(_Model):
    """`words.toml`: names that change without the program: kinds of dues (in full, and short for transfers), acts."""

    kinds: dict[str, str]
    short: dict[str, str]
    law: dict[str, str]
    ledgers: dict[str, str] = {}
    exemptions: dict[str, str] = {}


class Templates:
    """Every template of one tenant: the shipped ones, overridden by its own folders, later ones winning."""

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        """Raises AnswerError (`answers.template_wrong`) naming file and place, for every file in any folder."""
        self.folders = (resources.folder("templates") / "answers", *folders)
        self._jinja = _environment()
        self.words = Words.model_validate(self._merged_words())
        self._sources = {name: self._read(name) for name in self._names()}

    @property
    def names(self) -> tuple[str, ...]:
        """What can be rendered, sorted."""
        return tuple(sorted(self._sources))

    def file(self, *names: str) -> Path | None:
        """The file that counts: of the last folder that has one of these names."""
        found = [folder / name for folder in self.folders for name in names if (folder / name).is_file()]
        return found[-1] if found else None

    def head(self, name: str, data: Mapping[str, Any]) -> tuple[str, str | None, str | None]:
        """(title, subtitle, basis) filled in."""
        source = self.source(name)
        filled = [self._fill(name, text, data) if text else None for text in (source.subtitle, source.basis)]
        return self._fill(name, source.title, data), filled[0], filled[1]

    def blocks(self, name: str, data: Mapping[str, Any]) -> tuple[Block, ...]:
        """The blocks filled in, in order, without those whose `when` is not true.

        Raises: AnswerError: `answers.template_unknown`; `answers.template_failed`: a text asks for what there is not.
        """
        shown = (block for block in self.source(name).block if self._wanted(name, block, data))
        return tuple(made for block in shown for made in self._block(name, block, data))

    def source(self, name: str) -> TemplateSource:
        """One template as read."""
        if name not in self._sources:
            raise AnswerError("answers.template_unknown", template=name, known=", ".join(self.names))
        return self._sources[name]

    def _block(self, name: str, block: BlockSource, data: Mapping[str, Any]) -> Iterator[Block]:
        match block.kind:
            case "heading":
                yield Heading(self._fill(name, block.text, data))
            case "text" | "small" | "strong":
                style = "body" if block.kind == "text" else block.kind
                for part in self._fill(name, block.text, data, keep_paragraphs=True).split("\n\n"):
                    yield Paragraph(part, style)
            case "list":
                yield Points(tuple(self._rows(name, block, block.item, data)), block.numbered)
            case "table":
                yield self._table(name, block, data)
            case "codes":
                yield Codes(tuple(self._list(name, block, data)))

    def _table(self, name: str, block: BlockSource, data: Mapping[str, Any]) -> Table:
        columns = [tuple(self._rows(name, block, column.cell, data)) for column in block.columns]
        return Table(
            caption=self._fill(name, block.caption, data),
            columns=tuple(Column(column.head, column.align, column.width) for column in block.columns),
            rows=tuple(zip(*columns, strict=True)),
            sums=tuple(self._fill(name, text, data) for text in block.sums),
        )

    def _rows(self, name: str, block: BlockSource, text: str, data: Mapping[str, Any]) -> Iterator[str]:
        for number, row in enumerate(self._list(name, block, data), start=1):
            yield self._fill(name, text, {**data, "row": row, "number": number})

    def _list(self, name: str, block: BlockSource, data: Mapping[str, Any]) -> Sequence[Any]:
        rows: Sequence[Any] = self._evaluate(name, block.rows or "none", data)
        return rows

    def _wanted(self, name: str, block: BlockSource, data: Mapping[str, Any]) -> bool:
        return block.when is None or bool(self._evaluate(name, block.when, data))

    def _evaluate(self, name: str, expression: str, data: Mapping[str, Any]) -> Any:
        try:
            return self._jinja.compile_expression(expression, undefined_to_none=False)(**data)
        except TemplateError as error:
            raise _failed(name, error) from error

    def _fill(self, name: str, text: str, data: Mapping[str, Any], *, keep_paragraphs: bool = False) -> str:
        try:
            filled = self._jinja.from_string(text).render(**data)
        except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
            raise _failed(name, error) from error
        if not keep_paragraphs:
            return _one_line(filled)
        return "\n\n".join(line for line in map(_one_line, _BLANK_LINE.split(filled)) if line)

    def _names(self) -> set[str]:
        files = (file for folder in self.folders for file in folder.glob("*.toml"))
        return {file.stem for file in files} - {"words", "office", "office.example"}

    def _read(self, name: str) -> TemplateSource:
        file = self.file(f"{name}.toml")
        assert file is not None
        try:
            source = TemplateSource.model_validate(_toml(file))
            self._compile(source)
        except ValidationError as error:
            places = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
            raise AnswerError("answers.template_wrong", file=str(file), problem=places) from None
        except TemplateError as error:
            raise AnswerError("answers.template_wrong", file=str(file), problem=str(error)) from error
        return source

    def _compile(self, source: TemplateSource) -> None:
        texts = [source.title, source.subtitle or "", source.basis or ""]
        for block in source.block:
            texts += [block.text, block.item, block.caption, *block.sums, *(column.cell for column in block.columns)]
            for expression in filter(None, (block.when, block.rows)):
                self._jinja.compile_expression(expression)
        for text in texts:
            self._jinja.from_string(text)

    def _merged_words(self) -> dict[str, dict[str, str]]:
        merged: dict[str, dict[str, str]] = {}
        for folder in self.folders:
            if (folder / WORDS).is_file():
                for table, entries in _toml(folder / WORDS).items():
                    merged.setdefault(table, {}).update(entries)
        return merged


def _environment() -> ImmutableSandboxedEnvironment:
    # plain text comes out; lxml and JSON escape it where it goes, so HTML escaping here would spoil it
    jinja = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    jinja.filters |= {
        "money": polish.money,
        "in_words": polish.in_words,
        "day": polish.day,
        "short_day": polish.short_day,
        "hour": polish.hour,
        "account": polish.account,
        "plural": polish.plural,
    }
    return jinja


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise AnswerError("answers.template_wrong", file=str(file), problem=str(error)) from error


def _one_line(text: str) -> str:
    return " ".join(word for word in text.replace("\n", " ").split(" ") if word)


def _failed(name: str, error: Exception) -> AnswerError:
    # Jinja's message names variables, never their values
    return AnswerError("answers.template_failed", template=name, problem=str(error) if _nameable(error) else "")


def _nameable(error: Exception) -> bool:
    return isinstance(error, TemplateError)
