"""What may not be written here: prints, naive times, promises, places outside the repository, silenced rules."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator

import pytest
from house_files import ROOT, modules, packages, product, texts

PROMISES = re.compile(r"\b(?:TO[D]O|FIX[M]E|XX[X]|NotImplemented[E]rror|place[h]olders?)\b")
"""Characters in brackets, here and below, so that this file does not find itself."""
OUTSIDE = re.compile(r"(?<![\w.~])/(?:w[o]rk|r[o]ot|U[s]ers|t[m]p/boot)/")
REGISTRIES = re.compile(
    r"\b(?:p[y]pi\.|python[h]osted|npm[j]s|an[a]conda\.org|art[i]factory|d[e]vpi|--(?:extra-)?index-[u]rl\b)"
)
SILENCED = re.compile(r"#\s*(?:noqa|type:\s*ignore)(?::\s*[A-Z]+[0-9]+(?:,\s*[A-Z]+[0-9]+)*|\[[\w, -]+\])?(?P<rest>.*)")
CLOCKS = {
    "perf_counter",
    "perf_counter_ns",
    "process_time",
    "process_time_ns",
    "thread_time",
    "monotonic",
    "monotonic_ns",
}
MAY_WATCH_THE_CLOCK = {
    "tests/daemon/supervise/test_supervise_stop.py": "that a stage's budget ends it is a matter of time",
    "tests/daemon/schedule/test_schedule_live.py": "a job that holds the loop for a while is what is tested",
    "tests/end_to_end/live_daemon.py": "a running program is waited for, and what systemd times is timed",
    "tests/end_to_end/ratchet_command.py": "a running program is waited for",
    "tests/end_to_end/test_e2e_live_faults.py": "that no beat comes for the time of two is what is tested",
    "tests/dashboards/test_dashboards_scrape.py": "a running program is waited for",
    "tests/fault_runs/preloaded.py": "how long a daemon takes to be ready is one of the figures it gives",
    "tests/fault_runs/wall.py": "a running program is killed and waited for by the wall clock",
    "tests/learning/test_learning_training_process.py": "a process is killed and waited for by the wall clock",
    "tests/simulation/__main__.py": "a long run tells how fast it goes",
    "tests/simulation/runner.py": "a long run tells how fast it goes",
}
"""Tests that may read a clock, and why."""
MAY_ASK_THE_MACHINE = {
    "daemon/clock.py": "the one clock of a live run",
    "daemon/check.py": "whether the machine's clock is sane is what it checks",
}
"""Modules that may ask the machine what time it is, and why."""


def found(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path}:{number}: {line.strip()[:100]}"
        for path, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def calls(tree: ast.Module) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def test_the_product_prints_nothing() -> None:
    printed = [
        f"{path}:{call.lineno}"
        for path, _, tree in product()
        for call in calls(tree)
        if isinstance(call.func, ast.Name) and call.func.id == "print"
    ]
    assert printed == []


def is_naive(call: ast.Call) -> bool:
    """Whether a call makes a time without a zone, or asks the machine instead of the clock passed in."""
    named = {keyword.arg for keyword in call.keywords}
    if isinstance(call.func, ast.Name):
        return call.func.id == "datetime" and len(call.args) < 8 and "tzinfo" not in named
    if not (isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name)):
        return False
    owner, name = call.func.value.id, call.func.attr
    if owner not in ("datetime", "date"):
        return False
    if name in ("utcnow", "utcfromtimestamp", "today"):
        return True
    return (name == "now" and not call.args and "tz" not in named) or (
        name == "fromtimestamp" and owner == "datetime" and len(call.args) < 2 and "tz" not in named
    )


def test_the_product_makes_no_time_without_a_zone() -> None:
    naive = [f"{path}:{call.lineno}" for path, _, tree in product() for call in calls(tree) if is_naive(call)]
    assert naive == []


@pytest.mark.parametrize(
    ("text", "naive"),
    [
        ("datetime(2024, 1, 1)", True),
        ("datetime(2024, 1, 1, tzinfo=UTC)", False),
        ("datetime.now()", True),
        ("datetime.now(UTC)", False),
        ("datetime.utcnow()", True),
        ("datetime.fromtimestamp(0)", True),
        ("datetime.fromtimestamp(0, UTC)", False),
        ("date.today()", True),
        ("clock.now()", False),
    ],
)
def test_a_naive_time_is_recognised(text: str, naive: bool) -> None:
    assert is_naive(next(calls(ast.parse(text)))) is naive


def test_only_the_live_clock_and_its_check_ask_the_machine_what_time_it_is() -> None:
    asking = {
        path
        for path, _, tree in product()
        for call in calls(tree)
        if isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and (call.func.value.id, call.func.attr) in {("datetime", "now"), ("time", "time"), ("time", "time_ns")}
    }
    assert asking - set(MAY_ASK_THE_MACHINE) == set()


def test_nothing_is_left_for_later() -> None:
    assert found(PROMISES) == []


def test_nothing_names_a_place_outside_the_repository() -> None:
    assert found(OUTSIDE) == []


def test_nothing_names_a_package_registry() -> None:
    assert found(REGISTRIES) == []


def silenced_without_reason(text: str) -> list[int]:
    """Lines that silence a rule and do not say why; lines one below the other share the first one's reason."""
    faults, told_above = [], False
    for number, line in enumerate(text.splitlines(), 1):
        silenced = SILENCED.search(line)
        if silenced is None:
            told_above = False
            continue
        told_above = told_above or bool(re.search(r"[a-z]{2,}\s+\S+", silenced["rest"]))
        if not told_above:
            faults.append(number)
    return faults


def test_whoever_silences_a_rule_says_why() -> None:
    silent = [
        f"{path}:{number}"
        for path, text, _ in modules(*packages(), "tests", "bench")
        if not path.startswith("tests/house/")
        for number in silenced_without_reason(text)
    ]
    assert silent == []


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("import a  # noqa: PLC0415", [1]),
        ("import a  # noqa", [1]),
        ("import a  # noqa: PLC0415 - slow to import", []),
        ("import a  # noqa: PLC0415 - slow to import\nimport b  # noqa: PLC0415", []),
        ("import a  # noqa: PLC0415 - slow to import\nx = 1\nimport b  # noqa: PLC0415", [3]),
        ("x()  # type: ignore[arg-type]", [1]),
        ("x()  # type: ignore[arg-type, misc]  # what is wrong is tested", []),
    ],
)
def test_a_reason_is_recognised(text: str, faults: list[int]) -> None:
    assert silenced_without_reason(text) == faults


def reads_a_clock(node: ast.AST) -> bool:
    """Whether a part of a program takes hold of something that measures time."""
    if isinstance(node, ast.Attribute):
        return node.attr in CLOCKS and isinstance(node.value, ast.Name) and node.value.id == "time"
    if isinstance(node, ast.ImportFrom):
        return node.module == "time" and not CLOCKS.isdisjoint(each.name for each in node.names)
    return isinstance(node, ast.Import) and any(each.name == "timeit" for each in node.names)


def test_no_test_depends_on_how_fast_the_machine_is() -> None:
    watching = {path for path, _, tree in modules("tests") if any(reads_a_clock(node) for node in ast.walk(tree))}
    assert watching - set(MAY_WATCH_THE_CLOCK) == set()


def test_every_module_says_what_it_is_for() -> None:
    silent = [path for path, _, tree in product() if not (ast.get_docstring(tree) or "").strip()]
    assert silent == []


def test_every_room_of_the_house_has_its_tests_and_no_two_test_files_share_a_name() -> None:
    untested = [name for name in packages() if not any((ROOT / "tests" / name).rglob("test_*.py"))]
    assert untested == []
    tests = [path for path, _, _ in modules("tests")]
    assert [path for path in tests if path.endswith("/__init__.py")] == []
    names = Counter(path.rsplit("/", 1)[-1] for path in tests)
    assert [name for name, count in names.items() if count > 1 and name not in ("conftest.py", "__main__.py")] == []
