"""`python -m dydx_console.sim`: the simulator alone."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence

from dydx_console.sim.actors.shocks import FORM, Shock, parse_shock
from dydx_console.sim.core.addresses import DEMO_ADDRESS, is_address
from dydx_console.sim.core.markets import MARKETS
from dydx_console.sim.faults import NODE_VERSION, Faults
from dydx_console.sim.faults.schedules import SCHEDULES, FaultPlan
from dydx_console.sim.shell.process import ProcessOptions, run
from dydx_console.sim.venue import VenueOptions

MOST_TIMES = 100


def _bounded(low: int, high: int) -> type[int]:
    class Bounded(int):
        """An integer within bounds, for argparse."""

        def __new__(cls, text: str) -> Bounded:
            value = super().__new__(cls, text)
            if not low <= value <= high:
                raise ValueError(text)
            return value

    Bounded.__name__ = f"number from {low} to {high}"
    return Bounded


def _address(text: str) -> str:
    if not is_address(text):
        raise argparse.ArgumentTypeError("not a dydx address")
    return text


def _chain_id(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,50}", text):
        raise argparse.ArgumentTypeError("not a chain id")
    return text


def _shock(text: str) -> Shock:
    try:
        return parse_shock(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _leverage(text: str) -> tuple[str, int]:
    ticker, _, times = text.partition("=")
    if (
        ticker not in {market.ticker for market in MARKETS}
        or not times.isdecimal()
        or not 1 <= int(times) <= MOST_TIMES
    ):
        raise argparse.ArgumentTypeError("not a market and a leverage, such as ETH-USD=5")
    return ticker, int(times)


def parse(arguments: Sequence[str]) -> ProcessOptions:
    """Options from a command line; exits with 2 when they are wrong."""
    parser = argparse.ArgumentParser(prog="dydx-console sim", description="A local dYdX venue on loopback.")
    port = _bounded(0, 65_535)
    parser.add_argument("--host", default="127.0.0.1", help="loopback only")
    parser.add_argument("--port", type=port, default=0, help="REST port, 0 = any")
    parser.add_argument("--ws-port", type=port, default=None, help="WebSocket port (default: port + 1), 0 = any")
    parser.add_argument("--grpc-port", type=port, default=None, help="node's gRPC port (default: port + 2), 0 = any")
    parser.add_argument("--chain-id", type=_chain_id, default=None, help="(default: dydx-sim-1 and a random run id)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--block-ms", type=_bounded(20, 3_600_000), default=1_000, help="time between blocks")
    parser.add_argument("--funding-speedup", type=_bounded(1, 3_600), default=1, help="hours of funding per hour")
    parser.add_argument("--account", type=_address, default=DEMO_ADDRESS, help="the demo account's address")
    parser.add_argument("--no-trader", action="store_true", help="leave the demo account alone")
    parser.add_argument("--rate", type=_bounded(0, 1_000), default=1, help="scale of public activity")
    parser.add_argument("--flood", type=_bounded(0, 50_000), default=0, help="extra BTC-USD book updates per second")
    parser.add_argument("--history-hours", type=_bounded(0, 168), default=24, help="past to live through at the start")
    parser.add_argument("--no-rate-limits", action="store_true", help="REST without rate limits")
    told = f"an oracle price jumps: {FORM} after the start; may be given again".replace("%", "%%")
    parser.add_argument("--shock", type=_shock, action="append", default=[], metavar="SHOCK", help=told)
    parser.add_argument("--risky", action="store_true", help="the demo account holds positions that a shock liquidates")
    parser.add_argument(
        "--leverage", type=_leverage, action="append", default=[], metavar="MARKET=N", help="the demo account's choice"
    )
    _add_faults(parser.add_argument_group("faults"))
    parser.add_argument("--child", action="store_true", help="end with the parent (stdin EOF), ignore terminal signals")
    parser.add_argument("--verbose", action="store_true", help="log to stderr")
    given = parser.parse_args(arguments)
    venue = VenueOptions(
        seed=given.seed,
        block_ms=given.block_ms,
        funding_speedup=given.funding_speedup,
        account=given.account,
        trader=not given.no_trader,
        rate=given.rate,
        flood=given.flood,
        history_hours=given.history_hours,
        rate_limits=not given.no_rate_limits,
        faults=Faults(
            indexer_lag_blocks=given.indexer_lag_blocks,
            node_catching_up=given.node_catching_up,
            node_version=given.node_version,
            clock_skew_ms=given.clock_skew_ms,
        ),
        shocks=tuple(given.shock),
        risky=given.risky,
        leverages=tuple(dict(given.leverage).items()),
        fault_plan=FaultPlan(SCHEDULES[given.faults], given.fault_every_ms, given.faults_end_after_ms),
    )
    return ProcessOptions(
        venue,
        given.host,
        given.port,
        given.ws_port,
        given.child,
        given.verbose,
        grpc_port=given.grpc_port,
        chain_id=given.chain_id,
    )


def _add_faults(group: argparse._ArgumentGroup) -> None:
    day_ms = 86_400_000
    names = ", ".join(SCHEDULES)
    pace, span = _bounded(20, day_ms), _bounded(0, day_ms)
    group.add_argument("--faults", choices=SCHEDULES, default="none", metavar="NAME", help=f"one of {names}")
    group.add_argument("--fault-every-ms", type=pace, default=None, help="time between faults (default: by the name)")
    group.add_argument(
        "--faults-end-after-ms", type=span, default=None, help="all is well from then on (default: never)"
    )
    lag, skew = _bounded(0, 1_000), _bounded(-day_ms, day_ms)
    group.add_argument("--indexer-lag-blocks", type=lag, default=0, help="the Indexer trails the node by so many")
    group.add_argument("--node-catching-up", action="store_true", help="the node says that it is not up to date")
    group.add_argument("--node-version", default=NODE_VERSION, help="application version that the node reports")
    group.add_argument("--clock-skew-ms", type=skew, default=0, help="the venue's clock is ahead (or behind, negative)")


def main() -> int:
    """Run with the process's own arguments."""
    return run(parse(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
