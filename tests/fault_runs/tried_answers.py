"""Faults 9 to 19 and 55: requests and answers that are lost, late, unreadable, refused, doubled or out of order."""

from __future__ import annotations

from fault_runs.bench import HELD, ONE, Bench, demand
from fault_runs.catalogue import fault
from fault_runs.daemons import KEY, SECRET
from fault_runs.kill_harness import ROUTES
from fault_runs.ledger_view import ZERO
from fault_runs.wall import now_ms, pause, seconds_since

POST = {"method": "POST", "path": ROUTES}


def _lost_answer(bench: Bench, kind: str, **options: object) -> str:
    """One entry whose answer goes wrong after the exchange has executed it."""
    with bench.story(symbols=ONE, changes=HELD) as trial:
        trial.start()
        trial.exchange.add_fault(kind, **POST, times=1, **options)
        trial.trade_until(trial.posts, "an order")
        began = now_ms()
        trial.wait_for(lambda: trial.rests() == 1, "a stop behind what was bought")
        protected = seconds_since(began)
        demand(trial.unknown() >= 1, "the order was never called unknown")
        found = trial.finish()
        demand(trial.view().held and len(trial.view().held) == 1, "more than one position was opened")
        bare = found.figures["longest_bare_s"]
        return f"duplicates 0; adopted and behind its stop in {protected:.1f} s, bare {bare:.1f} s"


@fault(9, "timeout after acceptance", "the reply is held for 12 s", "unknown, then adopted")
def timeout_after_acceptance(bench: Bench) -> str:
    return _lost_answer(bench, "delay_after", ms=12_000)


@fault(12, "503 after acceptance", "status 503, -1007", "unknown, then adopted", quick=True)
def unavailable_after_acceptance(bench: Bench) -> str:
    return _lost_answer(bench, "status_after")


@fault(13, "200 with a body that cannot be read", "half of the JSON, {}, a page in HTML", "unknown, then adopted")
def unreadable(bench: Bench) -> str:
    told = [_lost_answer(bench, kind) for kind in ("truncated", "empty_object", "html")]
    return f"3 kinds: {told[-1]}"


@fault(10, "timeout, never accepted", "the connection breaks before", "absence proven, nothing sent again")
def never_accepted(bench: Bench) -> str:
    with bench.story(symbols=ONE, changes=HELD) as trial:
        trial.start()
        trial.exchange.add_fault("drop_before", **POST, times=1)
        trial.trade_until(trial.posts, "an order")
        took = trial.wait_for(lambda: trial.count("SELECT count(*) FROM orders WHERE state = 'absent'"), "absence", 40)
        name = trial.posts()[0]["client_id"]
        trial.finish()
        sent = sum(each["client_id"] == name for each in trial.posts())
        demand(sent == 1, f"the id was sent {sent} times")
        return f"absence proven in {took:.1f} s; sent once"


@fault(11, "late acceptance inside the receive window", "executed 4 s later", "not declared absent")
def late_acceptance(bench: Bench) -> str:
    with bench.story(symbols=ONE, changes=HELD) as trial:
        trial.start()
        trial.exchange.add_fault("delay", **POST, times=1, ms=4_000)
        trial.trade_until(trial.posts, "an order")
        trial.wait_for(lambda: trial.rests() == 1, "a stop behind what was bought")
        trial.finish()
        absent = trial.count("SELECT count(*) FROM orders WHERE state = 'absent'")
        demand(absent == 0, f"{absent} orders were declared absent")
        return "declared absent 0, duplicates 0"


@fault(14, "definite refusal", "-2010 for an entry", "terminal, sent once")
def refused(bench: Bench) -> str:
    with bench.story(symbols=ONE, changes=HELD) as trial:
        trial.start()
        trial.exchange.add_fault("reject", **POST, times=1, code=-2010, message="Account has insufficient balance")
        trial.trade_until(trial.posts, "an order")
        trial.wait_for(lambda: trial.count("SELECT count(*) FROM orders WHERE state = 'rejected'"), "a rejection")
        name = trial.posts()[0]["client_id"]
        trial.trade(2.0)
        trial.finish()
        sent = sum(each["client_id"] == name for each in trial.posts())
        demand(sent == 1, f"the id was sent {sent} times")
        return f"sent {sent} time"


@fault(15, "part of an entry is filled, the rest expires", "40 % at once", "a stop of what was filled", quick=True)
def filled_in_part(bench: Bench) -> str:
    with bench.story(symbols=ONE, changes=HELD) as trial:
        trial.start()
        trial.exchange.add_fault("partial", **POST, times=1, share="0.4")
        trial.trade_until(lambda: trial.rests() == 1, "a stop")
        view = trial.view()
        stop = next(order for order in view.orders if order.is_stop and order.rests)
        bought = view.positions[stop.symbol]
        step = view.rules[stop.symbol].step
        demand(ZERO <= bought - stop.quantity < step, f"a stop of {stop.quantity} behind {bought}")
        found = trial.finish()
        return f"stop = filled less the fee, to the lot; bare {found.figures['longest_bare_s']:.2f} s"


@fault(16, "executions doubled and out of order", "every list, both ways", "each counted once")
def doubled(bench: Bench) -> str:
    with bench.story() as trial:
        trial.start()
        for kind in ("trades_repeated", "trades_reordered"):
            trial.exchange.add_fault(kind, path="rades", times=None)
        trial.trade_until(lambda: len(trial.view().trades) >= 4, "four executions", 60)
        found = trial.finish()
        return f"{found.figures['executions']:.0f} executions, quantity error 0"


@fault(
    17,
    "a fill while a cancel is under way",
    "the cancel executes 0.6 s late, the market falls through the stop",
    "the late fill is applied",
)
def fill_during_cancel(bench: Bench) -> str:
    with bench.story(symbols=ONE, changes={"signals": {"time_exit_bars": 2, "atr_stop": 5.0}}) as trial:
        trial.start()
        trial.trade_until(lambda: trial.rests() == 1, "a stop")
        trial.exchange.add_fault("delay", method="DELETE", path=ROUTES, times=1, ms=600)
        trial.trade_until(lambda: any(each["method"] == "DELETE" for each in trial.view().requests), "a cancel")
        trial.story.market.move_one(ONE[0], 0.9)
        pause(1.5)
        found = trial.finish()
        sold = [trade for trade in trial.view().trades if trade.side == "SELL"]
        demand(sold, "nothing was sold")
        return f"quantity error 0, sold {len(sold)} times, positions {found.figures['positions']:.0f}"


@fault(18, "the stop is refused", "every second and later placement, three times", "tried again, then closed")
def stop_refused(bench: Bench) -> str:
    with bench.story(symbols=ONE, changes=HELD) as trial:
        trial.start()
        trial.exchange.add_fault("reject", **POST, skip=1, times=3, code=-2010, message="Stop refused.")
        trial.trade_until(lambda: len(trial.posts()) >= 4, "the stop was refused three times")
        trial.wait_for(lambda: trial.rests() or not trial.held(), "protected or closed")
        found = trial.finish()
        return f"bare {found.figures['longest_bare_s']:.1f} s"


@fault(
    19,
    "flattening is refused",
    "every placement after the entry, until lifted",
    "halt and a page; tried until it works",
)
def flatten_refused(bench: Bench) -> str:
    with bench.story(symbols=ONE, changes=HELD) as trial:
        trial.start()
        number = trial.exchange.add_fault("reject", **POST, skip=1, times=None, code=-2010, message="Not now.")
        trial.trade_until(trial.held, "a position")
        paged = trial.wait_for(lambda: trial.holds().get("unprotected") in ("halt", "4", 4), "a halt", 60)
        trial.exchange.clear_fault(number)
        closed = trial.wait_for(lambda: trial.rests() or not trial.held(), "protected or closed", 300)
        trial.finish(bare=True)
        return f"halt after {paged:.1f} s; protected or closed {closed:.1f} s after the exchange took orders again"


@fault(55, "the exchange repeats key and signature in an error", "every placement, twice", "redacted", quick=True)
def canary(bench: Bench) -> str:
    with bench.story(symbols=ONE, changes={**HELD, "logs": {"format": "json", "level": "debug"}}) as trial:
        trial.start()
        trial.exchange.add_fault("echoed", **POST, times=2)
        trial.exchange.add_fault("echoed", method="GET", times=5)
        trial.trade_until(lambda: len(trial.posts()) >= 2, "two orders")
        trial.trade(2.0)
        trial.finish()
        folder = trial.story.folder
        files = [path for path in folder.rglob("*") if path.is_file() and "secrets" not in path.parts]
        hits = [
            path.name for path in files if SECRET.encode() in path.read_bytes() or KEY.encode() in path.read_bytes()
        ]
        demand(not hits, f"the key is in {hits}")
        return f"hits 0 in {len(files)} files (log, journal, broker's log)"
