"""Markets, prices, limits and fees as of the last block.

Sources: dydxprotocol/v4-chain protocol/x/{clob,prices,perpetuals,feetiers}/keeper/grpc_query*.go.
"""

from __future__ import annotations

from v4_proto.cosmos.base.query.v1beta1.pagination_pb2 import PageResponse
from v4_proto.dydxprotocol.clob.block_rate_limit_config_pb2 import BlockRateLimitConfiguration, MaxPerNBlocksRateLimit
from v4_proto.dydxprotocol.clob.clob_pair_pb2 import ClobPair, PerpetualClobMetadata
from v4_proto.dydxprotocol.clob.equity_tier_limit_config_pb2 import EquityTierLimit, EquityTierLimitConfiguration
from v4_proto.dydxprotocol.clob.query_pb2 import (
    QueryAllClobPairRequest,
    QueryBlockRateLimitConfigurationRequest,
    QueryBlockRateLimitConfigurationResponse,
    QueryClobPairAllResponse,
    QueryClobPairResponse,
    QueryEquityTierLimitConfigurationRequest,
    QueryEquityTierLimitConfigurationResponse,
    QueryGetClobPairRequest,
)
from v4_proto.dydxprotocol.feetiers.params_pb2 import PerpetualFeeParams, PerpetualFeeTier
from v4_proto.dydxprotocol.feetiers.query_pb2 import (
    QueryPerpetualFeeParamsRequest,
    QueryPerpetualFeeParamsResponse,
    QueryUserFeeTierRequest,
    QueryUserFeeTierResponse,
)
from v4_proto.dydxprotocol.perpetuals.perpetual_pb2 import (
    PERPETUAL_MARKET_TYPE_CROSS,
    PERPETUAL_MARKET_TYPE_ISOLATED,
    Perpetual,
    PerpetualParams,
)
from v4_proto.dydxprotocol.perpetuals.query_pb2 import (
    QueryAllPerpetualsRequest,
    QueryAllPerpetualsResponse,
    QueryPerpetualRequest,
    QueryPerpetualResponse,
)
from v4_proto.dydxprotocol.prices.market_price_pb2 import MarketPrice
from v4_proto.dydxprotocol.prices.query_pb2 import (
    QueryAllMarketPricesRequest,
    QueryAllMarketPricesResponse,
    QueryMarketPriceRequest,
    QueryMarketPriceResponse,
)

from dydx_console.sim.core.addresses import is_address
from dydx_console.sim.core.fees import TIERS, FeeTier
from dydx_console.sim.core.limits import (
    SHORT_TERM_EQUITY_TIERS,
    SHORT_TERM_PER_BLOCK,
    STATEFUL_EQUITY_TIERS,
    STATEFUL_LIMITS,
)
from dydx_console.sim.core.markets import Market
from dydx_console.sim.core.state import MarketStatus
from dydx_console.sim.node.encoding import serializable_int
from dydx_console.sim.node.refusals import Code, QueryRefusedError
from dydx_console.sim.venue import Venue


def market_price(venue: Venue, request: QueryMarketPriceRequest) -> QueryMarketPriceResponse:
    """One oracle price."""
    for market in venue.exchange.options.markets:
        if market.market_id == request.id:
            return QueryMarketPriceResponse(market_price=_price(venue, market))
    raise QueryRefusedError(Code.NOT_FOUND, "not found")


def all_market_prices(venue: Venue, _request: QueryAllMarketPricesRequest) -> QueryAllMarketPricesResponse:
    """Every oracle price."""
    prices = [_price(venue, market) for market in venue.exchange.options.markets]
    return QueryAllMarketPricesResponse(market_prices=prices, pagination=PageResponse(total=len(prices)))


def clob_pair(venue: Venue, request: QueryGetClobPairRequest) -> QueryClobPairResponse:
    """One order book's parameters."""
    for market in venue.exchange.options.markets:
        if market.clob_pair_id == request.id:
            return QueryClobPairResponse(clob_pair=_clob_pair(venue, market))
    raise QueryRefusedError(Code.NOT_FOUND, "not found")


def clob_pair_all(venue: Venue, _request: QueryAllClobPairRequest) -> QueryClobPairAllResponse:
    """Every order book's parameters."""
    pairs = [_clob_pair(venue, market) for market in venue.exchange.options.markets]
    return QueryClobPairAllResponse(clob_pair=pairs, pagination=PageResponse(total=len(pairs)))


def perpetual(venue: Venue, request: QueryPerpetualRequest) -> QueryPerpetualResponse:
    """One perpetual."""
    for market in venue.exchange.options.markets:
        if market.perpetual_id == request.id:
            return QueryPerpetualResponse(perpetual=_perpetual(venue, market))
    raise QueryRefusedError(Code.NOT_FOUND, f"Perpetual id {request.id} not found.")


def all_perpetuals(venue: Venue, _request: QueryAllPerpetualsRequest) -> QueryAllPerpetualsResponse:
    """Every perpetual."""
    found = [_perpetual(venue, market) for market in venue.exchange.options.markets]
    return QueryAllPerpetualsResponse(perpetual=found, pagination=PageResponse(total=len(found)))


def block_rate_limits(
    _venue: Venue, _request: QueryBlockRateLimitConfigurationRequest
) -> QueryBlockRateLimitConfigurationResponse:
    """The limits that CheckTx holds everybody to but the actors."""
    config = BlockRateLimitConfiguration(
        max_short_term_orders_and_cancels_per_n_blocks=[_limit(1, SHORT_TERM_PER_BLOCK)],
        max_stateful_orders_per_n_blocks=[_limit(blocks, limit) for blocks, limit in STATEFUL_LIMITS],
    )
    return QueryBlockRateLimitConfigurationResponse(block_rate_limit_config=config)


def equity_tier_limits(
    _venue: Venue, _request: QueryEquityTierLimitConfigurationRequest
) -> QueryEquityTierLimitConfigurationResponse:
    """How many open orders a subaccount may have by its equity in micro-USDC."""
    config = EquityTierLimitConfiguration(
        short_term_order_equity_tiers=[_tier(*tier) for tier in SHORT_TERM_EQUITY_TIERS],
        stateful_order_equity_tiers=[_tier(*tier) for tier in STATEFUL_EQUITY_TIERS],
    )
    return QueryEquityTierLimitConfigurationResponse(equity_tier_limit_config=config)


def fee_params(_venue: Venue, _request: QueryPerpetualFeeParamsRequest) -> QueryPerpetualFeeParamsResponse:
    """All fee tiers."""
    return QueryPerpetualFeeParamsResponse(params=PerpetualFeeParams(tiers=[_fee_tier(tier) for tier in TIERS]))


def user_fee_tier(venue: Venue, request: QueryUserFeeTierRequest) -> QueryUserFeeTierResponse:
    """The tier that an address pays by, whether it was ever seen or not. The index counts from 0."""
    if not is_address(request.user):
        raise QueryRefusedError(Code.INVALID_ARGUMENT, "invalid bech32 address")
    tier = venue.exchange.state.fees.tier(request.user)
    return QueryUserFeeTierResponse(index=TIERS.index(tier), tier=_fee_tier(tier))


def _price(venue: Venue, market: Market) -> MarketPrice:
    return MarketPrice(
        id=market.market_id, exponent=market.oracle_exponent, price=venue.exchange.oracle_value(market)
    )  # fmt: skip


def _clob_pair(venue: Venue, market: Market) -> ClobPair:
    status = venue.exchange.state.statuses.get(market.clob_pair_id, MarketStatus.ACTIVE)
    return ClobPair(
        id=market.clob_pair_id,
        perpetual_clob_metadata=PerpetualClobMetadata(perpetual_id=market.perpetual_id),
        step_base_quantums=market.step_base_quantums,
        subticks_per_tick=market.subticks_per_tick,
        quantum_conversion_exponent=market.quantum_conversion_exponent,
        status=ClobPair.Status.Value(f"STATUS_{status}"),
    )


def _perpetual(venue: Venue, market: Market) -> Perpetual:
    perpetual_id = market.perpetual_id
    return Perpetual(
        params=PerpetualParams(
            id=perpetual_id,
            ticker=market.ticker,
            market_id=market.market_id,
            atomic_resolution=market.atomic_resolution,
            market_type=PERPETUAL_MARKET_TYPE_ISOLATED if market.isolated else PERPETUAL_MARKET_TYPE_CROSS,
        ),
        funding_index=serializable_int(venue.exchange.state.accounts.funding_indices[perpetual_id]),
        open_interest=serializable_int(venue.exchange.committed.open_interest(perpetual_id)),
    )


def _limit(blocks: int, limit: int) -> MaxPerNBlocksRateLimit:
    return MaxPerNBlocksRateLimit(num_blocks=blocks, limit=limit)


def _tier(required: int, limit: int) -> EquityTierLimit:
    return EquityTierLimit(usd_tnc_required=serializable_int(required), limit=limit)


def _fee_tier(tier: FeeTier) -> PerpetualFeeTier:
    return PerpetualFeeTier(
        name=tier.name,
        absolute_volume_requirement=tier.volume,
        total_volume_share_requirement_ppm=tier.total_share_ppm,
        maker_volume_share_requirement_ppm=tier.maker_share_ppm,
        maker_fee_ppm=tier.maker_ppm,
        taker_fee_ppm=tier.taker_ppm,
    )
