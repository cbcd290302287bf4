"""Writes the tables of docs/configuration.md from the configuration's own models: run it after changing a key.

.venv/bin/python docs/generate_configuration.py
"""

from __future__ import annotations

import ast
import inspect
import json
from pathlib import Path

from daemon.config import Config, as_json
from daemon.config.fields import Section
from daemon.config.schema import sections

PAGE = Path(__file__).parent / "configuration.md"
BEGIN = "<!-- written by docs/generate_configuration.py: change the models in daemon/config, not this -->"
END = "<!-- end of what is written -->"


def main() -> None:
    """Put the present tables into the page."""
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def with_tables(page: str) -> str:
    """The page with everything between its two marks replaced by the present tables."""
    head, _, rest = page.partition(BEGIN)
    _, mark, tail = rest.partition(END)
    if not mark:
        raise ValueError(f"{PAGE} lacks its two marks")
    return f"{head}{BEGIN}\n\n{tables()}\n{END}{tail}"


def tables() -> str:
    """One heading, the section's own words and one table for each section, in the order of the configuration."""
    defaults = as_json(Config())
    parts: list[str] = []
    for name, schema in sections().items():
        meanings = meanings_of(schema.model)
        aliases = {field.alias or key: key for key, field in schema.model.model_fields.items()}
        rows = [
            f"| `{key}` | {_cell(schema.allowed(key))} | {_default(defaults[name][key])} | "
            f"{_cell(meanings[aliases[key]])} |"
            for key in schema.keys
        ]
        head = ["| key | allowed | default | meaning |", "|---|---|---|---|"]
        parts.append("\n".join([f"### [{name}]", "", _words(schema.model.__doc__), "", *head, *rows, ""]))
    return "\n".join(parts)


def meanings_of(model: type[Section]) -> dict[str, str]:
    """The sentence below each key of a section, by key; a key without one is an error."""
    (body,) = ast.parse(inspect.getsource(model)).body
    if not isinstance(body, ast.ClassDef):
        raise TypeError(f"{model} is no class")
    found: dict[str, str] = {}
    for field, after in zip(body.body, [*body.body[1:], None], strict=True):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            said = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else None
            if not isinstance(said, str):
                raise ValueError(f"{model.__name__}.{field.target.id} does not say what it means")
            found[field.target.id] = _words(said)
    return found


def _default(value: object) -> str:
    if value is None:
        return "none"
    if value in ([], {}):
        return "empty"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _words(text: str | None) -> str:
    return " ".join((text or "").split())


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    main()
