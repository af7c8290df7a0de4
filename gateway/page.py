"""A page of labelled values, lists and tables, written as accessible HTML, as plain text, or as content for the PDF.

Everything is escaped; there is no script, no image and no address in the page. HTML: one h1, headings without gaps,
every section named by its heading, every table with a caption and scoped heads, dark text on white.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any

_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;"
    "color:#1b1b1b;background:#fff}"
    "h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem;border-bottom:2px solid #1b1b1b}h3{font-size:1rem}"
    "dl{display:grid;grid-template-columns:minmax(8rem,18rem) 1fr;gap:.25rem 1rem}"
    "dt{font-weight:600}dd{margin:0;white-space:pre-wrap;overflow-wrap:anywhere}"
    ".scroll{overflow-x:auto}table{border-collapse:collapse;margin:.5rem 0 1.5rem}"
    "caption{text-align:left;font-weight:600;padding:.25rem 0}"
    "th,td{border-bottom:1px solid #767676;padding:.25rem .75rem .25rem 0;text-align:left;vertical-align:top}"
    "td{overflow-wrap:anywhere}tbody th{min-width:12rem;font-weight:normal}"
    "thead th{border-bottom-width:2px}.number{text-align:right}td.number{white-space:nowrap}"
    ".mark{border:2px solid #7a4b00;padding:.5rem 1rem}"
)


_WIDEST = 100  # characters of a table in plain text


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: its caption, the heads of its columns, rows of texts; `numbers` are the columns set to the right.

    `named`: the first cell of a row is its head.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...] = ()
    named: bool = True


@dataclass(slots=True)
class Section:
    """A heading with labelled values, then tables, then sections below it."""

    title: str
    rows: list[tuple[str, str]] = field(default_factory=list)
    grids: list[Grid] = field(default_factory=list)
    parts: list[Section] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.rows or self.grids or self.parts)


def content(title: str, marks: Sequence[str], sections: Sequence[Section]) -> dict[str, Any]:
    """What a layout of the PDF gets, JSON-ready."""
    return {"title": title, "marks": list(marks), "sections": [asdict(section) for section in sections]}


def to_html(title: str, marks: Sequence[str], sections: Sequence[Section]) -> str:
    """The whole page."""
    body = "".join(_html_section(section, f"s{number}", 2) for number, section in enumerate(sections))
    marked = "".join(f'<p class="mark">{escape(mark)}</p>' for mark in marks)
    return (
        f'<!DOCTYPE html><html lang="pl"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body><main><h1>{escape(title)}</h1>{marked}{body}</main></body></html>"
    )


def to_text(title: str, marks: Sequence[str], sections: Sequence[Section]) -> str:
    """The same for a terminal."""
    lines = [title, "=" * len(title), *marks]
    for section in sections:
        lines += _text_section(section)
    return "\n".join(lines) + "\n"


def _html_section(section: Section, name: str, level: int) -> str:
    rows = "".join(f"<dt>{escape(label)}</dt><dd>{escape(value)}</dd>" for label, value in section.rows)
    grids = "".join(_html_grid(grid) for grid in section.grids)
    parts = "".join(_html_section(part, f"{name}-{n}", min(level + 1, 6)) for n, part in enumerate(section.parts))
    listed = f"<dl>{rows}</dl>" if rows else ""
    head = f'<h{level} id="{name}">{escape(section.title)}</h{level}>'
    return f'<section aria-labelledby="{name}">{head}{listed}{grids}{parts}</section>'


def _html_grid(grid: Grid) -> str:
    """Scrolls by itself where the screen is narrow, and can be reached and moved by keyboard (WCAG 2.1.1)."""
    side = dict.fromkeys(grid.numbers, ' class="number"')
    heads = "".join(f'<th scope="col"{side.get(n, "")}>{escape(text)}</th>' for n, text in enumerate(grid.head))
    rows = "".join(
        "<tr>" + "".join(
            f'<th scope="row">{escape(text)}</th>' if n == 0 and grid.named
            else f"<td{side.get(n, '')}>{escape(text)}</td>"
            for n, text in enumerate(row)
        ) + "</tr>"
        for row in grid.rows
    )  # fmt: skip
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(grid.caption)}"><table>'
        f"<caption>{escape(grid.caption)}</caption><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _text_section(section: Section) -> list[str]:
    lines = ["", section.title, "-" * len(section.title)]
    lines += [f"{label}: {value}" for label, value in section.rows]
    for grid in section.grids:
        lines += _text_grid(grid)
    return lines + [line for part in section.parts for line in _text_section(part)]


def _text_grid(grid: Grid) -> list[str]:
    """In columns, or row by row where the columns are too wide for a terminal."""
    every = [grid.head, *grid.rows]
    widths = [max(len(row[column]) for row in every) for column in range(len(grid.head))]
    if sum(widths) > _WIDEST:
        told = (zip(grid.head, row, strict=True) for row in grid.rows)
        return ["", f"{grid.caption}:", *("– " + "; ".join(f"{head}: {cell}" for head, cell in row) for row in told)]
    lines = [
        "  ".join(
            cell.rjust(width) if column in grid.numbers else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in every
    ]
    return ["", f"{grid.caption}:", lines[0], "  ".join("-" * width for width in widths), *lines[1:]]
