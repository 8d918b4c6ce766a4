"""The reads of the official NodeClient; prints {method: "ok" or what went wrong}."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from dydx_v4_client.network import make_local
from dydx_v4_client.node.client import NodeClient

LINE = json.loads(sys.argv[1])
ME = LINE["account"]
BTC = 0


def calls(client: NodeClient, usdc: str) -> dict[str, tuple[Callable[[], Awaitable[Any]], Callable[[Any], Any]]]:
    """(call, what is true of a good answer)."""
    return {
        "get_node_info": (client.get_node_info, lambda a: a.default_node_info.network == LINE["chain_id"]),
        "latest_block": (client.latest_block, lambda a: a.block.header.chain_id == LINE["chain_id"]),
        "latest_block_height": (client.latest_block_height, lambda a: a >= 1_000_000),
        "get_account": (lambda: client.get_account(ME), lambda a: a.address == ME and a.account_number > 0),
        "query_address": (lambda: client.query_address(ME), lambda a: a[0] > 0 and a[1] == 0),
        "get_account_balances": (
            lambda: client.get_account_balances(ME),
            lambda a: a.balances[0].amount == "1000000000",
        ),
        "get_account_balance": (lambda: client.get_account_balance(ME, usdc), lambda a: a.balance.denom == usdc),
        "get_subaccount": (lambda: client.get_subaccount(ME, 0), lambda a: a.id.owner == ME and a.asset_positions),
        "get_subaccounts": (client.get_subaccounts, lambda a: a.pagination.total == len(a.subaccount) > 2),
        "get_clob_pair": (lambda: client.get_clob_pair(BTC), lambda a: a.step_base_quantums == 1_000_000),
        "get_clob_pairs": (client.get_clob_pairs, lambda a: len(a.clob_pair) == 4),
        "get_price": (lambda: client.get_price(BTC), lambda a: a.price > 0 > a.exponent),
        "get_prices": (client.get_prices, lambda a: len(a.market_prices) == 4),
        "get_perpetual": (lambda: client.get_perpetual(BTC), lambda a: a.perpetual.params.ticker == "BTC-USD"),
        "get_perpetuals": (client.get_perpetuals, lambda a: len(a.perpetual) == 4),
        "get_equity_tier_limit_config": (
            client.get_equity_tier_limit_config,
            lambda a: len(a.stateful_order_equity_tiers) == 6,
        ),
        "get_fee_tiers": (client.get_fee_tiers, lambda a: len(a.params.tiers) == 9),
        "get_user_fee_tier": (lambda: client.get_user_fee_tier(ME), lambda a: (a.index, a.tier.name) == (5, "6")),
        "get_authenticators": (lambda: client.get_authenticators(ME), lambda a: not a.account_authenticators),
    }


async def outcome(call: Callable[[], Awaitable[Any]], good: Callable[[Any], Any]) -> str:
    try:
        answer = await call()
    except grpc.RpcError as error:
        return str(error)
    return "ok" if good(answer) else f"unexpected: {answer}"


async def main() -> None:
    config = make_local(node_url=LINE["grpc"].removeprefix("http://")).node
    client = await NodeClient.connect(config)
    print(json.dumps({name: await outcome(*pair) for name, pair in calls(client, config.usdc_denom).items()}))


asyncio.run(main())
