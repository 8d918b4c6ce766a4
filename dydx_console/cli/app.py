"""The command line. Every command imports what it needs when it runs, so that `--help` stays quick."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from dydx_console.cli.exporting import register as register_export
from dydx_console.cli.history import register as register_history
from dydx_console.cli.reading import register as register_reading
from dydx_console.cli.whatif import register as register_whatif

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
order_app = typer.Typer(help="Orders.", no_args_is_help=True, rich_markup_mode=None)
health_app = typer.Typer(help="Ask a running console how it is.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(config_app, name="config")
app.add_typer(order_app, name="order")
app.add_typer(health_app, name="health")

Config = Annotated[Path | None, typer.Option("--config", help="Configuration file instead of the usual one.")]
NetworkName = Annotated[str | None, typer.Option("--network", help="mainnet, testnet, local, or one of your own.")]
Environment = Annotated[str | None, typer.Option("--environment", help="development, staging or production.")]
Address = Annotated[str | None, typer.Option("--address", help="Account to watch: dydx1…")]
Parent = Annotated[int | None, typer.Option("--parent", help="Parent subaccount, 0 to 127.")]
ForSeconds = Annotated[float | None, typer.Option("--for", min=0.0, help="Leave by itself after so many seconds.")]
Screenshot = Annotated[Path | None, typer.Option("--screenshot", help="Write an SVG of the screen before leaving.")]
NoBell = Annotated[bool, typer.Option("--no-bell", help="Do not ring the terminal's bell.")]
ReadOnly = Annotated[bool, typer.Option("--read-only", help="Never send anything, whatever comes later.")]
ConfirmNetwork = Annotated[
    str | None,
    typer.Option("--confirm-network", help="Chain id; with --read-only, lets mainnet be read without a terminal."),
]
HealthListen = Annotated[
    str | None, typer.Option("--health", help="Serve health there: 127.0.0.1:8788, or unix:/path of a socket.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask about the orders; a network is confirmed all the same.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be sent, and send nothing.")]


def _overrides(network: str | None, address: str | None, parent: int | None, environment: str | None) -> dict[str, Any]:
    from dydx_console.cli.admission import checked_address

    return {
        "network": network,
        "address": checked_address(address),
        "parent_subaccount": parent,
        "environment": environment,
    }


def _write_log_out() -> None:
    """Have what was logged written before the command has ended, whichever way it ends."""
    import logging

    for handler in logging.getLogger().handlers:
        handler.flush()


@app.callback(invoke_without_command=True)
def without_command(context: typer.Context) -> None:
    """Run the console where no command is named."""
    context.call_on_close(_write_log_out)
    if context.invoked_subcommand is None:
        context.invoke(run)


@app.command()
def run(
    network: NetworkName = None,
    address: Address = None,
    parent: Parent = None,
    environment: Environment = None,
    read_only: ReadOnly = False,
    confirm_network: ConfirmNetwork = None,
    record_to: Annotated[Path | None, typer.Option("--record", help="Write a recording too.")] = None,
    health: HealthListen = None,
    for_seconds: ForSeconds = None,
    screenshot: Screenshot = None,
    no_bell: NoBell = False,
    config: Config = None,
) -> None:
    """Watch an account on a network, view-only; no key is needed."""
    from dydx_console.cli import live
    from dydx_console.cli.admission import Wanted, admit, loaded_or_fail
    from dydx_console.cli.exits import Exit, fail
    from dydx_console.cli.log import open_log
    from dydx_console.safety.policy import Entry

    loaded = loaded_or_fail(config, _overrides(network, address, parent, environment))
    log_path = open_log(loaded.settings)
    if loaded.settings.address is None:
        fail(Exit.USAGE, "which account? Give --address dydx1…, or `address` in the configuration; or try `demo`")
    admission = admit(loaded, Wanted(Entry.SCREEN, read_only=read_only, confirm_network=confirm_network))
    options = live.ScreenOptions(for_seconds, screenshot, bell=not no_bell)
    listen = health or loaded.settings.health.listen
    raise typer.Exit(live.run(admission, options, record_to, listen, log_path))


@app.command()
def watch(
    network: NetworkName = None,
    address: Address = None,
    parent: Parent = None,
    environment: Environment = None,
    read_only: ReadOnly = False,
    confirm_network: ConfirmNetwork = None,
    health: HealthListen = None,
    for_seconds: ForSeconds = None,
    config: Config = None,
) -> None:
    """Run the engine without a screen and serve its health; log lines go to standard error too."""
    from dydx_console.cli import live
    from dydx_console.cli.admission import Wanted, admit, loaded_or_fail
    from dydx_console.cli.asking import prepared_listen
    from dydx_console.cli.log import open_log
    from dydx_console.safety.policy import Entry

    loaded = loaded_or_fail(config, _overrides(network, address, parent, environment))
    log_path = open_log(loaded.settings, aloud=True)
    wanted = Wanted(Entry.WATCH, read_only=read_only, confirm_network=confirm_network, tells=False)
    admission = admit(loaded, wanted)
    listen = health or loaded.settings.health.listen or prepared_listen()
    raise typer.Exit(live.watch(admission, listen, for_seconds, log_path))


@app.command()
def demo(
    seed: Annotated[int | None, typer.Option("--seed", help="Same seed, same market.")] = None,
    faults: Annotated[
        str | None,
        typer.Option("--faults", help="Have the exchange misbehave: rough, storm, halt, deaf, lag, geo, chaos."),
    ] = None,
    shock: Annotated[
        list[str] | None,
        typer.Option("--shock", help="Have a price jump, such as BTC-USD=-20%@30s; may be given again."),
    ] = None,
    risky: Annotated[bool, typer.Option("--risky", help="Let the account hold what a shock liquidates.")] = False,
    for_seconds: ForSeconds = None,
    screenshot: Screenshot = None,
    no_bell: NoBell = False,
    config: Config = None,
) -> None:
    """Open the console on an exchange of its own, where a funded account trades."""
    from dydx_console.cli import live
    from dydx_console.cli.admission import loaded_or_fail
    from dydx_console.cli.log import open_log

    settings = loaded_or_fail(config, {}).settings
    options = live.ScreenOptions(for_seconds, screenshot, bell=not no_bell)
    exchange = live.DemoOptions(seed, faults, tuple(shock or ()), risky)
    raise typer.Exit(live.demo(settings, options, exchange, open_log(settings)))


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
    from dydx_console.cli import live
    from dydx_console.cli import replay as replaying
    from dydx_console.cli.admission import loaded_or_fail

    loaded = replaying.load_recording(recording)
    if json:
        raise typer.Exit(replaying.print_final_document(loaded))
    settings = loaded_or_fail(config, {}).settings
    options = live.ScreenOptions(for_seconds, screenshot, bell=not no_bell)
    raise typer.Exit(replaying.play(loaded, speed, settings, options))


@app.command()
def record(
    recording: Annotated[Path, typer.Argument(help="File to write; it must not exist.")],
    network: NetworkName = None,
    address: Address = None,
    parent: Parent = None,
    environment: Environment = None,
    read_only: ReadOnly = False,
    confirm_network: ConfirmNetwork = None,
    for_seconds: ForSeconds = None,
    config: Config = None,
) -> None:
    """Write what a network's Indexer says into a recording, without a screen."""
    from dydx_console.cli import live
    from dydx_console.cli.admission import Wanted, admit, loaded_or_fail
    from dydx_console.cli.log import open_log
    from dydx_console.safety.policy import Entry

    loaded = loaded_or_fail(config, _overrides(network, address, parent, environment))
    log_path = open_log(loaded.settings)
    admission = admit(loaded, Wanted(Entry.WATCH, read_only=read_only, confirm_network=confirm_network))
    raise typer.Exit(live.record(admission, recording, for_seconds, log_path))


@app.command("check-network")
def check_network(
    network: NetworkName = None,
    address: Address = None,
    parent: Parent = None,
    environment: Environment = None,
    read_only: ReadOnly = False,
    confirm_network: ConfirmNetwork = None,
    json: Json = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Every check, skipped ones too.")] = False,
    timeout: Annotated[float, typer.Option("--timeout", min=0.5, max=60.0, help="Seconds for all of it.")] = 4.5,
    config: Config = None,
) -> None:
    """Check configuration, policy, Indexer and nodes, and say what to do about what is wrong. Sends nothing."""
    from dydx_console.cli.admission import Wanted
    from dydx_console.cli.preflighting import check_network as checking
    from dydx_console.safety.policy import Entry

    overrides = _overrides(network, address, parent, environment)
    wanted = Wanted(Entry.COMMAND, read_only=read_only, confirm_network=confirm_network)
    raise typer.Exit(checking(config, overrides, wanted, as_json=json, verbose=verbose, timeout_s=timeout))


@app.command()
def faucet(
    network: NetworkName = None,
    address: Address = None,
    subaccount: Annotated[int, typer.Option("--subaccount", min=0, max=127, help="Subaccount to fund.")] = 0,
    usdc: Annotated[int, typer.Option("--usdc", min=1, max=2_000, help="Whole test USDC to ask for.")] = 1_000,
    environment: Environment = None,
    config: Config = None,
) -> None:
    """Ask a test network's faucet for funds."""
    from dydx_console.cli import faucet as asking
    from dydx_console.cli.admission import Wanted, admit, loaded_or_fail
    from dydx_console.cli.exits import Exit, fail
    from dydx_console.cli.log import open_log
    from dydx_console.safety.policy import Entry

    loaded = loaded_or_fail(config, _overrides(network, address, None, environment))
    log_path = open_log(loaded.settings)
    account = loaded.settings.address
    if account is None:
        fail(Exit.USAGE, "which account? Give --address dydx1…, or `address` in the configuration")
    admission = admit(loaded, Wanted(Entry.COMMAND))
    raise typer.Exit(asking.ask(admission, asking.Payment(account, subaccount, usdc), log_path))


@order_app.command("place")
def order_place(
    side: Annotated[str, typer.Argument(help="buy or sell")],
    size: Annotated[str, typer.Argument(help="Size in base units, such as 0.1.")],
    market: Annotated[str, typer.Argument(help="Ticker, such as BTC-USD.")],
    price: Annotated[str | None, typer.Option("--price", help="Limit price in USD.")] = None,
    network: NetworkName = None,
    address: Address = None,
    parent: Parent = None,
    environment: Environment = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    config: Config = None,
) -> None:
    """Place an order (not built yet; the network is judged already)."""
    from dydx_console.cli.sending import refuse_or_say_not_built

    refuse_or_say_not_built(config, _overrides(network, address, parent, environment))


@order_app.command("amend")
def order_amend(
    order: Annotated[str, typer.Argument(help="Order id.")],
    network: NetworkName = None,
    address: Address = None,
    parent: Parent = None,
    environment: Environment = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    config: Config = None,
) -> None:
    """Change an order (not built yet; the network is judged already)."""
    from dydx_console.cli.sending import refuse_or_say_not_built

    refuse_or_say_not_built(config, _overrides(network, address, parent, environment))


@order_app.command("cancel")
def order_cancel(
    order: Annotated[str, typer.Argument(help="Order id.")],
    network: NetworkName = None,
    address: Address = None,
    parent: Parent = None,
    environment: Environment = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    config: Config = None,
) -> None:
    """Cancel an order (not built yet; the network is judged already)."""
    from dydx_console.cli.sending import refuse_or_say_not_built

    refuse_or_say_not_built(config, _overrides(network, address, parent, environment))


@app.command("cancel-all")
def cancel_all(
    market: Annotated[str | None, typer.Option("--market", help="Only this market.")] = None,
    network: NetworkName = None,
    address: Address = None,
    parent: Parent = None,
    environment: Environment = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    config: Config = None,
) -> None:
    """Cancel every working order (not built yet; the network is judged already)."""
    from dydx_console.cli.sending import refuse_or_say_not_built

    refuse_or_say_not_built(config, _overrides(network, address, parent, environment))


@app.command()
def close(
    market: Annotated[str, typer.Argument(help="Ticker of the position, such as BTC-USD.")],
    network: NetworkName = None,
    address: Address = None,
    parent: Parent = None,
    environment: Environment = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    config: Config = None,
) -> None:
    """Close a position (not built yet; the network is judged already)."""
    from dydx_console.cli.sending import refuse_or_say_not_built

    refuse_or_say_not_built(config, _overrides(network, address, parent, environment))


Listen = Annotated[str | None, typer.Option("--listen", help="Where the console serves health, as its --health says.")]
ProbeTimeout = Annotated[float, typer.Option("--timeout", min=0.1, max=30.0, help="Seconds to wait.")]


@health_app.command("ready")
def health_ready(listen: Listen = None, timeout: ProbeTimeout = 2.0, config: Config = None) -> None:
    """Exit 0 where a running console's picture can be relied on, else 69."""
    from dydx_console.cli.asking import ask_health

    raise typer.Exit(ask_health("ready", listen, config, timeout))


@health_app.command("live")
def health_live(listen: Listen = None, timeout: ProbeTimeout = 2.0, config: Config = None) -> None:
    """Exit 0 where a console runs, else 69."""
    from dydx_console.cli.asking import ask_health

    raise typer.Exit(ask_health("live", listen, config, timeout))


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


class Schema(StrEnum):
    """A document whose schema can be printed."""

    DOCUMENT = "document"
    CHECK_NETWORK = "check-network"
    WHATIF = "whatif"
    ACCOUNT = "account"
    POSITIONS = "positions"
    POSITIONS_CLOSED = "positions-closed"
    ORDERS = "orders"
    ORDERS_ALL = "orders-all"
    ORDER_SHOW = "order-show"
    MARKETS = "markets"
    FILLS = "fills"
    FUNDING = "funding"
    TRANSFERS = "transfers"
    PNL = "pnl"
    PNL_BY_DAY = "pnl-by-day"


@app.command()
def schema(
    of: Annotated[Schema, typer.Argument(help="Which document: the picture, or the report of a command.")] = (
        Schema.DOCUMENT
    ),
) -> None:
    """Print the JSON Schema of the documents that `--json` prints."""
    import json

    from pydantic import BaseModel

    from dydx_console.views.documents import Document, PreflightDocument
    from dydx_console.views.pages import READINGS
    from dydx_console.views.whatif import WhatifDocument

    models: dict[str, type[BaseModel]] = {
        **READINGS,
        Schema.DOCUMENT: Document,
        Schema.CHECK_NETWORK: PreflightDocument,
        Schema.WHATIF: WhatifDocument,
    }
    typer.echo(json.dumps(models[of].model_json_schema(mode="serialization"), indent=2))


@config_app.command("path")
def config_path() -> None:
    """Print where the configuration file is looked for."""
    from dydx_console.config.load import default_config_path

    typer.echo(str(default_config_path()))


@config_app.command("check")
def config_check(config: Config = None) -> None:
    """Say whether the configuration can be used."""
    from dydx_console.cli.configuring import check

    typer.echo(check(config))


@config_app.command("init")
def config_init(config: Config = None) -> None:
    """Write an example configuration with a sentence for every key; an existing file is never written over."""
    from dydx_console.cli.configuring import write_example

    typer.echo(f"written: {write_example(config)}")


register_reading(app)
register_history(app, order_app)
register_export(app)
register_whatif(app)
