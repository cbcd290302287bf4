"""The learning studies in small: what they plant is there, what they count is counted, and they run to their end."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from bench.studies import learning_edge, learning_flip, learning_quiet, learning_real
from bench.studies.learning_market import (
    START,
    WEEK,
    CycleAccount,
    Market,
    auc_told,
    cycle_account,
    gain_told,
    known_at,
    microseconds,
    samples_of,
    shuffled,
)
from domain.clock import to_epoch
from domain.errors import InvalidInput
from learning.table import Floats, SampleTable
from market.simulated_prices import episodes, stream
from market.simulated_roster import ROSTER


def _ranked(table: SampleTable) -> float:
    seen = 1 / (1 + np.exp(-table.features[:, table.names.index("f_seen")]))
    found = auc_told(seen, table.label, table.decided_at, table.resolved_at)["auc"]
    assert isinstance(found, float)
    return found


def test_the_invented_market_has_the_edge_that_was_planted_and_none_where_none_was() -> None:
    assert abs(_ranked(samples_of(Market(weeks=60), 3)) - 0.5) < 0.06
    assert _ranked(samples_of(Market(weeks=60, strength=0.2), 3)) > 0.6
    turned = samples_of(Market(weeks=60, strength=0.2, turns_at=30), 3)
    late = turned.decided_at >= microseconds(START + 30 * WEEK)
    assert _ranked(turned.take(~late)) > 0.6
    assert _ranked(turned.take(late)) < 0.4


def test_a_random_walk_earns_the_costs_and_nothing_else() -> None:
    r = samples_of(Market(weeks=300), 1).r_net
    # The standard error takes labels to be independent; they overlap, hence the wide margin.
    assert abs(r.mean() + 0.08) < 6 * r.std() / np.sqrt(len(r))


def test_shuffling_deals_the_same_results_out_anew() -> None:
    table = samples_of(Market(weeks=20), 2)
    other = shuffled(table, 2)
    assert sorted(other.r_net.tolist()) == sorted(table.r_net.tolist())
    assert other.r_net.tolist() != table.r_net.tolist()
    assert other.features is table.features


def test_only_labels_that_were_known_are_known() -> None:
    table = samples_of(Market(weeks=10), 2)
    now = START + 5 * WEEK
    known = known_at(table, now)
    assert 0 < len(known) < len(table)
    assert known.resolved_at.max() <= microseconds(now)


def test_a_filter_that_takes_the_winners_gains_what_the_losers_lost() -> None:
    table = samples_of(Market(weeks=40), 2)
    told = gain_told(table, table.label.astype(np.float64))
    assert told["ev_filtered"] == pytest.approx(table.r_net[table.label == 1].mean())
    assert told["gain"] == pytest.approx(told["ev_filtered"] - table.r_net.mean())
    assert told["gain_ci"][0] > 0


def test_an_account_year_in_small_trains_every_week(tmp_path: Path) -> None:
    year = learning_quiet.account_year(tmp_path / "a", "walk", 0, cycles=2, market=Market(weeks=54))
    assert (year.cycles, year.trained, year.promotions) == (2, 2, 0)
    assert not (tmp_path / "a").exists()


def test_the_rate_of_false_promotions_counts_years_and_not_promotions() -> None:
    quiet = learning_quiet.Year(
        world="walk",
        seed=0,
        cycles=52,
        trained=52,
        tested=1,
        spent=0.05,
        promotions=0,
        aucs=(0.5,),
        challenged=0,
        seconds=1,
    )
    figures = learning_quiet.figures_of([quiet] * 99 + [replace(quiet, promotions=3, aucs=(0.6,))])
    assert (figures["promotions"], figures["years_with_promotion"]) == (3, 1)
    # Clopper and Pearson's interval for 1 of 100.
    assert figures["rate_ci"] == pytest.approx([0.000253, 0.054459], abs=1e-5)
    assert "walk" in "\n".join(learning_quiet.told([quiet, quiet]))


@pytest.mark.parametrize("turned", [True, False])
def test_the_turned_edge_shows_in_what_the_champion_says(tmp_path: Path, turned: bool) -> None:
    story = learning_flip.story_of(
        1, tmp_path / "a", turned=turned, samples_a_week=28, cycles=False, every=timedelta(days=120)
    )
    assert story.auc_before is not None
    assert story.auc_after is not None
    assert story.auc_before > 0.53
    assert (story.auc_after < 0.47) == turned
    lines = list(learning_flip.told([story]))
    assert json.loads(lines[-1])["stories"][0]["turned"] is turned


def test_a_model_is_asked_only_about_what_came_after_its_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = samples_of(Market(weeks=40, samples_a_week=42, strength=0.2), 1)
    config = learning_real.config_of(3_650, "1h")
    asked: list[tuple[int, int]] = []
    said = learning_real._said

    def watched(model: learning_real.LoadedModel, rows: SampleTable) -> tuple[Floats, Floats]:
        asked.append((microseconds(model.manifest.known_until), int(rows.decided_at[0])))
        return said(model, rows)

    monkeypatch.setattr(learning_real, "_said", watched)
    walk = learning_real.walked(table, config, tmp_path / "a", every=timedelta(days=70), bar=timedelta(hours=1))
    assert walk.trained >= 2
    assert all(known < first for known, first in asked)
    figures = learning_real.figures_of("invented", table, walk, 0.0)
    assert figures["unseen"]["auc"] > 0.55
    assert "invented" in learning_real.told(figures)


def test_the_column_says_at_each_time_whether_an_episode_is_under_way() -> None:
    plan = learning_edge.Plan(seed=4, bars=400, instruments=2, noise=0.0)
    column = learning_edge.column_of(plan)
    assert column is not None
    begun = to_epoch(learning_edge.START)
    for number in range(2):
        drifts = episodes(stream(4, 7, number), 400)
        for bar in range(0, 400, learning_edge.HOURS_BETWEEN):
            known = column.at(ROSTER[number].instrument.symbol, learning_edge.START + timedelta(hours=bar))
            assert known == {"moment": float(any(each.first <= bar < each.last for each in drifts))}
    assert begun % 3_600 == 0


def test_the_edge_study_runs_the_whole_daemon_and_says_that_it_was_too_short(tmp_path: Path) -> None:
    plan = learning_edge.Plan(seed=1, bars=400, instruments=3)
    loop = learning_edge.loop_study(plan, tmp_path)
    assert loop["samples"] > 20
    assert loop["deployed_on_day"] is None
    assert any("deployed" in line for line in learning_edge.loop_told(loop))
    json.dumps(loop)


def test_a_deployment_of_the_study_needs_samples(tmp_path: Path) -> None:
    table = samples_of(Market(weeks=4), 1)
    with cycle_account(tmp_path / "a", learning_quiet.config_of_study()) as account:
        assert isinstance(account, CycleAccount)
        with pytest.raises(InvalidInput, match="no model came of"):
            account.deploy(table, START + 4 * WEEK)
