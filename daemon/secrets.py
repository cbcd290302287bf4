"""Secrets: where they come from, and a type that cannot be printed.

Every secret that was ever made in this process is known to `known_values`, so that logs and tracebacks can mask
it wherever it turns up.
"""

from __future__ import annotations

import base64
import hmac
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NoReturn

from daemon.paths import make_private
from domain.errors import ConfigurationRefused

MASK: Final = "***"
SHORTEST: Final = 8
LARGEST_BYTES: Final = 65_536
CREDENTIALS_DIRECTORY: Final = "CREDENTIALS_DIRECTORY"
ENVIRONMENT_PREFIX: Final = "RATCHET_SECRET_"
API_TOKEN_NAME: Final = "api_token"  # noqa: S105 - the name of a secret, not one

_known: set[str] = set()


class Secret:
    """A value that shows itself only to `reveal`, and compares in constant time.

    It has no hash and cannot be pickled or copied into text by accident. A value shorter than eight characters
    is refused: masking it would tear holes into every log line.
    """

    __slots__ = ("_value", "name", "origin")

    def __init__(self, name: str, value: str, origin: str = "given") -> None:
        if len(value) < SHORTEST:
            raise ConfigurationRefused(f"the secret {name} has fewer than {SHORTEST} characters: give a longer one")
        self.name = name
        self.origin = origin
        self._value = value
        _known.add(value)

    def reveal(self) -> str:
        """The value itself; for the one place that sends it."""
        return self._value

    def matches(self, candidate: str) -> bool:
        """Whether `candidate` is the value, in time that does not depend on where they differ."""
        return hmac.compare_digest(self._value.encode(), candidate.encode())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return self.matches(other.reveal())

    __hash__ = None  # type: ignore[assignment]  # Python's own way to say that a class is not hashable

    def __repr__(self) -> str:
        return f"Secret({self.name!r}, {MASK!r})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is never serialised")


def known_values() -> tuple[str, ...]:
    """The values of all secrets made so far, longest first, so that one inside another is masked whole."""
    return tuple(sorted(_known, key=lambda value: (-len(value), value)))


def read_secret(name: str, *, environ: Mapping[str, str], folder: Path | None = None) -> Secret | None:
    """The secret `name` from systemd's credentials, else an owner-only file in `folder`, else the environment.

    The environment variable is RATCHET_SECRET_ and the name in capitals. None when it is nowhere. Raises
    `ConfigurationRefused` for a file that others may read, an empty one, or one that is not text.
    """
    credentials = environ.get(CREDENTIALS_DIRECTORY)
    if credentials:
        granted = Path(credentials) / name
        if granted.exists():
            # systemd guards this directory itself; its access lists show as group bits.
            return Secret(name, _text(name, granted, granted.read_bytes()), f"systemd credential {granted}")
    if folder is not None:
        own = folder / name
        if own.exists() or own.is_symlink():
            return Secret(name, _text(name, own, _read_owner_only(own)), str(own))
    variable = ENVIRONMENT_PREFIX + name.upper()
    value = environ.get(variable)
    return None if value is None else Secret(name, value.strip(), f"environment {variable}")


def api_token(folder: Path, *, environ: Mapping[str, str]) -> Secret:
    """The token of the local API: the configured one, else one made once and kept in `folder`, owner-only.

    `folder` is created, for the owner alone. Two processes that start at once end with the same token.
    """
    configured = read_secret(API_TOKEN_NAME, environ=environ, folder=folder)
    if configured is not None:
        return configured
    make_private(folder)
    token = base64.urlsafe_b64encode(os.urandom(32)).rstrip(b"=")
    descriptor, draft_name = tempfile.mkstemp(prefix=f".{API_TOKEN_NAME}.", dir=folder)
    draft = Path(draft_name)
    with os.fdopen(descriptor, "wb") as file:
        file.write(token + b"\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        # A link is made whole or not at all, and never over a token that another process already gave out.
        os.link(draft, folder / API_TOKEN_NAME)
    except FileExistsError:
        pass  # the other process was first: its token counts
    finally:
        draft.unlink()
    made = read_secret(API_TOKEN_NAME, environ={}, folder=folder)
    if made is None:
        raise ConfigurationRefused(f"the API's token could not be kept in {folder}")
    return made


def _read_owner_only(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as fault:
        raise ConfigurationRefused(f"the secret file {path} cannot be read: {fault.strerror}") from fault
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise ConfigurationRefused(f"the secret file {path} is not a plain file")
    with os.fdopen(descriptor, "rb") as file:
        if status.st_mode & 0o077:
            mode = stat.S_IMODE(status.st_mode)
            raise ConfigurationRefused(
                f"the secret file {path} has mode {mode:04o}, so others may use it: chmod 600 {path}"
            )
        if status.st_uid not in (os.geteuid(), 0):
            raise ConfigurationRefused(f"the secret file {path} belongs to user {status.st_uid}: chown it to yourself")
        return file.read(LARGEST_BYTES)


def _text(name: str, path: Path, content: bytes) -> str:
    try:
        value = content.decode().strip()
    except UnicodeDecodeError:
        # The decoder's own message would quote bytes of the secret.
        raise ConfigurationRefused(f"the secret {name} in {path} is not UTF-8 text") from None
    if not value:
        raise ConfigurationRefused(f"the secret {name} in {path} is empty")
    return value
