"""The ratchet command inside this process, so that a clock or a profiler can look into it."""

from __future__ import annotations

import inspect
import io
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any

Label = Callable[[tuple[Any, ...], Any], str | None]
"""From a call's arguments and its result to the name its time is kept under; None keeps it not."""


def command(arguments: Sequence[str]) -> Any:
    """Run one command line as the installed program would, and give back the JSON document it printed."""
    from typer.main import get_command

    from daemon.cli.main import build

    with redirect_stdout(io.StringIO()) as output:
        get_command(build()).main(list(arguments), prog_name="ratchet", standalone_mode=False)
    return json.loads(output.getvalue())


@contextmanager
def timed_calls(owner: Any, name: str, label: Label) -> Iterator[dict[str, list[float]]]:
    """While inside, every call of `owner.name` is timed where it really happens: seconds by label."""
    plain = getattr(owner, name)
    found: dict[str, list[float]] = defaultdict(list)

    def note(took: float, arguments: tuple[Any, ...], result: Any) -> None:
        kept = label(arguments, result)
        if kept is not None:
            found[kept].append(took)

    def call(*arguments: Any, **named: Any) -> Any:
        began = time.perf_counter()
        result = plain(*arguments, **named)
        note(time.perf_counter() - began, arguments, result)
        return result

    async def wait(*arguments: Any, **named: Any) -> Any:
        began = time.perf_counter()
        result = await plain(*arguments, **named)
        note(time.perf_counter() - began, arguments, result)
        return result

    setattr(owner, name, wait if inspect.iscoroutinefunction(plain) else call)
    try:
        yield found
    finally:
        setattr(owner, name, plain)
