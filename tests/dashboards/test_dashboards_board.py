"""The Grafana board: every query parses and asks for what the daemon exports; panels are named and do not overlap."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml
from exported_metrics import DASHBOARDS, exported_series, program, unknown_names, without_variables

GRAFANA = DASHBOARDS / "grafana"
COLUMNS = 24


def board() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((GRAFANA / "ratchet.json").read_text())
    return loaded


def panels() -> list[dict[str, Any]]:
    return [panel for panel in board()["panels"] if panel["type"] != "row"]


def queries() -> list[tuple[str, str]]:
    return [(panel["title"], target["expr"]) for panel in panels() for target in panel["targets"]]


def test_every_query_asks_for_metrics_and_labels_that_the_daemon_exports(tmp_path: Path) -> None:
    exported = exported_series(tmp_path)
    wrong = {title: unknown_names(without_variables(query), exported) for title, query in queries()}
    assert {title: names for title, names in wrong.items() if names} == {}


def test_every_query_parses(tmp_path: Path) -> None:
    checks = [
        {"record": f"board:query:{number}", "expr": without_variables(query)}
        for number, (_, query) in enumerate(queries())
    ]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": checks}]}))
    answer = subprocess.run(
        [program("promtool"), "check", "rules", str(file)], capture_output=True, text=True, check=False, timeout=60
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert f"{len(checks)} rules found" in answer.stdout


def test_every_variable_in_a_query_is_one_of_the_board_or_of_grafana() -> None:
    declared = {variable["name"] for variable in board()["templating"]["list"]}
    assert declared == {"datasource", "instance"}
    for title, query in queries():
        assert "$" not in without_variables(query), title


def test_every_family_that_a_person_watches_is_on_the_board(tmp_path: Path) -> None:
    shown = " ".join(query for _, query in queries())
    families = {name for name in exported_series(tmp_path) if name.startswith("ratchet_")}
    plain = {name for name in families if not name.endswith(("_bucket", "_sum", "_count"))}
    left_out = {name for name in plain if name not in shown}
    assert left_out == {
        "ratchet_holds_latched",
        "ratchet_live_clock",
        "ratchet_oldest_unknown_order_timestamp_seconds",
        "ratchet_scan_interval_seconds",
        "ratchet_scans_total",
    }, "these serve the alerts; anything else belongs on the board"


def test_panels_have_ids_of_their_own_titles_units_and_data() -> None:
    everything = board()["panels"]
    assert len({panel["id"] for panel in everything}) == len(everything)
    titles = [panel["title"] for panel in everything]
    assert len(set(titles)) == len(titles)
    for panel in panels():
        assert panel["title"].strip()
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        references = [target["refId"] for target in panel["targets"]]
        assert references
        assert len(set(references)) == len(references)


def test_panels_lie_within_the_grid_and_never_on_each_other() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in board()["panels"]:
        place = panel["gridPos"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= COLUMNS
        for column in range(place["x"], place["x"] + place["w"]):
            for line in range(place["y"], place["y"] + place["h"]):
                assert (column, line) not in taken, f"{panel['title']} lies on {taken[column, line]}"
                taken[column, line] = panel["title"]


def test_the_board_is_provisioned_from_its_file_and_not_edited_in_the_browser() -> None:
    assert board()["editable"] is False
    assert board()["schemaVersion"] >= 41
    provider = yaml.safe_load((GRAFANA / "provisioning/dashboards/ratchet.yml").read_text())["providers"][0]
    assert provider["allowUiUpdates"] is False
    source = yaml.safe_load((GRAFANA / "provisioning/datasources/ratchet.yml").read_text())["datasources"][0]
    assert source["editable"] is False
    assert source["type"] == "prometheus"
