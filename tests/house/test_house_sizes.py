"""A file that grows long is two files, a function that grows long is two functions."""

from __future__ import annotations

import ast

from house_files import product

LONGEST_FILE = 400
LONGEST_FUNCTION = 50
MIGRATIONS = "journal/migrations/versions/"
"""A migration is a list of tables, written once and never touched again."""


def test_no_file_of_the_product_is_longer_than_400_lines() -> None:
    lengths = {path: len(text.splitlines()) for path, text, _ in product() if not path.startswith(MIGRATIONS)}
    too_long = {path: lines for path, lines in lengths.items() if lines > LONGEST_FILE}
    assert too_long == {}


def test_no_function_of_the_product_is_longer_than_50_lines() -> None:
    too_long = {
        f"{path}:{node.lineno} {node.name}": lines
        for path, _, tree in product()
        if not path.startswith(MIGRATIONS)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > LONGEST_FUNCTION
    }
    assert too_long == {}
