"""Faults 20 to 27, 33 and 56: an exchange that wants to be left alone, that shows another account, or that is live."""

from __future__ import annotations

from fault_runs.bench import HELD, ONE, TWO, Bench, demand
from fault_runs.catalogue import fault
from fault_runs.daemons import SECRETS, Daemon
from fault_runs.market_story import configuration, toml
from fault_runs.wall import now_ms, pause, seconds_since

ENDED_STOPS = """SELECT count(*) FROM orders o JOIN intents i USING (client_order_id)
WHERE i.leg = 'stop' AND o.state NOT IN ('pending', 'accepted')"""
REVOCABLE = {"RATCHET_SECRET_VENUE_KEY": "revocable-key", "RATCHET_SECRET_VENUE_SECRET": "revocable-secret"}


def _shut_out(bench: Bench, kind: str, status: str) -> str:
    with bench.story(symbols=ONE, generous=False) as trial:
        trial.start()
        trial.trade(1.5)
        trial.exchange.add_fault(kind, method="GET", times=1, seconds=6)
        trial.trade(9.0)
        ledger = trial.exchange.ledger()
        demand(ledger["shut"], "nobody was shut out")
        while_shut = ledger["calls_while_shut"][status]
        before = sum(ledger["calls"].values())
        trial.trade(2.0)
        demand(sum(trial.exchange.ledger()["calls"].values()) > before, "nothing was asked after the time was over")
        demand(while_shut == 0, f"{while_shut} calls while shut out")
        trial.finish()
        return "calls while shut out 0"


@fault(20, "429 with Retry-After", "for 6 s", "nothing is asked until then", quick=True)
def limited(bench: Bench) -> str:
    return _shut_out(bench, "limited", "429")


@fault(21, "418, a ban", "for 6 s", "nothing is asked until then")
def banned(bench: Bench) -> str:
    return _shut_out(bench, "banned", "418")


@fault(22, "maintenance", "everything answers 503 for 5 s", "no entries, reconciled afterwards")
def maintenance(bench: Bench) -> str:
    with bench.story(symbols=ONE) as trial:
        trial.start()
        trial.trade(2.0)
        trial.exchange.switch(maintenance=True)
        orders = len(trial.view().orders)
        trial.trade(5.0)
        demand(len(trial.view().orders) == orders, "an order got through")
        trial.exchange.switch(maintenance=False)
        back = trial.trade_until(lambda: len(trial.view().orders) > orders, "trading again", 40)
        demand(trial.daemon.lives, "the daemon ended")
        trial.finish()
        return f"entries meanwhile 0; trading again after {back:.1f} s"


@fault(23, "the key is revoked in the middle of a run", "401, -2015", "halt until a person has looked", quick=True)
def revoked(bench: Bench) -> str:
    with bench.story(symbols=ONE, changes=HELD) as trial:
        trial.start(REVOCABLE)
        trial.trade_until(lambda: trial.rests() == 1, "a stop")
        trial.exchange.do("revoke", key="revocable-key")
        orders = len(trial.view().orders)
        halted = trial.trade_until(lambda: "venue" in trial.holds(), "a halt")
        trial.trade(2.0)
        demand(trial.daemon.lives, "the daemon ended")
        demand(len(trial.view().orders) == orders, "an order got through")
        return f"halt after {halted:.1f} s; the stop stays at the exchange"


@fault(24, "a position that nobody here opened", "0.5 BTC appear in a futures account", "its instrument is blocked")
def unknown_position(bench: Bench) -> str:
    with bench.story(market="linear") as trial:
        trial.start()
        trial.exchange.do("inject_position", symbol="BTCUSDT", amount="0.5")
        took = trial.wait_for(lambda: "unknown_position" in trial.holds(), "a hold")
        pause(2.0)
        demand(not trial.posts(), "something was sent")
        return f"hold after {took:.1f} s; sends 0"


@fault(25, "a position vanishes", "what was bought is taken out of the account", "held, no sale, no new entry by guess")
def vanished(bench: Bench) -> str:
    with bench.story(symbols=ONE, changes=HELD) as trial:
        trial.start()
        trial.trade_until(lambda: trial.rests() == 1, "a stop")
        order = next(each for each in trial.view().orders if each.is_stop and each.rests)
        trial.exchange.do("end_order", market="spot", symbol=ONE[0], client_id=order.client_id)
        bought = trial.view().positions[ONE[0]]
        trial.exchange.do("deposit", asset="BTC", amount=str(-bought))
        took = trial.wait_for(lambda: "unknown_position" in trial.holds(), "a hold")
        entries = trial.count("SELECT count(*) FROM intents WHERE leg = 'entry'")
        sent = len(trial.posts())
        trial.trade(6.0)
        demand(trial.count("SELECT count(*) FROM intents WHERE leg = 'entry'") == entries, "entered again")
        return f"hold after {took:.1f} s; entries 0, further sends {len(trial.posts()) - sent}"


@fault(26, "the report of positions is empty", "every report for 12 s", "not taken for flat")
def empty_report(bench: Bench) -> str:
    with bench.story(symbols=ONE, changes=HELD) as trial:
        trial.start()
        trial.trade_until(lambda: trial.rests() == 1, "a stop")
        sent = len(trial.view().requests)
        number = trial.exchange.add_fault("balances_empty", times=None)
        pause(12.0)
        demand(len(trial.view().requests) == sent, "something was sent")
        demand(trial.held() == 1 and trial.rests() == 1, "the position or its stop is gone")
        trial.exchange.clear_fault(number)
        trial.finish()
        return "sends 0; position and stop kept"


@fault(27, "the list of open orders lies", "without ours, then a stale one", "asked for by id: nothing ends by a list")
def lying_list(bench: Bench) -> str:
    with bench.story(symbols=TWO, changes=HELD) as trial:
        trial.start()
        trial.trade_until(lambda: trial.rests() == 2, "two stops", 60)
        hidden = trial.exchange.add_fault("open_orders_hidden", times=None)
        pause(8.0)
        trial.exchange.clear_fault(hidden)
        trial.exchange.add_fault("open_orders_stale", times=None)
        pause(6.0)
        ended = trial.count(ENDED_STOPS)
        demand(ended == 0, f"{ended} stops ended by a list")
        demand(trial.rests() == 2, "a stop is gone")
        trial.finish()
        return "false ends 0 of 2 stops"


@fault(33, "the exchange's clock is ahead", "3 s, seen from the start", "no entries while it lasts")
def skewed(bench: Bench) -> str:
    with bench.story(symbols=ONE) as trial:
        trial.exchange.switch(skew_ms=3_000)
        trial.start()
        took = trial.trade_until(lambda: "skew" in trial.holds(), "a hold", 70)
        sent = trial.count("SELECT count(*) FROM intents WHERE leg = 'entry'")
        trial.trade(4.0)
        after = trial.count("SELECT count(*) FROM intents WHERE leg = 'entry'") - sent
        demand(after == 0, f"{after} entries while the clocks differ")
        refused = sum(each["code"] == -1021 for each in trial.view().requests)
        return f"hold after {took:.0f} s; entries from then on 0; requests refused for their time {refused}"


@fault(
    56, "a live host in the configuration", "api.binance.com as base_url", "refused, nothing is connected", quick=True
)
def live_host(bench: Bench) -> str:
    with bench.story(symbols=ONE) as trial:
        sections = configuration(trial.exchange.port, "spot", ONE, broker={"base_url": "https://api.binance.com"})
        (trial.story.folder / "ratchet.toml").write_text(toml(sections))
        began = now_ms()
        daemon = Daemon(bench.nursery, trial.story.folder, 99, environ=SECRETS)
        status = daemon.wait()
        demand(status == 78, f"it ended with {status}: {daemon.said[-500:]}")
        demand(not trial.exchange.ledger()["calls"], "something was asked")
        return f"exit 78 after {seconds_since(began):.1f} s; connects 0"
