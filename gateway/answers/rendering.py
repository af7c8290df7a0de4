"""A letter as it is sent: the ePUAP document with the accessible PDF inside, not yet signed."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.answers import document, pdf
from gateway.answers.document import LETTER, File
from gateway.answers.letter import Letter
from gateway.answers.templates import Templates


class Rendering:
    """Callable: letter → octets. `namespace` is the template the office writes in, `files` go with every letter."""

    def __init__(self, templates: Templates, *, namespace: str = LETTER, files: Sequence[File] = ()) -> None:
        self.templates = templates
        self.namespace = namespace
        self.files = tuple(files)

    def __call__(self, letter: Letter) -> bytes:
        """The same letter gives the same octets. Raises: AnswerError: `answers.layout_failed`."""
        made = File(pdf.file_name(letter), "application/pdf", letter.title, pdf.render(letter, self.templates))
        return document.write(letter, [made, *self.files], namespace=self.namespace)
