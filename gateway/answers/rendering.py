"""A letter as it is sent: the ePUAP document with the accessible PDF inside, not yet signed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.answers import document, pdf
from gateway.answers.document import LETTER, File
from gateway.answers.letter import Letter
from gateway.answers.templates import Templates
from schemas.octets import Octets

Enclose = Callable[[Sequence[File]], Sequence[File]]


class Rendering:
    """Callable: letter → octets. `namespace` is the template the office writes in, `files` go with every letter.

    `enclose` gives what does not fit into a letter an address instead; the letter's own PDF is judged with the rest.
    """

    def __init__(
        self, templates: Templates, *, namespace: str = LETTER, files: Sequence[File] = (), enclose: Enclose = tuple
    ) -> None:
        self.templates = templates
        self.namespace = namespace
        self.files = tuple(files)
        self.enclose = enclose

    def __call__(self, letter: Letter) -> bytes:
        """The same letter gives the same octets. Raises: AnswerError: `answers.layout_failed`."""
        octets = Octets.of(pdf.render(letter, self.templates))
        made = File(pdf.file_name(letter), "application/pdf", letter.title, octets)
        return document.write(letter, self.enclose([made, *self.files]), namespace=self.namespace)
