"""The command line. Every command imports what it needs when it runs, so that `--help` stays quick."""

from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["app"]

app = typer.Typer(
    name="dydx-console",
    help="A terminal trading console for dYdX Chain (v4). Without a command: run.",
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)
config_app = typer.Typer(help="The configuration file.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(config_app, name="config")

Config = Annotated[Path | None, typer.Option("--config", help="Configuration file instead of the usual one.")]
NetworkName = Annotated[str | None, typer.Option("--network", help="mainnet, testnet, local, or one of your own.")]
Environment = Annotated[str | None, typer.Option("--environment", help="development, staging or production.")]
Address = Annotated[str | None, typer.Option("--address", help="Account to watch: dydx1…")]
Parent = Annotated[int | None, typer.Option("--parent", help="Parent subaccount, 0 to 127.")]
ForSeconds = Annotated[float | None, typer.Option("--for", min=0.0, help="Leave by itself after so many seconds.")]
Screenshot = Annotated[Path | None, typer.Option("--screenshot", help="Write an SVG of the screen before leaving.")]
NoBell = Annotated[bool, typer.Option("--no-bell", help="Do not ring the terminal's bell.")]


def _overrides(network: str | None, address: str | None, parent: int | None, environment: str | None) -> dict[str, Any]:
    from dydx_console.cli.watching import checked_address

    return {
        "network": network,
        "address": checked_address(address),
        "parent_subaccount": parent,
        "environment": environment,
    }


@app.callback(invoke_without_command=True)
def without_command(context: typer.Context) -> None:
    """Run the console where no command is named."""
    if context.invoked_subcommand is None:
        context.invoke(run)


@app.command()
def run(
    network: NetworkName = None,
    address: Address = None,
    parent: Parent = None,
    environment: Environment = None,
    record_to: Annotated[Path | None, typer.Option("--record", help="Write a recording too.")] = None,
    for_seconds: ForSeconds = None,
    screenshot: Screenshot = None,
    no_bell: NoBell = False,
    config: Config = None,
) -> None:
    """Watch an account on a network, view-only; no key is needed."""
    from dydx_console.cli import live, watching
    from dydx_console.cli.exits import Exit, fail

    settings = watching.settings_or_fail(config, _overrides(network, address, parent, environment))
    target = watching.watching(settings)
    if target.address is None:
        fail(Exit.USAGE, "which account? Give --address dydx1…, or `address` in the configuration; or try `demo`")
    options = live.ScreenOptions(for_seconds, screenshot, bell=not no_bell)
    raise typer.Exit(live.run(target, options, record_to))


@app.command()
def demo(
    seed: Annotated[int | None, typer.Option("--seed", help="Same seed, same market.")] = None,
    for_seconds: ForSeconds = None,
    screenshot: Screenshot = None,
    no_bell: NoBell = False,
    config: Config = None,
) -> None:
    """Open the console on an exchange of its own, where a funded account trades."""
    from dydx_console.cli import live, watching

    settings = watching.settings_or_fail(config, {})
    options = live.ScreenOptions(for_seconds, screenshot, bell=not no_bell)
    raise typer.Exit(live.demo(settings, options, seed))


@app.command()
def replay(
    recording: Annotated[Path, typer.Argument(help="A recording made by `record`, as JSON lines.")],
    speed: Annotated[float, typer.Option(min=0.0, help="How many times faster than recorded; 0 is at once.")] = 1.0,
    json: Annotated[bool, typer.Option("--json", help="Print the final document instead of opening a screen.")] = False,
    for_seconds: ForSeconds = None,
    screenshot: Screenshot = None,
    no_bell: NoBell = False,
    config: Config = None,
) -> None:
    """Play a recording through the console's own panes, or print the state that it ends in."""
    from dydx_console.cli import live, watching
    from dydx_console.cli import replay as replaying

    loaded = replaying.load_recording(recording)
    if json:
        raise typer.Exit(replaying.print_final_document(loaded))
    settings = watching.settings_or_fail(config, {})
    options = live.ScreenOptions(for_seconds, screenshot, bell=not no_bell)
    raise typer.Exit(replaying.play(loaded, speed, settings, options))


@app.command()
def record(
    recording: Annotated[Path, typer.Argument(help="File to write; it must not exist.")],
    network: NetworkName = None,
    address: Address = None,
    parent: Parent = None,
    environment: Environment = None,
    for_seconds: ForSeconds = None,
    config: Config = None,
) -> None:
    """Write what a network's Indexer says into a recording, without a screen."""
    from dydx_console.cli import live, watching

    settings = watching.settings_or_fail(config, _overrides(network, address, parent, environment))
    raise typer.Exit(live.record(watching.watching(settings), recording, for_seconds))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def sim(context: typer.Context) -> None:
    """Run the embedded exchange alone: a local venue to test a client against."""
    from dydx_console.sim.__main__ import parse
    from dydx_console.sim.shell.process import run as run_sim

    raise typer.Exit(run_sim(parse(context.args)))


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


@config_app.command("path")
def config_path() -> None:
    """Print where the configuration file is looked for."""
    from dydx_console.config.load import default_config_path

    typer.echo(str(default_config_path()))


@config_app.command("check")
def config_check(config: Config = None) -> None:
    """Say whether the configuration can be used."""
    from dydx_console.cli.watching import settings_or_fail, watching

    target = watching(settings_or_fail(config, {}))
    typer.echo(f"fine: environment {target.settings.environment}, network {target.network.name}")


@config_app.command("init")
def config_init(config: Config = None) -> None:
    """Write an example configuration with a sentence for every key; an existing file is never written over."""
    from dydx_console.cli.configuring import write_example

    typer.echo(f"written: {write_example(config)}")
