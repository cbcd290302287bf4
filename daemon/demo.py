"""`ratchet demo`: the whole daemon on the embedded simulated market, no account, no network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from daemon.options import DemoOptions
from daemon.parts import Sources
from daemon.paths import AccountPaths, demo_paths, state_root
from daemon.story import Story, tell
from daemon.summary import Summary
from market.simulated import SimulatedFeed

CURRENCY = "USD"
DEFAULT_EDGE = 1.0
START = datetime(2024, 1, 1, tzinfo=UTC)
"""When the simulated story begins; the date means nothing beyond hours, weekdays and seasons."""


def run_demo(options: DemoOptions, environ: Mapping[str, str] = os.environ) -> Summary:
    """Play the simulated market once with its planted edge, and (unless told not to) once without it.

    Each demo starts anew: the journal of the one before is replaced.
    """
    state = state_root(environ, options.state)
    edge = DEFAULT_EDGE if options.edge is None else options.edge
    extra: dict[str, Any] = {"edge": edge, "seed": options.seed}
    if options.compare_edge_zero and edge > 0:
        without = _play(options, 0.0, _fresh(demo_paths(state, "demo-without-edge")), {}, "demo without its edge")
        extra["without_edge"] = _comparison(without)
    return _play(options, edge, _fresh(demo_paths(state)), extra, "demo")


def _play(options: DemoOptions, edge: float, paths: AccountPaths, extra: dict[str, Any], title: str) -> Summary:
    feed = SimulatedFeed(options.seed, instruments=options.instruments, bars=options.bars, start=START, edge=edge)
    config = options.config
    account = config.account.model_copy(update={"currency": CURRENCY})
    return tell(
        Story(
            title=f"{title} (simulated market, planted edge {edge:g})",
            config=config.model_copy(update={"account": account}),
            feed=feed,
            higher=feed.higher,
            paths=paths,
            currency=CURRENCY,
            sources=Sources(events=feed.calendar, calendar_complete=True, read_news=config.sentiment.enabled),
            simulated_operator=options.simulated_operator,
            metrics_port=options.metrics_port,
            api_port=options.api_port,
            quiet=options.quiet,
            extra=extra,
        )
    )


def _comparison(summary: Summary) -> dict[str, Any]:
    """What the same run gives with the edge at zero, for the page and the document."""
    change = summary.equity_end - summary.equity_start
    return {
        "trades_closed": summary.counts["trades_closed"],
        "expectancy_r": summary.statistics.trades.expectancy_r,
        "shadow_mean_r": summary.shadow_r,
        "equity_change": str(change.quantize(Decimal("0.01"))),
        "log_loss": summary.model.overall.log_loss,
        "base_rate_log_loss": summary.model.overall.base_rate_log_loss,
        "auc": summary.model.overall.auc,
    }


def _fresh(paths: AccountPaths) -> AccountPaths:
    """The demo's own folder, emptied: nothing but demos ever lies there."""
    if paths.folder.exists():
        shutil.rmtree(paths.folder)
    return paths
