"""`ratchet config show`: what the daemon would run with, and where each value comes from."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from daemon.cli.options import AsJson, ConfigFiles, Settings, StateDirectory

Origins = Annotated[bool, typer.Option("--origins", help="Say where each value came from.")]


def register(app: typer.Typer) -> None:
    """Add the verbs about the configuration."""
    group = typer.Typer(help="The configuration.", no_args_is_help=True)
    group.callback()(_group)
    group.command()(show)
    app.add_typer(group, name="config", rich_help_panel="Looking things up")


def _group() -> None:
    """The configuration."""


def show(
    config: ConfigFiles = None,
    set_: Settings = None,
    origins: Origins = False,
    state: StateDirectory = None,
    json_: AsJson = False,
) -> None:
    """The whole configuration as TOML that can be used again; secrets are masked."""
    from daemon.cli.output import print_json  # noqa: PLC0415 - other verbs do not pay for it
    from daemon.config import as_json, as_toml, digest_of, load  # noqa: PLC0415
    from daemon.paths import secrets_folder, state_root  # noqa: PLC0415
    from daemon.secrets import API_TOKEN_NAME, MASK, read_secret  # noqa: PLC0415

    loaded = load(config or [], environ=os.environ, flags=set_ or [])
    token = read_secret(API_TOKEN_NAME, environ=os.environ, folder=secrets_folder(state_root(os.environ, state)))
    where = "made at the first start" if token is None else f"from {token.origin}"
    if json_:
        secrets = {API_TOKEN_NAME: {"value": None if token is None else MASK, "origin": where}}
        document = {"config": as_json(loaded.config), "digest": digest_of(loaded.config), "secrets": secrets}
        print_json({**document, "origins": loaded.origins} if origins else document)
        return
    typer.echo(as_toml(loaded, origins=origins))
    typer.echo(f"# secret {API_TOKEN_NAME}: {'not there yet' if token is None else MASK}, {where}")
    typer.echo(f"# digest {digest_of(loaded.config)}")
