"""A venue on which Carol holds more than she can afford, and what is read of her ruin."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sim_help import ALICE, BOB, BUY, SELL, USDC, Desk, Watcher

from dydx_console.sim.core.addresses import address_of
from dydx_console.sim.core.exchange import ChainOptions
from dydx_console.sim.core.markets import Market
from dydx_console.sim.core.orders import SubaccountId, TimeInForce, Transfer

CAROL = SubaccountId(address_of("carol"), 0)
CAROL_CHILD = SubaccountId(CAROL.owner, 128)


def in_trouble(options: ChainOptions | None = None, side: Any = BUY) -> Desk:
    """Carol has 1,000 USDC and holds 0.4 BTC that she traded with Bob at 64,000."""
    desk = Desk() if options is None else Desk(options)
    desk.send(Transfer(address_of("bank"), CAROL, 1_000 * USDC))
    desk.block()
    desk.place(BOB, side.opposite, 4_000, 64_000)
    desk.place(CAROL, side, 4_000, 64_000, tif=TimeInForce.IOC)
    desk.block()
    return desk


def in_isolated_trouble(options: ChainOptions | None = None) -> Desk:
    """Carol's child has 1,000 USDC and holds 5,000 EIGEN at 3.2 against a child of Bob's."""
    desk = Desk() if options is None else Desk(options)
    bob = SubaccountId(BOB.owner, 128)
    for who, usdc in ((CAROL_CHILD, 1_000), (bob, 100_000)):
        desk.send(Transfer(address_of("bank"), who, usdc * USDC))
    desk.block()
    desk.place(bob, SELL, 5_000, 3_200, market=desk.isolated)
    desk.place(CAROL_CHILD, BUY, 5_000, 3_200, market=desk.isolated, tif=TimeInForce.IOC)
    desk.block()
    return desk


def shock(desk: Desk, price: str, market: Market | None = None) -> None:
    """The oracle jumps: one block brings the price, the next one what followed."""
    market = market or desk.btc
    desk.exchange.set_oracle(market.market_id, int(Decimal(price).scaleb(-market.oracle_exponent)))
    desk.block(2)


def fills(desk: Desk, who: SubaccountId) -> list[dict[str, Any]]:
    """Forced fills by REST, oldest first."""
    query = {"address": who.owner, "subaccountNumber": str(who.number), "page": "1"}
    rows: list[dict[str, Any]] = desk.get("/v4/fills", **query, excludeTypes="LIMIT")["fills"]
    return rows


def told(watcher: Watcher) -> list[dict[str, Any]]:
    """Fills of the stream's new updates."""
    return [fill for contents in watcher.contents() for fill in contents.get("fills", ())]


def usdc(desk: Desk, who: SubaccountId) -> Decimal:
    """A subaccount's USDC in the node's memory."""
    account = desk.exchange.state.accounts.get(who)
    assert account is not None
    return Decimal(account.usdc_quantums) / USDC


def assert_sound(desk: Desk) -> None:
    """Not a quantum is lost, and nobody is below zero."""
    accounts, insured = desk.exchange.state.accounts, desk.exchange.state.insurance.total
    held = sum(account.usdc_quantums for account in accounts.all())
    assert held + accounts.collected_fees + accounts.funding_pool + insured == accounts.net_deposits
    assert [account for account in accounts.all() if accounts.equity(account) < 0] == []


__all__ = [
    "ALICE",
    "BOB",
    "CAROL",
    "CAROL_CHILD",
    "assert_sound",
    "fills",
    "in_isolated_trouble",
    "in_trouble",
    "shock",
    "told",
    "usdc",
]
