"""The entry point: which verbs there are, and what an error becomes (exit 0 done, 1 failed, 2 usage, 78 refused)."""

from __future__ import annotations

import gc
import os
import sys
from typing import Annotated, Final

import typer

from daemon.cli import (
    commanding,
    configuration,
    data,
    history,
    learn,
    reading,
    risk,
    running,
    sentiment,
    stress,
)
from daemon.logs import install_hooks, scrub
from domain.errors import ConfigurationRefused, JournalSchemaUnknown, RatchetError

FAILED: Final = 1
REFUSED: Final = 78
"""EX_CONFIG: starting again will not help, and systemd is told not to."""

NUMERIC_THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""One thread for numeric libraries: more of them only wait for each other. They look when they are loaded."""


def build() -> typer.Typer:
    """The whole command line."""
    app = typer.Typer(
        name="ratchet",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    running.register(app)
    reading.register(app)
    history.register(app)
    commanding.register(app)
    configuration.register(app)
    data.register(app)
    sentiment.register(app)
    stress.register(app)
    risk.register(app)
    learn.register(app)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - reads the installed package's metadata

        sys.stdout.write(f"ratchet {version('ratchet-trader')}\n")
        raise typer.Exit


def _root(
    _version_asked: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """A demo-first trading daemon that learns from its own closed trades."""


def exit_code(error: RatchetError) -> int:
    """What the process ends with because of `error`."""
    return REFUSED if isinstance(error, ConfigurationRefused | JournalSchemaUnknown) else FAILED


def main() -> None:
    """Run the verb on the command line and leave with its exit code. Anything unexpected is a scrubbed traceback."""
    # Short verbs end before there is anything to collect, and looking costs a tenth of their time; `run` and `demo`
    # switch the collector on again.
    gc.disable()
    install_hooks()
    for variable in NUMERIC_THREADS:
        os.environ.setdefault(variable, "1")
    try:
        typer.main.get_command(build()).main(prog_name="ratchet")
    except RatchetError as error:
        sys.stdout.flush()
        sys.stderr.write(scrub(f"ratchet: {error}\n"))
        sys.exit(exit_code(error))


if __name__ == "__main__":
    main()
