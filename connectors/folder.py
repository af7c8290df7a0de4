"""The smallest real connector: one file per case in a folder the office reads. Read it first, then dropping.py."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import ClassVar

from pydantic import Field

from connectors.base import Capabilities, Options
from connectors.drop import READ_AT_MOST
from connectors.dropping import DropConnector, DropOptions
from schemas.delivery import Repeat
from schemas.errors import ConnectorError


class FolderOptions(DropOptions):
    """Where the office looks for its cases."""

    root: Path = Field(description="The folder the office reads; it must exist, on one file system.")
    sentinel: str | None = Field(
        default=None, description="A file that must be there, so that an empty mount point is not taken for the folder."
    )


class FolderConnector(DropConnector):
    """Write each case as one file with its documents beside it; the key is the file name."""

    options_model: ClassVar[type[Options]] = FolderOptions
    capabilities = Capabilities(repeat=Repeat.SAFE, look_up=True, attachments=True)

    def __init__(self, options: FolderOptions) -> None:
        super().__init__(options)
        self.place = LocalPlace(options.root, options.sentinel)

    @contextmanager
    def open(self) -> Iterator[LocalPlace]:
        """Nothing to open."""
        yield self.place

    def check(self) -> None:
        """Is the folder there, and may we write in it? Looks at permissions only."""
        root = self.place.root
        if not self.place.present() or not os.access(root, os.R_OK | os.W_OK | os.X_OK):
            raise ConnectorError("folder.unwritable", text=str(root))


class LocalPlace:
    """A folder of this machine; every file and rename reaches the disk before we go on."""

    def __init__(self, root: Path, sentinel: str | None = None) -> None:
        self.root = root
        self._sentinel = root / (sentinel or ".")

    def present(self) -> bool:
        """Is the folder itself there? A missing mount must not look like an empty folder."""
        return self.root.is_dir() and self._sentinel.exists()

    def exists(self, path: PurePosixPath) -> bool:
        """Is it there? FileNotFoundError: the folder itself is not."""
        self._require()
        return (self.root / path).exists()

    def write(self, path: PurePosixPath, content: bytes) -> None:
        """Write and fsync the file. The root itself is never made."""
        self._require()
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def secure(self, *folders: PurePosixPath) -> None:
        """fsync each once, the deepest first."""
        above = {self.root / part for folder in folders for part in (folder, *folder.parents)}
        for path in sorted(above, key=lambda path: len(path.parts), reverse=True):
            sync_folder(path)

    def read(self, path: PurePosixPath) -> bytes | None:
        """The content, or None. FileNotFoundError: the folder itself is not there."""
        self._require()
        try:
            with (self.root / path).open("rb") as file:
                return file.read(READ_AT_MOST)
        except FileNotFoundError:
            return None

    def claim(self, source: PurePosixPath, target: PurePosixPath) -> bool:
        """A hard link is made only where nothing is."""
        final = self.root / target
        if not final.parent.exists():
            final.parent.mkdir(parents=True, exist_ok=True)
            sync_folder(final.parent.parent)
        try:
            final.hardlink_to(self.root / source)
        except FileExistsError:
            return False
        finally:
            (self.root / source).unlink()
        sync_folder(final.parent)
        return True

    def rename(self, source: PurePosixPath, target: PurePosixPath) -> None:
        """Atomic on one file system."""
        (self.root / source).replace(self.root / target)

    def discard(self, folder: PurePosixPath) -> None:
        """Whatever is left there has no further use."""
        shutil.rmtree(self.root / folder, ignore_errors=True)

    def _require(self) -> None:
        if not self.present():
            raise FileNotFoundError("the office's folder is not there")

    def settle(self) -> None:
        """fsync the root: the renames are durable."""
        sync_folder(self.root)


def sync_folder(folder: Path) -> None:
    """Make a folder's entries durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
