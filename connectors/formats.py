"""A case as one file, the way the office reads it: JSON as it is, XML by template, one CSV row; in its own encoding."""

from __future__ import annotations

import codecs
import csv
import io
import re
from functools import cache
from pathlib import Path
from typing import Any, Literal

import jinja2
from jinja2.sandbox import SandboxedEnvironment
from pydantic import Field, field_validator, model_validator

from connectors.base import Part
from connectors.drop import case_json
from connectors.outcomes import stopped
from connectors.values import ValuesMissing, as_text, checked, fill, scope_of
from schemas.delivery import CaseRecord
from schemas.errors import DocumentUnreadable
from schemas.rules import unfit
from schemas.xmldoc import parse

_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_IANA = {"cp1250": "windows-1250", "cp852": "IBM852", "iso8859-2": "ISO-8859-2"}
_NAMED = re.compile(r"encoding\s*=\s*[\"']([\w.-]+)")


class FileFormat(Part):
    """What is written. `xml` needs a template, `csv` its columns."""

    kind: Literal["json", "xml", "csv"] = "json"
    template: Path | None = Field(default=None, description="Jinja template of the XML; values are escaped.")
    columns: dict[str, str] = Field(default_factory=dict, description="Header → template, in order.")
    _places = field_validator("columns")(checked)
    delimiter: str = Field(default=";", min_length=1, max_length=1)
    header: bool = Field(default=True, description="Whether the first line names the columns.")
    encoding: str = Field(default="utf-8", description="utf-8, cp1250, cp852, iso8859-2 …; other characters are refused.")  # fmt: skip  # noqa: E501
    suffix: str | None = Field(default=None, pattern=r"^\.[\w.]+$", description="End of the name; empty: the kind.")

    @field_validator("encoding")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            "".encode(name)
        except LookupError:
            raise ValueError(f"unknown encoding {name}") from None
        return name

    @model_validator(mode="after")
    def _complete(self) -> FileFormat:
        if self.kind == "xml" and self.template is None:
            raise ValueError("xml needs a template")
        if self.kind == "csv" and not self.columns:
            raise ValueError("csv needs columns")
        return self

    @property
    def end(self) -> str:
        """The suffix with its dot."""
        return self.suffix or f".{self.kind}"


def render(format_: FileFormat, record: CaseRecord, key: str, message_id: str) -> bytes:
    """The file's bytes.

    Raises: StepStopped: a value is missing, a character is not in the encoding, or the template makes no XML.
    """
    scope = scope_of(record, key, message_id)
    if format_.kind == "json":
        return _encoded(case_json(record, key).decode(), format_.encoding)
    if format_.kind == "csv":
        return _encoded(_csv(format_, scope), format_.encoding)
    text = _xml(format_, scope)
    _require_declared(text, format_.encoding)
    return _encoded(text, format_.encoding)


def _xml(format_: FileFormat, scope: dict[str, Any]) -> str:
    assert format_.template is not None
    try:
        template = _templates(str(format_.template.parent)).get_template(format_.template.name)
        text = template.render(**scope, encoding=xml_name(format_.encoding))
        parse(_DECLARATION.sub("", text).encode())
    except jinja2.UndefinedError as error:
        raise stopped("record.incomplete", str(error.message)) from error
    except (jinja2.TemplateError, OSError) as error:
        raise stopped("folder.template_wrong", type(error).__name__) from error
    except DocumentUnreadable as error:
        raise stopped("folder.template_wrong", f"{error.code}, line {error.facts.get('line', 0)}") from error
    return text


def xml_name(encoding: str) -> str:
    """How XML declarations call it: readers other than ours do not know Python's `cp1250`."""
    name = codecs.lookup(encoding).name.removesuffix("-sig")
    return _IANA.get(name, name.upper())


def _require_declared(text: str, encoding: str) -> None:
    """Without a declaration that names it, a text in CP1250 is not even XML to whoever reads it."""
    declaration = _DECLARATION.match(text)
    named = _NAMED.search(declaration[0]) if declaration else None
    try:
        said = codecs.lookup(named[1] if named else "utf-8").name
    except LookupError:
        said = ""
    if said != codecs.lookup(encoding).name.removesuffix("-sig"):
        raise stopped("folder.template_wrong", "its XML declaration names another encoding")


def _csv(format_: FileFormat, scope: dict[str, Any]) -> str:
    try:
        row = {header: fill(template, scope) for header, template in format_.columns.items()}
    except ValuesMissing as error:
        raise stopped("record.incomplete", ", ".join(error.names)) from error
    out = io.StringIO()
    writer = csv.writer(out, delimiter=format_.delimiter, lineterminator="\r\n")
    if format_.header:
        writer.writerow(row)
    writer.writerow(["" if value is None else as_text(value) for value in row.values()])
    return out.getvalue()


def _encoded(text: str, encoding: str) -> bytes:
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        raise stopped("record.violations", f"file: rule.charset ({unfit(text, encoding)}/{encoding})") from None


@cache
def _templates(folder: str) -> jinja2.Environment:
    environment = SandboxedEnvironment(
        loader=jinja2.FileSystemLoader(folder), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["text"] = as_text
    return environment
