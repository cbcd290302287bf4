"""Broken off anywhere and started again, a replay ends as if nothing had happened: restarts and kill -9."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from trading_rig import Candle, flat
from trading_story import START, journal_of, lively_config, play, simulated, verified

from domain.decisions import OutcomeKind, SampleSource
from journal.batch import Batch

HERE = Path(__file__).resolve().parent
BARS = 300
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """The story told without interruption: the market, how it was traded, and what came of it."""
    feed, config, folder = simulated(bars=BARS), lively_config(), tmp_path_factory.mktemp("told")
    assert play(feed, config, folder)
    return feed, config, folder


def counts_of(folder: Path) -> dict[str, int]:
    with journal_of(folder) as journal:
        return journal.read.counts()


FACTS = (
    "decisions",
    "intents",
    "fills",
    "outcomes",
    "samples",
    "cash_events",
    "positions",
    "holds",
    "commands",
    "scans",
)


def test_the_story_is_worth_telling(told):
    _, _, folder = told
    checked = verified(folder)
    assert checked.ok, [check for check in checked.checks if not check.ok]
    counts = counts_of(folder)
    assert counts["decisions"] >= 100
    assert counts["fills"] >= 15
    with journal_of(folder) as journal:
        read = journal.read
        assert {outcome.kind for outcome in read.outcomes()} == set(OutcomeKind)
        states = {order.state for order in read.orders()}
        assert len(states) >= 3
        assert read.holds()
        assert any(decision.ml.probability is not None for decision in read.decisions())


def test_every_decision_is_labelled_once_by_its_trade_or_by_its_shadow(told):
    _, _, folder = told
    with journal_of(folder) as journal:
        decisions = [decision.decision_id for decision in journal.read.decisions()]
        real = {outcome.decision_id for outcome in journal.read.outcomes(kind=OutcomeKind.REAL)}
        shadows = [outcome.decision_id for outcome in journal.read.outcomes(kind=OutcomeKind.SHADOW)]
        samples = journal.read.samples()
        stuck = {trade.position_id for trade in journal.read.positions(open_only=True)}
    assert sorted(shadows) == sorted(decisions)
    assert sorted(sample.decision_id for sample in samples) == sorted(set(decisions) - stuck)
    assert {sample.decision_id for sample in samples if sample.source is SampleSource.REAL} == real


@pytest.mark.parametrize("every", [9, 31, 101])
def test_broken_off_every_so_many_bars_it_ends_the_same(told, tmp_path, every):
    feed, config, whole = told
    for bar in range(every, BARS, every):
        assert not play(feed, config, tmp_path, stop_at=START + bar * HOUR)
    assert play(feed, config, tmp_path)
    checked, wanted = verified(tmp_path), verified(whole)
    assert checked.ok, [check for check in checked.checks if not check.ok]
    assert checked.digest == wanted.digest
    counts, expected = counts_of(tmp_path), counts_of(whole)
    assert {name: counts[name] for name in FACTS} == {name: expected[name] for name in FACTS}


def test_broken_off_at_every_single_bar_of_a_busy_stretch_it_ends_the_same(told, tmp_path):
    feed, config, whole = told
    for bar in range(150, 185):
        assert not play(feed, config, tmp_path, stop_at=START + bar * HOUR)
    assert play(feed, config, tmp_path)
    assert verified(tmp_path).digest == verified(whole).digest


def test_told_again_after_its_end_it_adds_nothing(told, tmp_path):
    feed, config, _ = told
    assert play(feed, config, tmp_path)
    before = counts_of(tmp_path)
    digest = verified(tmp_path).digest
    assert play(feed, config, tmp_path)
    assert verified(tmp_path).digest == digest
    after = counts_of(tmp_path)
    assert {name: after[name] for name in FACTS} == {name: before[name] for name in FACTS}


# -- kill -9 -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """What the crash program found: 2 instruments over 500 bars, killed at more than 20 numbered places."""
    folder = tmp_path_factory.mktemp("killed")
    wanted = {"bars": 500, "kills": 22, "chain": 60}
    program = [sys.executable, str(HERE / "trading_crash.py"), str(folder), json.dumps(wanted)]
    paths = os.pathsep.join([str(HERE.parent.parent), str(HERE)])
    ended = subprocess.run(
        program, env=os.environ | {"PYTHONPATH": paths}, check=False, capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_killed_anywhere_it_ends_with_the_same_digest_and_nothing_doubled(killed):
    whole, runs = killed["whole"], killed["killed"]
    assert whole["ok"]
    assert len(runs) >= 20
    assert all(run["restarts"] == 1 for run in runs)
    for run in runs:
        where = f"killed at {run['at']} of {killed['points']}, {run['point']}"
        assert run["ok"], where
        assert run["digest"] == whole["digest"], where
        assert run["counts"] == whole["counts"], where


def test_every_kind_of_crash_point_was_crossed(killed):
    assert {run["point"] for run in killed["killed"]} == {
        "journal.before_commit",
        "journal.after_commit",
        "paper.before_commit",
        "paper.after_commit",
        "orders.before_send",
        "orders.after_send",
    }


def test_killed_again_and_again_it_ends_the_same(killed):
    chain, whole = killed["chain"], killed["whole"]
    assert chain["restarts"] >= 8
    assert chain["ok"]
    assert (chain["digest"], chain["counts"]) == (whole["digest"], whole["counts"])


def test_the_environment_variable_kills_at_the_place_it_names(tmp_path):
    code = (
        "import sys; from pathlib import Path; from trading_story import lively_config, play, simulated; "
        "play(simulated(bars=120), lively_config(), Path(sys.argv[1]))"
    )
    paths = os.pathsep.join([str(HERE.parent.parent), str(HERE)])
    environment = os.environ | {"PYTHONPATH": paths, "RATCHET_CRASH_AT": "3"}
    ended = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env=environment, check=False, capture_output=True, text=True
    )
    assert ended.returncode == -9
    assert "crash point 3: " in ended.stderr


# -- a ledger that is ahead of the journal -----------------------------------------------------------------------------


async def test_a_venue_that_knows_what_is_still_to_come_does_not_tell_it(begin):
    rig = await begin([*flat(100, 3), Candle(100, 100, 94, 94), *flat(94, 5)])
    await rig.closes()
    await rig.enter()
    await rig.opens()
    await rig.step(3)
    assert rig.books.trades == {}, "stopped out, and nothing of it is durable: it led to no order"
    stopped_at = rig.moment.at
    await rig.reopen()
    assert rig.clock.now() < stopped_at
    assert rig.trade().position.is_open
    assert (await rig.venue.report()).at > rig.clock.now()
    assert await rig.session.reconciler.run(Batch()) == ()
    await rig.step(2)
    # The clock says when it was stopped out, but the market's story is not told that far: a job that looks now
    # sees what it saw the first time.
    rig.clock.move_to(stopped_at - timedelta(hours=1))
    await rig.step()
    rig.clock.move_to(stopped_at)
    await rig.session.reconciler.run(Batch())
    assert rig.trade().position.is_open
    assert rig.journal.read.incidents() == []
    await rig.step()
    assert rig.books.trades == {}
    assert await rig.faults() == []
