"""`ratchet sentiment score`: what the embedded scorer makes of texts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli.options import AsJson
from domain.errors import InvalidInput

if TYPE_CHECKING:
    from domain.records import TextScore


def register(app: typer.Typer) -> None:
    """Add the verbs about sentiment."""
    group = typer.Typer(help="News and sentiment.", no_args_is_help=True)
    group.callback()(_group)
    group.command()(score)
    app.add_typer(group, name="sentiment", rich_help_panel="Looking things up")


def _group() -> None:
    """News and sentiment."""


def score(
    text: Annotated[str | None, typer.Argument(metavar="[TEXT]", help="One text.")] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="X.jsonl", help='One JSON object a line, with "text" or "headline".'),
    ] = None,
    json_: AsJson = False,
) -> None:
    """What one text says, or every text of a file (then one JSON document a line)."""
    from daemon.cli.output import figure, print_facts, print_json, print_json_line  # noqa: PLC0415 - other verbs do not pay for it
    from sentiment.lexicon import LexiconScorer  # noqa: PLC0415

    if (text is None) == (file is None):
        raise typer.BadParameter("give either a TEXT or --file", param_hint="TEXT")
    scorer = LexiconScorer()
    if file is not None:
        for line in _texts(file):
            print_json_line(_document(scorer.score([line])[0]))
        return
    result = scorer.score([text or ""])[0]
    if json_:
        print_json(_document(result))
        return
    document = _document(result)
    print_facts((name, figure(value) if isinstance(value, float) else str(value)) for name, value in document.items())


def _document(result: TextScore) -> dict[str, Any]:
    return {
        "label": result.label,
        "score": result.score,
        "p_negative": result.negative,
        "p_neutral": result.neutral,
        "p_positive": result.positive,
        "p_unknown": result.unknown,
        "model": result.model,
    }


def _texts(file: Path) -> Iterator[str]:
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield _text_of(line, f"{file} line {number}")
    except (OSError, UnicodeDecodeError) as fault:
        raise InvalidInput(f"{file} cannot be read as lines of JSON: {fault}") from fault


def _text_of(line: str, place: str) -> str:
    try:
        record = json.loads(line)
    except ValueError as fault:
        raise InvalidInput(f"{place} is no JSON object with a text: {fault}") from fault
    found = record.get("text", record.get("headline")) if isinstance(record, dict) else None
    if not isinstance(found, str):
        raise InvalidInput(f'{place} has no text: each line is an object with "text" or "headline"')
    return found
