"""The command line. Every command imports what it needs when it runs, so that `--help` stays quick."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(
    name="dydx-console",
    help="A terminal trading console for dYdX Chain (v4).",
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)


@app.command()
def replay(
    recording: Annotated[Path, typer.Argument(help="A recording made by `record`, as JSON lines.")],
    speed: Annotated[float, typer.Option(help="How many times faster than recorded; 0 is at once.")] = 1.0,
    json: Annotated[bool, typer.Option("--json", help="Print the final document instead of opening a screen.")] = False,
) -> None:
    """Play a recording through the console's own panes, or print the state that it ends in."""
    from dydx_console.cli.replay import load_recording, print_final_document

    loaded = load_recording(recording)
    if json:
        raise typer.Exit(print_final_document(loaded))


@app.command()
def version() -> None:
    """Print the version."""
    from dydx_console import __version__

    typer.echo(f"dydx-console {__version__}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of the documents that `--json` prints."""
    import json

    from dydx_console.views.documents import Document

    typer.echo(json.dumps(Document.model_json_schema(mode="serialization"), indent=2))
