"""The benchmarks' own code: short functions, and clocks that sit where the way of an entry goes through."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LONGEST_FUNCTION = 50

WATCHED = """
import json
from bench.marked_orders import Steps, watch
from brokers.ccxt.log import Log
from daemon.notify import Notifier
from trading.orders import OrderDesk
from trading.session import Session
from venues.account import CcxtAccount

places = ((Session, "on_closes"), (OrderDesk, "_commit"), (CcxtAccount, "place"), (Log, "writing"), (Notifier, "ready"))
before = [vars(owner)[name] for owner, name in places]
watch(Steps())
after = [vars(owner)[name] for owner, name in places]
print(json.dumps([name for (_, name), one, other in zip(places, before, after, strict=True) if one is not other]))
"""


def test_no_function_of_the_benchmarks_is_longer_than_50_lines() -> None:
    modules = sorted((ROOT / "bench").glob("*.py"))
    assert len(modules) > 20
    too_long = {
        f"{path.name}:{node.name}": lines
        for path in modules
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > LONGEST_FUNCTION
    }
    assert too_long == {}


def test_every_step_of_an_entry_is_watched() -> None:
    done = subprocess.run([sys.executable, "-c", WATCHED], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["on_closes", "_commit", "place", "writing", "ready"]


def test_a_configuration_for_a_run_is_one_that_the_daemon_takes() -> None:
    from bench.venue import Exchange, config_for
    from daemon.config import Config

    exchange = Exchange()
    exchange.port = 4_000
    written = config_for(exchange, ("BTCUSDT",), market="spot", timeframe="1s", name="second", durability="normal")
    weights = written.pop("signals.weights")
    config = Config.model_validate({**written, "signals": {**written["signals"], "weights": weights}})
    assert (config.account.name, config.journal.durability) == ("second", "normal")
    assert config.risk.max_positions == 100
    assert set(config.signals.weights.values()) == {0}
    again = config_for(exchange, ("BTCUSDT",), market="spot", timeframe="1s")
    again["risk"]["max_positions"] = 1
    assert config_for(exchange, ("BTCUSDT",), market="spot", timeframe="1s")["risk"]["max_positions"] == 100
