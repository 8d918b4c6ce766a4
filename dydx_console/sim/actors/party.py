"""What every actor needs: its money, order ids, and the exchange."""

from __future__ import annotations

from dydx_console.sim.core.addresses import address_of
from dydx_console.sim.core.exchange import Exchange
from dydx_console.sim.core.markets import Market
from dydx_console.sim.core.orders import SHORT_TERM, Order, OrderId, Place, Side, SubaccountId, TimeInForce, Transfer

WALLET = address_of("bank")
USDC = 1_000_000


def deposit(exchange: Exchange, subaccount: SubaccountId, usdc: int, now_ms: int) -> None:
    """Fund a subaccount from a wallet, in whole USDC, with the next block."""
    exchange.submit(Transfer(WALLET, subaccount, usdc * USDC), now_ms)


def short_term(subaccount: SubaccountId, market: Market, client_id: int) -> OrderId:
    """A short-term order's id."""
    return OrderId(subaccount, client_id, SHORT_TERM, market.clob_pair_id)


def take(
    exchange: Exchange,
    order_id: OrderId,
    side: Side,
    *,
    quantums: int,
    subticks: int,
    now_ms: int,
    reduce_only: bool = False,
) -> None:
    """Send an IOC order that lives a few blocks."""
    order = Order(
        id=order_id,
        side=side,
        quantums=quantums,
        subticks=subticks,
        good_til_block=exchange.height + 5,
        time_in_force=TimeInForce.IOC,
        reduce_only=reduce_only,
        client_metadata=1,
    )
    exchange.submit(Place(order), now_ms)


def beyond(market: Market, subticks: int, side: Side, ticks: int) -> int:
    """A price `ticks` worse for a taker of `side` (negative: better), never below one tick."""
    return max(market.subticks_per_tick, subticks + side.sign * ticks * market.subticks_per_tick)
