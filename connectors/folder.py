"""The smallest real connector: one file per case in a folder the office reads. Read it first."""

from __future__ import annotations

import os
import shutil
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from pydantic import Field

from connectors import drop
from connectors.base import Capabilities, LookUpFailed, Options
from connectors.outcomes import outcome, stopped, technical
from schemas.delivery import CaseRecord, Delivered, Outcome, Repeat, Steps, StepStopped
from schemas.errors import ConnectorError


class FolderOptions(Options):
    """Where the office looks for its cases."""

    root: Path = Field(description="The folder the office reads; it must exist, on one file system.")
    sentinel: str | None = Field(
        default=None, description="A file that must be there, so that an empty mount point is not taken for the folder."
    )


class FolderConnector:
    """Write each case as one JSON file with its documents beside it; the key is the file name."""

    options_model: ClassVar[type[Options]] = FolderOptions
    capabilities = Capabilities(repeat=Repeat.SAFE, look_up=True, attachments=True)

    def __init__(self, options: FolderOptions) -> None:
        self.place = LocalPlace(options.root, options.sentinel)

    def check(self) -> None:
        """Is the folder there, and may we write in it? Looks at permissions only."""
        root = self.place.root
        if not self.place.present() or not os.access(root, os.R_OK | os.W_OK | os.X_OK):
            raise ConnectorError("folder.unwritable", text=str(root))

    def find(self, key: str) -> str | None:
        """The case file's name, if it was published; also when the office has taken it since."""
        try:
            return f"{drop.safe_name(key)}.json" if drop.published(self.place, key, ".json") else None
        except OSError as error:
            raise LookUpFailed(reason=technical(error)) from error

    def deliver(self, record: CaseRecord, key: str, steps: Steps) -> Outcome:
        """Write out of sight, then rename. Only the rename is an effect, and repeating it changes nothing."""
        try:
            files = drop.Drop(key, f"{drop.safe_name(key)}.json", drop.case_json(record, key), drop.files_of(record))
            drop.prepare(self.place, files)
        except drop.KeyUnusable as error:
            return outcome("folder.key_unusable", str(error))
        except OSError as error:
            return outcome("folder.unwritable", technical(error))
        try:
            done = steps.once("publish", lambda: publish(self.place, files))
        except StepStopped as stop:
            return stop.outcome
        return Delivered(done["file"])


def publish(place: drop.Place, files: drop.Drop) -> dict[str, Any]:
    """Rename into the office's sight; a failed rename has moved nothing, a failed fsync is a doubt."""
    try:
        drop.publish(place, files)
    except OSError as error:
        raise stopped("folder.unwritable", technical(error)) from error
    try:
        place.settle()
    except OSError as error:
        raise stopped("folder.publish_in_doubt", technical(error)) from error
    return {"file": files.main}


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
        """Write, fsync the file and its folders. The root itself is never made."""
        self._require()
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        for folder in (target.parent, *target.parent.parents):
            sync_folder(folder)
            if folder == self.root:
                break

    def read(self, path: PurePosixPath) -> bytes | None:
        """The content, or None."""
        try:
            return (self.root / path).read_bytes()
        except FileNotFoundError:
            return None

    def claim(self, source: PurePosixPath, target: PurePosixPath) -> bool:
        """A hard link is made only where nothing is."""
        final = self.root / target
        final.parent.mkdir(parents=True, exist_ok=True)
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
