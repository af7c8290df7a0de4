"""Accessible PDF: PDF/UA-1 and PDF/A-2a in one file, tagged, in Polish, every font inside.

typst refuses to write a file that does not keep to both standards, so a layout's mistake shows here and not in a screen
reader. Nothing is fetched: a layout may read its own folder and the fonts that come with typst.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from schemas.errors import AnswerError


def typeset(layout: Path, name: str, content: dict[str, Any], stamp: datetime) -> bytes:
    """The PDF's octets; the same content and stamp give the same file.

    Args:    name: under which the layout finds `content`, as JSON text in sys.inputs; stamp: aware.
    Raises:  AnswerError: `answers.layout_failed`, with what typst says of the layout (a gmina's own may be wrong);
             `answers.pdf_missing` without the extra.
    """
    if '"@' in layout.read_text("utf-8"):  # typst would fetch the package from the network
        raise AnswerError("answers.layout_failed", file=str(layout), problem="packages are not allowed")
    try:
        import typst  # an extra: who answers nobody does without its 34 MB
    except ImportError as error:
        raise AnswerError("answers.pdf_missing") from error
    try:
        made = typst.compile(
            layout,
            root=layout.parent,
            sys_inputs={name: json.dumps(content, ensure_ascii=False)},
            ignore_system_fonts=True,
            pdf_standards=["a-2a", "ua-1"],  # archivable and accessible
            timestamp=stamp.replace(microsecond=0),
        )
    except typst.TypstError as error:
        raise AnswerError("answers.layout_failed", file=str(layout), problem=error.message) from None
    assert isinstance(made, bytes)
    return made
