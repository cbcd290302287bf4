"""The routes. Reading is GET, what changes anything is POST with who and why."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from daemon.api.desk import Condition, Desk
from daemon.api.guard import Guard
from daemon.logs import scrub
from daemon.secrets import Secret
from domain.errors import ConfigurationRefused, InvalidInput, JournalError, NotAvailable, RatchetError, Refused

log = logging.getLogger(__name__)

_STATUS_BY_ERROR: tuple[tuple[type[RatchetError], int], ...] = (
    (InvalidInput, 422),
    (Refused, 409),
    (NotAvailable, 503),
    (JournalError, 503),
    (ConfigurationRefused, 409),
)


class CommandBody(BaseModel):
    """Who commands, and why; both are recorded."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    who: Annotated[str, Field(min_length=1, max_length=100)]
    why: Annotated[str, Field(min_length=1, max_length=500)]


class FlattenBody(CommandBody):
    """`instrument` None flattens everything."""

    instrument: Annotated[str, Field(min_length=1, max_length=40)] | None = None


class RetrainBody(CommandBody):
    """`force` trains also when next to nothing is new."""

    force: bool = False


def create_app(
    desk: Desk, token: Secret, *, version: str = "0.1.0", monotonic: Callable[[], float] = time.monotonic
) -> FastAPI:
    """The API of `desk` for holders of `token`. The interactive documentation is off: it would load foreign scripts."""
    app = FastAPI(title="Ratchet", version=version, docs_url=None, redoc_url=None, openapi_url="/openapi.json")
    _add_condition_routes(app, desk)
    _add_reading_routes(app, desk)
    _add_command_routes(app, desk)
    _add_learning_routes(app, desk)
    app.add_exception_handler(RatchetError, _told)
    app.add_exception_handler(RequestValidationError, _misunderstood)
    app.add_exception_handler(Exception, _unexpected)
    app.add_middleware(Guard, token=token, monotonic=monotonic)
    return app


def _add_condition_routes(app: FastAPI, desk: Desk) -> None:
    @app.get("/health")
    async def health(response: Response) -> dict[str, Any]:
        """200 while due work makes progress, else 503."""
        return _condition(desk.healthy(), response)

    @app.get("/ready")
    async def ready(response: Response) -> dict[str, Any]:
        """200 once reconciliation has succeeded, else 503."""
        return _condition(desk.ready(), response)


def _add_reading_routes(app: FastAPI, desk: Desk) -> None:
    @app.get("/v1/status")
    async def status() -> dict[str, Any]:
        return dict(await desk.status())

    @app.get("/v1/holds")
    async def holds() -> dict[str, Any]:
        return {"holds": [dict(hold) for hold in await desk.holds()]}

    @app.get("/v1/positions")
    async def positions() -> dict[str, Any]:
        return {"positions": [dict(position) for position in await desk.positions()]}


def _add_command_routes(app: FastAPI, desk: Desk) -> None:
    @app.post("/v1/pause")
    async def pause(body: CommandBody) -> dict[str, Any]:
        """No entries until resumed."""
        return dict(await desk.pause(who=body.who, why=body.why))

    @app.post("/v1/resume")
    async def resume(body: CommandBody) -> dict[str, Any]:
        """Clear the holds that a person must clear."""
        return dict(await desk.resume(who=body.who, why=body.why))

    @app.post("/v1/flatten")
    async def flatten(body: FlattenBody) -> dict[str, Any]:
        """Close one position or all."""
        return dict(await desk.flatten(who=body.who, why=body.why, instrument=body.instrument))

    @app.post("/v1/halt")
    async def halt(body: CommandBody) -> dict[str, Any]:
        """Send nothing more."""
        return dict(await desk.halt(who=body.who, why=body.why))

    @app.post("/v1/account/rebase")
    async def rebase(body: CommandBody) -> dict[str, Any]:
        """Start a new ledger from what the venue holds now, after it was reset."""
        return dict(await desk.rebase(who=body.who, why=body.why))


def _add_learning_routes(app: FastAPI, desk: Desk) -> None:
    @app.post("/v1/learn/retrain")
    async def retrain(body: RetrainBody) -> dict[str, Any]:
        """Train on what has come in, judge, and deploy what is better."""
        return dict(await desk.retrain(who=body.who, why=body.why, force=body.force))

    @app.post("/v1/learn/rollback")
    async def rollback(body: CommandBody) -> dict[str, Any]:
        """Let the champion before this one speak again, or nobody."""
        return dict(await desk.roll_back(who=body.who, why=body.why))


def _condition(condition: Condition, response: Response) -> dict[str, Any]:
    response.status_code = 200 if condition.ok else 503
    return {"ok": condition.ok, "detail": scrub(condition.detail)}


async def _told(_request: Request, error: Exception) -> JSONResponse:
    status = next((status for kind, status in _STATUS_BY_ERROR if isinstance(error, kind)), 500)
    return JSONResponse({"error": type(error).__name__, "detail": scrub(str(error))}, status_code=status)


async def _misunderstood(_request: Request, error: Exception) -> JSONResponse:
    faults = error.errors() if isinstance(error, RequestValidationError) else ()
    # What was sent is not echoed: it may hold what should not be shown.
    detail = "; ".join(
        f"{'.'.join(str(part) for part in fault['loc'][1:]) or 'body'}: {fault['msg']}" for fault in faults
    )
    return JSONResponse({"error": "InvalidInput", "detail": scrub(detail)}, status_code=422)


async def _unexpected(_request: Request, error: Exception) -> JSONResponse:
    log.error("api_request_failed", extra={"error_type": type(error).__name__})
    return JSONResponse(
        {"error": "internal", "detail": "the daemon failed to answer; its log says why"}, status_code=500
    )
