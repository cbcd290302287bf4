"""The decisions are numbered without a gap, short, of one form, and all in the index."""

from __future__ import annotations

import re

from docs_pages import ROOT

FOLDER = ROOT / "docs" / "adr"
DECISIONS = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
LONGEST_LINES = 40


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [path.name[:5] for path in DECISIONS] == [f"{number:04}-" for number in range(1, len(DECISIONS) + 1)]


def test_every_decision_has_its_number_in_the_title_and_the_three_parts() -> None:
    for path in DECISIONS:
        text = path.read_text(encoding="utf-8")
        assert text.startswith(f"# {int(path.name[:4])}. "), path.name
        assert re.findall(r"^## (.+)$", text, flags=re.MULTILINE) == ["Context", "Decision", "Consequences"], path.name
        assert len(text.splitlines()) <= LONGEST_LINES, path.name


def test_the_index_names_every_decision_by_its_own_title_in_order() -> None:
    entries = re.findall(
        r"^- \[(\d{4})\]\((\S+)\) (.+)$", (FOLDER / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    titles = [path.read_text(encoding="utf-8").splitlines()[0].split(". ", 1)[1] for path in DECISIONS]
    assert entries == [(path.name[:4], path.name, title) for path, title in zip(DECISIONS, titles, strict=True)]
