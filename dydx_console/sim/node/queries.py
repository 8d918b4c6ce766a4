"""Everything that the node answers, by service and method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from v4_proto.cosmos.auth.v1beta1 import query_pb2 as auth
from v4_proto.cosmos.bank.v1beta1 import query_pb2 as bank
from v4_proto.cosmos.base.tendermint.v1beta1 import query_pb2 as tendermint
from v4_proto.cosmos.tx.v1beta1 import service_pb2 as tx
from v4_proto.dydxprotocol.accountplus import query_pb2 as accountplus
from v4_proto.dydxprotocol.clob import query_pb2 as clob
from v4_proto.dydxprotocol.feetiers import query_pb2 as feetiers
from v4_proto.dydxprotocol.perpetuals import query_pb2 as perpetuals
from v4_proto.dydxprotocol.prices import query_pb2 as prices
from v4_proto.dydxprotocol.subaccounts import query_pb2 as subaccounts

from dydx_console.sim.node import account_answers, block_answers, market_answers, order_answers, tx_answers
from dydx_console.sim.node.leverage import LeverageRequest, leverage
from dydx_console.sim.node.refusals import Code, QueryRefusedError
from dydx_console.sim.venue import Venue

Query = Callable[[Venue, Any], Any]
"""From a request message to an answer message, or QueryRefusedError."""
Method = tuple[Any, Query]
"""The request's message type, and what answers it."""

SERVICES: Mapping[str, Mapping[str, Method]] = {
    "cosmos.base.tendermint.v1beta1.Service": {
        "GetNodeInfo": (tendermint.GetNodeInfoRequest, block_answers.node_info),
        "GetSyncing": (tendermint.GetSyncingRequest, block_answers.syncing),
        "GetLatestBlock": (tendermint.GetLatestBlockRequest, block_answers.latest_block),
        "GetBlockByHeight": (tendermint.GetBlockByHeightRequest, block_answers.block_by_height),
    },
    "cosmos.tx.v1beta1.Service": {
        "BroadcastTx": (tx.BroadcastTxRequest, tx_answers.broadcast),
        "Simulate": (tx.SimulateRequest, tx_answers.simulate),
        "GetTx": (tx.GetTxRequest, tx_answers.get_tx),
    },
    "cosmos.auth.v1beta1.Query": {"Account": (auth.QueryAccountRequest, account_answers.account)},
    "cosmos.bank.v1beta1.Query": {
        "Balance": (bank.QueryBalanceRequest, account_answers.balance),
        "AllBalances": (bank.QueryAllBalancesRequest, account_answers.all_balances),
    },
    "dydxprotocol.subaccounts.Query": {
        "Subaccount": (subaccounts.QueryGetSubaccountRequest, account_answers.subaccount),
        "SubaccountAll": (subaccounts.QueryAllSubaccountRequest, account_answers.subaccount_all),
    },
    "dydxprotocol.accountplus.Query": {
        "GetAuthenticators": (accountplus.GetAuthenticatorsRequest, account_answers.authenticators),
    },
    "dydxprotocol.prices.Query": {
        "MarketPrice": (prices.QueryMarketPriceRequest, market_answers.market_price),
        "AllMarketPrices": (prices.QueryAllMarketPricesRequest, market_answers.all_market_prices),
    },
    "dydxprotocol.clob.Query": {
        "ClobPair": (clob.QueryGetClobPairRequest, market_answers.clob_pair),
        "ClobPairAll": (clob.QueryAllClobPairRequest, market_answers.clob_pair_all),
        "BlockRateLimitConfiguration": (
            clob.QueryBlockRateLimitConfigurationRequest,
            market_answers.block_rate_limits,
        ),
        "EquityTierLimitConfiguration": (
            clob.QueryEquityTierLimitConfigurationRequest,
            market_answers.equity_tier_limits,
        ),
        "Leverage": (LeverageRequest, leverage),
        "StatefulOrder": (clob.QueryStatefulOrderRequest, order_answers.stateful_order),
    },
    "dydxprotocol.perpetuals.Query": {
        "Perpetual": (perpetuals.QueryPerpetualRequest, market_answers.perpetual),
        "AllPerpetuals": (perpetuals.QueryAllPerpetualsRequest, market_answers.all_perpetuals),
    },
    "dydxprotocol.feetiers.Query": {
        "PerpetualFeeParams": (feetiers.QueryPerpetualFeeParamsRequest, market_answers.fee_params),
        "UserFeeTier": (feetiers.QueryUserFeeTierRequest, market_answers.user_fee_tier),
    },
}


WRITES = frozenset({"BroadcastTx"})
"""Methods after which something has happened."""


def check_height(venue: Venue, asked: str) -> None:
    """Refuse a query at a height (header `x-cosmos-block-height`) other than the last: no older state is kept.

    Source: cosmos/cosmos-sdk baseapp/{grpcserver,abci}.go. 0 is the last height.
    """
    last = venue.exchange.height
    try:
        height = int(asked)
    except ValueError:
        text = f'Baseapp.RegisterGRPCServer: invalid height header "{asked}": invalid request'
        raise QueryRefusedError(Code.UNKNOWN, text) from None
    if height < 0:
        raise QueryRefusedError(
            Code.UNKNOWN, "cannot query with height < 0; please provide a valid height: invalid request"
        )
    if height > last:
        text = "cannot query with height in the future; please provide a valid height: invalid height"
        raise QueryRefusedError(Code.UNKNOWN, text)
    if height not in (0, last):
        text = f"failed to load state at height {height}; version does not exist (latest height: {last}): not found"
        raise QueryRefusedError(Code.UNKNOWN, text)
