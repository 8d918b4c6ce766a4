"""Every method of the official IndexerClient that has a meaning here; prints {method: "ok" or what went wrong}."""

import asyncio
import json
import sys
from typing import Any

import httpx
from dydx_v4_client.indexer.rest.constants import TradingRewardAggregationPeriod
from dydx_v4_client.indexer.rest.indexer_client import IndexerClient

LINE = json.loads(sys.argv[1])
ME = LINE["account"]


def calls(client: IndexerClient, order_id: str) -> dict[str, tuple[Any, str]]:
    """(awaitable, key that a good answer has; "" for a list)."""
    account, markets, status = client.account, client.markets, client.utility
    ticker = "BTC-USD"
    return {
        "get_subaccounts": (account.get_subaccounts(ME), "subaccounts"),
        "get_subaccount": (account.get_subaccount(ME, 0), "subaccount"),
        "get_parent_subaccount": (account.get_parent_subaccount(ME, 0), "subaccount"),
        "get_positions": (account.get_subaccount_perpetual_positions(ME, 0), "positions"),
        "get_parent_positions": (account.get_parent_subaccount_positions(ME, 0), "positions"),
        "get_assets": (account.get_subaccount_asset_positions(ME, 0), "positions"),
        "get_parent_assets": (account.get_parent_subaccount_asset_positions(ME, 0), "positions"),
        "get_transfers": (account.get_subaccount_transfers(ME, 0), "transfers"),
        "get_orders": (account.get_subaccount_orders(ME, 0), ""),
        "get_orders_of_ticker": (account.get_subaccount_orders(ME, 0, ticker=ticker), ""),
        "list_parent_orders": (account.list_parent_orders(ME, 0), ""),
        "get_order": (account.get_order(order_id), "clientId"),
        "get_fills": (account.get_subaccount_fills(ME, 0), "fills"),
        "get_fills_of_ticker": (account.get_subaccount_fills(ME, 0, ticker=ticker), "fills"),
        "get_parent_fills": (account.get_parent_fills(ME, 0), "fills"),
        "get_pnls": (account.get_subaccount_historical_pnls(ME, 0), "historicalPnl"),
        "get_parent_pnls": (account.get_parent_historical_pnls(ME, 0), "historicalPnl"),
        "get_block_rewards": (account.get_historical_block_trading_rewards(ME), "rewards"),
        "get_rewards": (
            account.get_historical_trading_rewards_aggregated(ME, TradingRewardAggregationPeriod.DAILY),
            "rewards",
        ),
        "get_transfer_between": (account.get_transfer_between(ME, 0, ME, 128), "transfersSubset"),
        "get_parent_transfers": (account.get_parent_transfers(ME, 0), "transfers"),
        "search_traders": (account.search_traders(ME), "result"),
        "get_funding_payments": (account.get_funding_payments(ME, 0), "fundingPayments"),
        "get_parent_funding_payments": (account.get_funding_payments_for_parent_subaccount(ME, 0), "fundingPayments"),
        "get_markets": (markets.get_perpetual_markets(), "markets"),
        "get_market": (markets.get_perpetual_markets(ticker), "markets"),
        "get_orderbook": (markets.get_perpetual_market_orderbook(ticker), "bids"),
        "get_trades": (markets.get_perpetual_market_trades(ticker), "trades"),
        "get_candles": (markets.get_perpetual_market_candles(ticker, "1MIN"), "candles"),
        "get_funding": (markets.get_perpetual_market_historical_funding(ticker), "historicalFunding"),
        "get_sparklines": (markets.get_perpetual_market_sparklines(), ticker),
        "get_time": (status.get_time(), "epoch"),
        "get_height": (status.get_height(), "height"),
        "screen": (status.screen(ME), "restricted"),
        "compliance_screen": (status.compliance_screen(ME), "status"),
        "megavault_pnl": (client.megavault.get_megavault_historical_pnl("day"), "megavaultPnl"),
        "vaults_pnl": (client.megavault.get_vaults_historical_pnl("day"), "vaultsPnl"),
        "megavault_positions": (client.megavault.get_megavault_positions(), "positions"),
        "affiliate_metadata": (client.affiliate.get_metadata(ME), "isAffiliate"),
        "affiliate_snapshot": (client.affiliate.get_snapshot(), "affiliateList"),
        "affiliate_volume": (client.affiliate.get_total_volume(ME), "totalVolume"),
    }


MAY_BE_EMPTY = ("megavault_pnl", "vaults_pnl", "megavault_positions", "affiliate_snapshot")


async def outcome(name: str, call: Any, key: str) -> str:
    try:
        answer = await call
    except (httpx.HTTPError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    body = answer if key == "" else answer.get(key)
    if body is None or (isinstance(body, list) and not body and name not in MAY_BE_EMPTY):
        return f"nothing under {key!r}"
    return "ok"


async def main() -> None:
    client = IndexerClient(LINE["rest"], api_timeout=10)
    orders = await client.account.get_subaccount_orders(ME, 0)
    found = {name: await outcome(name, *call) for name, call in calls(client, orders[0]["id"]).items()}
    print(json.dumps(found))


asyncio.run(main())
