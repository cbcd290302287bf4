"""From a request to a reply: faults on the way, the key, the route, and the record of what was asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from exchange import lies
from exchange.faults import BEFORE, Fault, FaultKind, Faults
from exchange.keys import FORBIDDEN, ApiKey, check_signature, check_time, known
from exchange.ledger import LINEAR, SPOT
from exchange.routing import Access, Call, Limits, Route, Table, check_parameters
from exchange.shared_world import World
from exchange.wire import Refusal, Reply, Request, as_json

DROPPED = Reply(0, {}, "", dropped=True)
HTML = "<html><head><title>503 Service Temporarily Unavailable</title></head><body></body></html>"
HTML_HEADERS = {"Content-Type": "text/html"}
NAMES_OF_ID = ("newClientOrderId", "clientAlgoId", "origClientOrderId", "cancelOrigClientOrderId")
Later = Callable[[], Reply]


class Answering:
    """`calls` counts arrivals by method and path."""

    def __init__(self, world: World, faults: Faults, keys: Mapping[str, ApiKey], routes: Table) -> None:
        self.world, self.faults, self.keys, self.routes = world, faults, keys, routes
        self.limits = Limits()
        self.calls: dict[str, int] = {}
        self._open_orders_told: dict[str, Any] = {}

    def arrive(self, request: Request) -> tuple[Reply, Later | None]:
        """The reply, or the promise of one and what makes it when its time has come."""
        name = f"{request.method} {request.path}"
        self.calls[name] = self.calls.get(name, 0) + 1
        route = self.routes.get((request.method, request.path))
        record = self._record(request, route)
        market = LINEAR if request.path.startswith("/fapi") else SPOT
        shut = self.limits.refusing(market, self.world.now())
        if shut is not None:
            return self._lost(record, shut), None
        met = self.faults.meeting(request.method, request.path, route.tells if route else "")
        stopped = self._stopped(request, market, route, met)
        if stopped is not None:
            return self._lost(record, stopped), None
        if route is None:
            return Reply(404, HTML_HEADERS, "<html><body><h2>404 Not found</h2></body></html>"), None
        delay = _first(met, FaultKind.DELAY)
        if delay is None:
            return self._whole(request, route, record, met), None
        refused = self._refused_on_arrival(request, route)
        if refused is not None:
            self._note(record, "refused", refused.code)
            return refused.reply(), None
        if record is not None:
            record["outcome"] = "pending"
        return Reply(0, {}, "", delay_ms=delay.integer("ms", 1000)), lambda: self._whole(request, route, record, met)

    def _stopped(self, request: Request, market: str, route: Route | None, met: list[Fault]) -> Reply | None:
        """The reply to a request that is not executed at all."""
        now = self.world.now()
        weight = route.weight if route else 1
        places = request.method == "POST" and bool(route and route.orders)
        too_many = self.limits.count(market, weight, now, order=places)
        if too_many is not None:
            return too_many
        if self.faults.maintenance:
            asks_why = request.path == "/sapi/v1/system/status"
            return as_json({"status": 1, "msg": "system_maintenance"}) if asks_why else _maintenance()
        for fault in met:
            if fault.kind in BEFORE or (fault.kind is FaultKind.HTML and fault.parameters.get("before")):
                return self._fail_before(request, market, fault)
        return None

    def _fail_before(self, request: Request, market: str, fault: Fault) -> Reply:
        kind, now = fault.kind, self.world.now()
        if kind is FaultKind.DROP_BEFORE:
            return DROPPED
        if kind is FaultKind.LIMITED:
            return self.limits.shut(market, 429, now, fault.integer("seconds", 10))
        if kind is FaultKind.BANNED:
            return self.limits.shut(market, 418, now, fault.integer("seconds", 120))
        if kind is FaultKind.MAINTENANCE:
            return _maintenance()
        if kind is FaultKind.HTML:
            return Reply(fault.integer("status", 200), HTML_HEADERS, HTML)
        if kind is FaultKind.ECHOED:
            said = f"Unreadable request: {dict(request.headers)} {request.path}?{request.query} {request.body}"
            return as_json({"code": -1100, "msg": said}, status=400)
        code, text = fault.integer("code", -1000), fault.text("message", "An unknown error occurred.")
        status = 400 if kind is FaultKind.REJECT else 503
        return as_json({"code": code, "msg": text}, status=fault.integer("status", status))

    def _refused_on_arrival(self, request: Request, route: Route) -> Refusal | None:
        try:
            self._admit(request, route)
        except Refusal as refusal:
            return refusal
        return None

    def _admit(self, request: Request, route: Route) -> Call:
        """Check key, signature, time and right, in Binance's order."""
        parameters = request.parameters()
        now = self.world.now()
        if route.access is Access.PUBLIC:
            return Call(parameters, now, None, None)
        key = known(self.keys, request)
        if route.access >= Access.SIGNED:
            check_signature(key, request)
            check_time(parameters, now)
        if route.access is Access.TRADE and not key.trade:
            raise FORBIDDEN
        check_parameters(route, parameters)
        return Call(parameters, now, key, self.world.accounts[key.account])

    def _whole(self, request: Request, route: Route, record: dict[str, Any] | None, met: list[Fault]) -> Reply:
        """Execute, and then let go wrong what goes wrong afterwards."""
        made = self._executed(request, route, record, met)
        market = LINEAR if request.path.startswith("/fapi") else SPOT
        reply = Reply(made.status, {**made.headers, **self.limits.headers(market)}, made.body)
        for fault in met:
            reply = _fail_after(reply, fault)
        if record is not None and (reply.dropped or reply.status >= 500):
            record["answered"] = False
        return reply

    def _executed(self, request: Request, route: Route, record: dict[str, Any] | None, met: list[Fault]) -> Reply:
        share = _first(met, FaultKind.PARTIAL)
        self.world.shares = [Decimal(share.text("share", "0.5"))] if share else []
        try:
            call = self._admit(request, route)
            payload = self._bent(request, route, route.handler(call), met)
        except Refusal as refusal:
            self._note(record, "refused", refusal.code)
            return refusal.reply()
        finally:
            self.world.shares = []
        self._note(record, "accepted", None, payload)
        return as_json(payload)

    def _bent(self, request: Request, route: Route, payload: Any, met: list[Fault]) -> Any:
        if route.tells == "open_orders":
            parameters = request.parameters()
            place = f"{request.header('X-MBX-APIKEY')} {request.path} {parameters.get('symbol')}"
            if _first(met, FaultKind.OPEN_ORDERS_STALE):
                payload = self._open_orders_told.get(place, payload)
            else:
                self._open_orders_told[place] = payload
        return lies.bend(payload, met)

    # The record

    def _record(self, request: Request, route: Route | None) -> dict[str, Any] | None:
        if route is None or not route.orders:
            return None
        parameters = request.parameters()
        record = {
            "number": len(self.world.asked) + 1,
            "at": self.world.now(),
            "method": request.method,
            "path": request.path,
            "market": LINEAR if request.path.startswith("/fapi") else SPOT,
            "client_id": next((parameters[name] for name in NAMES_OF_ID if parameters.get(name)), ""),
            "order_id": parameters.get("orderId") or parameters.get("algoId") or "",
            **{name: parameters.get(name, "") for name in ("symbol", "side", "type", "quantity")},
            "outcome": "",
            "code": None,
            "answered": True,
        }
        self.world.asked.append(record)
        return record

    def _lost(self, record: dict[str, Any] | None, reply: Reply) -> Reply:
        if record is not None:
            record["answered"] = not reply.dropped
            record["outcome"] = "lost"
        return reply

    @staticmethod
    def _note(record: dict[str, Any] | None, outcome: str, code: int | None, payload: Any = None) -> None:
        if record is None:
            return
        record["outcome"], record["code"] = outcome, code
        if isinstance(payload, dict):
            record["order_id"] = str(payload.get("orderId") or payload.get("algoId") or record["order_id"])


def _first(met: list[Fault], kind: FaultKind) -> Fault | None:
    return next((fault for fault in met if fault.kind is kind), None)


def _maintenance() -> Reply:
    return as_json({"code": -1016, "msg": "System is under maintenance."}, status=503)


def _fail_after(reply: Reply, fault: Fault) -> Reply:
    """What the client gets of a reply that was made."""
    kind = fault.kind
    if kind is FaultKind.DROP_AFTER:
        return DROPPED
    if kind is FaultKind.DELAY_AFTER:
        return replace(reply, delay_ms=reply.delay_ms + fault.integer("ms", 1000))
    if kind is FaultKind.STATUS_AFTER:
        text = "Timeout waiting for response from backend server. Send status unknown; execution status unknown."
        told = {"code": fault.integer("code", -1007), "msg": fault.text("message", text)}
        return as_json(told, status=fault.integer("status", 503), headers={})
    if kind is FaultKind.TRUNCATED:
        return replace(reply, status=200, body=reply.body[: fault.integer("bytes", len(reply.body) // 2)])
    if kind is FaultKind.EMPTY_OBJECT:
        return replace(reply, status=200, body="{}")
    if kind is FaultKind.HTML:
        return Reply(fault.integer("status", 200), HTML_HEADERS, HTML)
    return reply
