"""The folder connector on an SFTP server: same files, same marks, same renames."""

from __future__ import annotations

import base64
import contextlib
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import ClassVar

import paramiko
from paramiko.sftp import CMD_EXTENDED
from pydantic import Field, SecretStr, field_validator

from connectors.base import Capabilities, Options
from connectors.drop import READ_AT_MOST
from connectors.dropping import DropConnector, DropOptions
from connectors.outcomes import technical
from schemas.delivery import Repeat
from schemas.errors import ConnectorError


class SftpOptions(DropOptions):
    """An SFTP server and the folder on it the office reads. The server's key must be known beforehand."""

    host: str = Field(description="Name or address.")
    port: int = Field(default=22, ge=1, le=65535)
    user: str = Field(description="Whom to log in as.")
    password: SecretStr | None = Field(default=None, description="By reference; better: private_key.")
    private_key: Path | None = Field(default=None, description="OpenSSH private key file.")
    passphrase: SecretStr | None = Field(default=None, description="Of the private key, by reference.")
    host_key: str = Field(description="The server's public key as in known_hosts: `ssh-ed25519 AAAA…`.")
    root: str = Field(description="The folder the office reads; it must exist.")

    @field_validator("host_key")
    @classmethod
    def _key(cls, text: str) -> str:
        read_host_key(text)
        return text


class SftpConnector(DropConnector):
    """Write each case as one file on an SFTP server, with its documents beside it."""

    options_model: ClassVar[type[Options]] = SftpOptions
    capabilities = Capabilities(repeat=Repeat.SAFE, look_up=True, attachments=True, max_calls=10, step_calls=2)
    lost = "sftp.answer_lost"
    failed = "sftp.unreachable"

    def __init__(self, options: SftpOptions) -> None:
        super().__init__(options)
        self.options = options

    def check(self) -> None:
        """Log in and list the folder."""
        try:
            with self.open() as place:
                place.present()
        except OSError as error:
            raise ConnectorError("sftp.unreachable", text=technical(error)) from error

    @contextmanager
    def open(self) -> Iterator[SftpPlace]:
        """A connection for one delivery: a shared one would mix the answers of threads."""
        with contextlib.ExitStack() as stack:
            with translated():
                transport = self._transport()
                stack.callback(transport.close)
                client = paramiko.SFTPClient.from_transport(transport)
                if client is None:
                    raise ConnectionError("no SFTP on this server")
                channel = client.get_channel()
                if channel is not None:
                    channel.settimeout(self.options.timeout_s)
            yield SftpPlace(client, PurePosixPath(self.options.root))

    def _transport(self) -> paramiko.Transport:
        options = self.options
        line = socket.create_connection((options.host, options.port), timeout=options.timeout_s)
        transport = paramiko.Transport(line)
        try:
            transport.banner_timeout = transport.auth_timeout = options.timeout_s
            expected = read_host_key(options.host_key)
            transport.get_security_options().key_types = (expected.get_name(),)
            transport.start_client(timeout=options.timeout_s)
            if transport.get_remote_server_key() != expected:
                raise ConnectionError("the server shows another key than the one configured")
            self._log_in(transport)
        except BaseException:
            transport.close()
            raise
        return transport

    def _log_in(self, transport: paramiko.Transport) -> None:
        options = self.options
        if options.private_key is not None:
            passphrase = options.passphrase.get_secret_value() if options.passphrase else None
            key = paramiko.PKey.from_path(options.private_key, passphrase)
            transport.auth_publickey(options.user, key)
        else:
            transport.auth_password(options.user, options.password.get_secret_value() if options.password else "")


class SftpPlace:
    """A folder on an SFTP server. What has no answer is ConnectionError, what was refused another OSError."""

    def __init__(self, client: paramiko.SFTPClient, root: PurePosixPath) -> None:
        self._client = client
        self._root = root

    def present(self) -> None:
        """FileNotFoundError or PermissionError when the folder is not as it must be."""
        with translated():
            self._client.listdir(str(self._root))

    def exists(self, path: PurePosixPath) -> bool:
        """Is it there? FileNotFoundError: the folder itself is not."""
        if self._stat(self._root) is None:
            raise FileNotFoundError("the office's folder is not there")
        return self._stat(self._root / path) is not None

    def read(self, path: PurePosixPath) -> bytes | None:
        """The content, or None. FileNotFoundError: the folder itself is not there."""
        if not self.exists(path):
            return None
        with translated(), self._client.open(str(self._root / path), "rb") as file:
            return bytes(file.read(READ_AT_MOST))

    def write(self, path: PurePosixPath, content: bytes) -> None:
        """Whole, its size confirmed by the server."""
        self._make(path.parent)
        with translated(), self._client.open(str(self._root / path), "wb") as file:
            file.set_pipelined(True)
            file.write(content)
            file.flush()
            self._sync(file)
        if self._stat(self._root / path) != len(content):
            raise OSError("the server stored another size than was sent")

    def _sync(self, file: paramiko.SFTPFile) -> None:
        """Ask for the file to reach the disk, by OpenSSH's extension; a server without it says no, and goes on."""
        with contextlib.suppress(OSError):
            self._client._request(CMD_EXTENDED, "fsync@openssh.com", file.handle)  # type: ignore[attr-defined]

    def secure(self, *folders: PurePosixPath) -> None:
        """For folders there is no way to ask."""

    def claim(self, source: PurePosixPath, target: PurePosixPath) -> bool:
        """SFTP's plain rename refuses an existing target."""
        self._make(target.parent)
        try:
            with translated():
                self._client.rename(str(self._root / source), str(self._root / target))
        except ConnectionError:
            raise
        except OSError:
            if self._stat(self._root / target) is None:
                raise
            with translated():
                self._client.remove(str(self._root / source))
            return False
        return True

    def rename(self, source: PurePosixPath, target: PurePosixPath) -> None:
        """Atomic on the server."""
        with translated():
            self._client.rename(str(self._root / source), str(self._root / target))

    def discard(self, folder: PurePosixPath) -> None:
        """What cannot be removed stays: it is out of the office's sight."""
        with contextlib.suppress(OSError), translated():
            self._remove(self._root / folder)

    def settle(self) -> None:
        """For renames there is no way to ask."""

    def _make(self, folder: PurePosixPath) -> None:
        for path in reversed([folder, *folder.parents][:-1]):
            if self._stat(self._root / path) is None:
                with translated(), contextlib.suppress(FileExistsError):
                    self._mkdir(self._root / path)

    def _mkdir(self, path: PurePosixPath) -> None:
        try:
            self._client.mkdir(str(path))
        except OSError:
            if self._stat(path) is None:  # not made by another thread meanwhile
                raise

    def _stat(self, path: PurePosixPath) -> int | None:
        with translated():
            try:
                return self._client.stat(str(path)).st_size or 0
            except FileNotFoundError:
                return None

    def _remove(self, folder: PurePosixPath) -> None:
        for item in self._client.listdir_attr(str(folder)):
            path = folder / item.filename
            if stat.S_ISDIR(item.st_mode or 0):
                self._remove(path)
            else:
                self._client.remove(str(path))
        self._client.rmdir(str(folder))


@contextmanager
def translated() -> Iterator[None]:
    """paramiko's own errors as ConnectionError."""
    try:
        yield
    except (paramiko.SSHException, EOFError, ValueError) as error:
        raise ConnectionError(technical(error)) from error


def read_host_key(text: str) -> paramiko.PKey:
    """A public key as in known_hosts, with or without the host in front. Raises: ValueError."""
    parts = text.split()
    kind = next((number for number, part in enumerate(parts) if part.startswith(("ssh-", "ecdsa-"))), None)
    if kind is None or len(parts) < kind + 2:
        raise ValueError("no public key: expected `ssh-ed25519 AAAA…`")
    try:
        return paramiko.PKey.from_type_string(parts[kind], base64.b64decode(parts[kind + 1], validate=True))
    except (ValueError, paramiko.SSHException) as error:
        raise ValueError(f"no public key: {type(error).__name__}") from None
