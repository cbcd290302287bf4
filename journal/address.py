"""Where a journal lies: a SQLite file, memory, or a PostgreSQL database by URL."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from domain.errors import InvalidInput


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """`path` is the SQLite file, `url` the PostgreSQL database; with neither the journal lives in memory.

    `shown` is for messages: a password is never in it.
    """

    shown: str
    path: Path | None = None
    url: URL | None = None

    def uri(self, *, read_only: bool) -> str:
        """The SQLite name of the file, or of memory."""
        if self.path is None:
            return "file::memory:"
        return f"file:{quote(str(self.path.absolute()))}?mode={'ro' if read_only else 'rwc'}"


def address_of(url: str | Path) -> Address:
    """Read `url`: a path, `sqlite:///path`, `sqlite://` for memory, or `postgresql://...`."""
    if isinstance(url, Path) or "://" not in url:
        if not str(url):
            raise InvalidInput("the journal needs a path or a URL, not an empty text")
        return Address(shown=str(url), path=Path(url))
    try:
        read = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise InvalidInput("the journal's URL cannot be read; allowed are sqlite:// and postgresql:// URLs") from error
    if read.get_backend_name() == "sqlite":
        if read.host:
            raise InvalidInput(f"sqlite://{read.host} names a host; a file is sqlite:///path, memory is sqlite://")
        if read.database in (None, "", ":memory:"):
            return Address(shown="memory")
        return Address(shown=str(read.database), path=Path(str(read.database)))
    if read.get_backend_name() != "postgresql":
        raise InvalidInput(f"a journal cannot lie in {read.get_backend_name()}; allowed are sqlite and postgresql")
    psycopg = read.set(drivername="postgresql+psycopg")
    return Address(shown=read.render_as_string(hide_password=True), url=psycopg)
