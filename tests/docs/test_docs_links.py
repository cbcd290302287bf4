"""Links of the pages lead somewhere, and names in them are names that exist."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest
from docs_pages import ROOT, named, pages

LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")


def links(page: Path) -> list[tuple[str, str]]:
    """Text and target of every link that stays within the project."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [
        (match["text"], match["target"]) for match in LINK.finditer(text) if not re.match(r"[a-z]+:", match["target"])
    ]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are shown on the web."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", pages(), ids=named)
def test_every_link_within_the_project_leads_to_something(page: Path) -> None:
    broken = []
    for _, target in links(page):
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        if not place.is_relative_to(ROOT) or not place.exists() or (anchor and anchor not in anchors(place)):
            broken.append(target)
    assert not broken


def defined_in(file: Path) -> set[str]:
    """Names of functions and classes of a module, and of the methods of its classes as Class.method."""
    found = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ImportFrom | ast.Assign | ast.AnnAssign):
            found |= {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
        if isinstance(node, ast.ClassDef):
            methods = (inner for inner in node.body if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef))
            found |= {f"{node.name}.{method.name}" for method in methods}
    return found


@pytest.mark.parametrize("page", pages(), ids=named)
def test_a_name_that_links_to_a_module_is_defined_in_it(page: Path) -> None:
    lost = []
    for text, target in links(page):
        name = re.fullmatch(r"`([A-Za-z_][\w.]*)`", text)
        file = (page.parent / target).resolve()
        if name is None or file.suffix != ".py" or not file.exists() or name[1].endswith(".py"):
            continue
        if name[1] not in defined_in(file):
            lost.append(f"{name[1]} in {target}")
    assert not lost


def test_the_walk_through_the_code_names_functions_of_every_step() -> None:
    named_here = [text for text, target in links(ROOT / "docs" / "architecture.md") if target.endswith(".py")]
    assert len(named_here) > 30


def test_every_package_has_its_paragraph_in_the_map() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = project["tool"]["importlinter"]["root_packages"]
    assert len(packages) > 10
    assert [name for name in packages if f"**[{name}](../{name})**" not in page] == []


@pytest.mark.parametrize("page", pages(), ids=named)
def test_no_page_names_a_place_of_one_machine(page: Path) -> None:
    assert not re.search(r"/(?:work|root|home/\w+)/", page.read_text(encoding="utf-8"))
