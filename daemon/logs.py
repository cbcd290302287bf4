"""Logs go to stderr, structured, and nothing that is secret passes: not in a field, a message or a traceback."""

from __future__ import annotations

import logging
import re
import sys
import threading
import traceback
from collections.abc import Mapping, MutableMapping
from types import TracebackType
from typing import Any, Final, Literal, TextIO
from urllib.parse import quote, quote_plus

from daemon.log_queue import QueuedHandler
from daemon.secrets import MASK, known_values

LogFormat = Literal["console", "json"]

_MASKED_PARAMETERS: Final = r"signature|sign|sig|token|access_token|api_?key|key|secret|password|passwd|passphrase"
_QUERY = re.compile(rf"([?&;](?:[a-z0-9]+[_-])*(?:{_MASKED_PARAMETERS})=)[^&;\s\"'<>)]+", re.IGNORECASE)
_BEARER = re.compile(r"\b(bearer|basic)(\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s@/]+@", re.IGNORECASE)


def scrub(text: str) -> str:
    """`text` without known secrets, secret query parameters, bearer tokens and passwords inside addresses."""
    for value in known_values():
        for spelling in dict.fromkeys((value, quote(value, safe=""), quote_plus(value))):
            text = text.replace(spelling, MASK)
    text = _QUERY.sub(rf"\1{MASK}", text)
    text = _BEARER.sub(rf"\1\2{MASK}", text)
    return _URL_PASSWORD.sub(rf"\1:{MASK}@", text)


def scrub_event(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: scrub every text in the event, however deep."""
    for key, value in list(event.items()):
        event[key] = _scrubbed(value)
    return event


def _scrubbed(value: object) -> object:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, Mapping):
        return {key: _scrubbed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_scrubbed(item) for item in value]
    return value


def _scrub_rendered(_logger: object, _name: str, rendered: Any) -> str:
    return scrub(str(rendered))


def configure_logs(
    *, level: str = "INFO", format_: LogFormat = "console", stream: TextIO | None = None, queued: bool = False
) -> None:
    """Send structlog's and the standard library's records to `stream` (stderr), one line an event, scrubbed.

    `queued` writes on a thread of its own and drops what nobody reads, so that a blocked pipe blocks nothing.
    """
    import structlog  # noqa: PLC0415 - a tenth of a second that commands without logs do not pay

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    renderer: Any = structlog.processors.JSONRenderer(default=str)
    if format_ == "console":
        renderer = structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    target = stream if stream is not None else sys.stderr
    handler = QueuedHandler(target) if queued else logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                scrub_event,
                renderer,
                _scrub_rendered,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(capture=True)


def scrubbed_traceback(error: BaseException) -> str:
    """The whole traceback of `error`, causes included, without secrets."""
    return scrub("".join(traceback.format_exception(error)))


def install_hooks(stream: TextIO | None = None) -> None:
    """Scrub what would otherwise be printed raw: uncaught errors of the program, of threads, and of finalizers."""

    def report(error: BaseException | None) -> None:
        if error is not None:
            target = stream if stream is not None else sys.stderr
            target.write(scrubbed_traceback(error))
            target.flush()

    def of_program(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
        report(error)

    sys.excepthook = of_program
    threading.excepthook = lambda details: report(details.exc_value)
    sys.unraisablehook = lambda details: report(details.exc_value)
