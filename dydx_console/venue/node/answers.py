"""The bytes of a node's answers turned into domain values, and the chain's own encodings read.

Every function raises `UnreadableAnswerError` where something is missing, out of range, or not about what was asked.
Nothing is filled in: an amount that a node left out is not a zero.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet
from v4_proto.cosmos.auth.v1beta1 import auth_pb2
from v4_proto.cosmos.auth.v1beta1 import query_pb2 as auth_query
from v4_proto.cosmos.base.tendermint.v1beta1 import query_pb2 as chain_query
from v4_proto.dydxprotocol.accountplus import query_pb2 as accountplus_query
from v4_proto.dydxprotocol.clob import block_rate_limit_config_pb2 as rate_limits
from v4_proto.dydxprotocol.clob import query_pb2 as clob_query
from v4_proto.dydxprotocol.feetiers import query_pb2 as feetiers_query
from v4_proto.dydxprotocol.perpetuals import query_pb2 as perpetuals_query
from v4_proto.dydxprotocol.prices import query_pb2 as prices_query
from v4_proto.dydxprotocol.subaccounts import query_pb2 as subaccounts_query

from dydx_console.domain.chain import (
    Authenticator,
    BlockHead,
    BlockRateLimit,
    BlockRateLimits,
    ChosenLeverage,
    EquityTier,
    EquityTierLimits,
    FeeTier,
    NodeAccount,
    NodeAsset,
    NodeInfo,
    NodePosition,
    NodeSubaccount,
    OraclePrice,
)
from dydx_console.domain.nodeaccount import Perpetual
from dydx_console.domain.text import clean
from dydx_console.venue.node.leverage import QueryLeverageResponse

__all__ = [
    "UnreadableAnswerError",
    "UnusableAccountError",
    "account_of",
    "authenticators_of",
    "block_at",
    "block_of",
    "block_rate_limits_of",
    "equity_tier_limits_of",
    "fee_tier_of",
    "info_of",
    "leverages_of",
    "oracle_page_of",
    "perpetual_page_of",
    "signed_int",
    "subaccount_of",
    "syncing_of",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_INT = 64
"""Bytes of magnitude that are read; the chain sets no limit, and no amount comes near this."""
_WIDEST_EXPONENT = 64
_USDC_DECIMALS = 6
_PPM = 1_000_000
_LEVERAGE_UPDATES_FIELD = 5
"""`max_leverage_updates_per_n_blocks`, which v4-proto 8 does not name."""
_BASE_ACCOUNT = "cosmos.auth.v1beta1.BaseAccount"
_MODULE_ACCOUNT = "cosmos.auth.v1beta1.ModuleAccount"
_VESTING = "cosmos.vesting."


class UnreadableAnswerError(ValueError):
    """An answer that cannot be used; the message is one line of plain text."""


class UnusableAccountError(UnreadableAnswerError):
    """An account of a kind that cannot trade here. Every node says the same of it."""


def signed_int(data: bytes) -> int:
    """Return the integer of the chain's `SerializableInt`.

    One byte tells version and sign (2 for not negative, 3 for negative), the rest is the magnitude, big endian
    (dydxprotocol/v4-chain protocol/dtypes/serializable_int.go, which is Go's math/big GobEncode). A zero is the first
    byte alone; no byte at all is a missing value.
    """
    if not data:
        raise UnreadableAnswerError("an amount is missing")
    if data[0] not in (2, 3) or len(data) > 1 + _LONGEST_INT:
        raise UnreadableAnswerError("an amount is in no encoding that is known")
    magnitude = int.from_bytes(data[1:], "big")
    return -magnitude if data[0] == 3 else magnitude


def info_of(data: bytes, endpoint: str) -> NodeInfo:
    """Return what a node says it is. The version is empty where the node was built without one."""
    answer = _parsed(chain_query.GetNodeInfoResponse, data)
    _needed(answer, "default_node_info")
    chain_id = _exact(answer.default_node_info.network, "chain id")
    return NodeInfo(endpoint, chain_id, clean(answer.application_version.version, 100))


def syncing_of(data: bytes, _endpoint: str) -> bool:
    """Return whether the node is still catching up."""
    return bool(_parsed(chain_query.GetSyncingResponse, data).syncing)


def block_of(data: bytes, endpoint: str) -> BlockHead:
    """Return the head of a block, from either of the two forms in which nodes give it."""
    # both block answers have the same fields under the same numbers
    answer = _parsed(chain_query.GetLatestBlockResponse, data)
    block = answer.sdk_block if answer.HasField("sdk_block") else answer.block
    _needed(block, "header")
    header = block.header
    _needed(header, "time")
    if header.height < 1:
        raise UnreadableAnswerError("a block without its height")
    return BlockHead(header.height, _time(header.time), endpoint, _exact(header.chain_id, "chain id"))


def block_at(height: int) -> Callable[[bytes, str], BlockHead]:
    """Return the reader of an answer that must be about the block at `height`."""

    def read(data: bytes, endpoint: str) -> BlockHead:
        head = block_of(data, endpoint)
        if head.height != height:
            raise UnreadableAnswerError(f"asked for block {height}, told of block {head.height}")
        return head

    return read


def account_of(address: str) -> Callable[[bytes, str], NodeAccount]:
    """Return the reader of an answer that must be about the account of `address`."""

    def read(data: bytes, _endpoint: str) -> NodeAccount:
        answer = _parsed(auth_query.QueryAccountResponse, data)
        _needed(answer, "account")
        kind = answer.account.type_url.rpartition("/")[2]
        if kind != _BASE_ACCOUNT:
            raise UnusableAccountError(_kind_in_words(kind))
        account = _parsed(auth_pb2.BaseAccount, answer.account.value)
        _same(account.address, address)
        return NodeAccount(address, account.account_number, account.sequence)

    return read


def subaccount_of(address: str, number: int) -> Callable[[bytes, str], NodeSubaccount]:
    """Return the reader of an answer that must be about a subaccount of `address`."""

    def read(data: bytes, _endpoint: str) -> NodeSubaccount:
        answer = _parsed(subaccounts_query.QuerySubaccountResponse, data)
        _needed(answer, "subaccount")
        subaccount = answer.subaccount
        _needed(subaccount, "id")
        _same(subaccount.id.owner, address)
        if subaccount.id.number != number:
            raise UnreadableAnswerError(f"asked for subaccount {number}, told of {subaccount.id.number}")
        return NodeSubaccount(
            address,
            number,
            tuple(NodeAsset(row.asset_id, signed_int(row.quantums)) for row in subaccount.asset_positions),
            tuple(map(_position, subaccount.perpetual_positions)),
        )

    return read


def oracle_page_of(data: bytes) -> tuple[tuple[OraclePrice, ...], bytes]:
    """Return a page of oracle prices, and the key of the next page (empty on the last one).

    A market that has no price yet is left out: on the chain its price is 0, which is no price.
    """
    answer = _parsed(prices_query.QueryAllMarketPricesResponse, data)
    prices = tuple(_oracle_price(row) for row in answer.market_prices if row.price > 0)
    return prices, bytes(answer.pagination.next_key)


def perpetual_page_of(data: bytes) -> tuple[tuple[Perpetual, ...], bytes]:
    """Return a page of perpetuals, and the key of the next page (empty on the last one)."""
    answer = _parsed(perpetuals_query.QueryAllPerpetualsResponse, data)
    return tuple(map(_perpetual, answer.perpetual)), bytes(answer.pagination.next_key)


def block_rate_limits_of(data: bytes, _endpoint: str) -> BlockRateLimits:
    """Return how many orders the node takes by block."""
    answer = _parsed(clob_query.QueryBlockRateLimitConfigurationResponse, data)
    _needed(answer, "block_rate_limit_config")
    config = answer.block_rate_limit_config
    return BlockRateLimits(
        _rate_limits(config.max_short_term_orders_and_cancels_per_n_blocks),
        _rate_limits(config.max_stateful_orders_per_n_blocks),
        _rate_limits(_leverage_updates(config)),
    )


def equity_tier_limits_of(data: bytes, _endpoint: str) -> EquityTierLimits:
    """Return how many open orders are allowed by equity."""
    answer = _parsed(clob_query.QueryEquityTierLimitConfigurationResponse, data)
    _needed(answer, "equity_tier_limit_config")
    config = answer.equity_tier_limit_config
    return EquityTierLimits(
        tuple(map(_equity_tier, config.short_term_order_equity_tiers)),
        tuple(map(_equity_tier, config.stateful_order_equity_tiers)),
    )


def fee_tier_of(data: bytes, _endpoint: str) -> FeeTier:
    """Return an address's trading fees."""
    answer = _parsed(feetiers_query.QueryUserFeeTierResponse, data)
    _needed(answer, "tier")
    tier = answer.tier
    return FeeTier(answer.index, clean(tier.name, 60), tier.maker_fee_ppm, tier.taker_fee_ppm)


def leverages_of(data: bytes, _endpoint: str) -> tuple[ChosenLeverage, ...]:
    """Return the leverages that an owner chose for a subaccount; a market without one is left out."""
    answer = _parsed(QueryLeverageResponse, data)
    if any(row.custom_imf_ppm > _PPM for row in answer.clob_pair_leverage):
        raise UnreadableAnswerError("a leverage below 1")
    told = {row.clob_pair_id: row.custom_imf_ppm for row in answer.clob_pair_leverage if row.custom_imf_ppm}
    return tuple(ChosenLeverage(pair, ppm) for pair, ppm in sorted(told.items()))


def authenticators_of(data: bytes, _endpoint: str) -> tuple[Authenticator, ...]:
    """Return the permissions that an account gave to other keys."""
    answer = _parsed(accountplus_query.GetAuthenticatorsResponse, data)
    return tuple(
        Authenticator(row.id, _exact(row.type, "kind of an authenticator"), bytes(row.config))
        for row in answer.account_authenticators
    )


def _parsed(kind: Any, data: bytes) -> Any:
    try:
        return kind.FromString(data)
    except DecodeError:
        raise UnreadableAnswerError("the answer is no message of the expected kind") from None


def _needed(message: Any, field: str) -> None:
    if not message.HasField(field):
        raise UnreadableAnswerError(f"the answer lacks {field}")


def _exact(text: str, what: str) -> str:
    """Return a text that decides something. Cleaning it could make a look-alike equal to the real one."""
    if not text or clean(text, 60) != text:
        raise UnreadableAnswerError(f"the answer has no readable {what}")
    return text


def _same(told: str, asked: str) -> None:
    if told != asked:
        raise UnreadableAnswerError(f"asked about {clean(asked, 60)}, told about {clean(told, 60) or 'nobody'}")


def _time(stamp: Any) -> datetime:
    if not 0 <= stamp.nanos < 1_000_000_000:
        raise UnreadableAnswerError("a block time out of range")
    try:
        return _EPOCH + timedelta(seconds=stamp.seconds, microseconds=stamp.nanos // 1000)
    except OverflowError:
        raise UnreadableAnswerError("a block time out of range") from None


def _kind_in_words(kind: str) -> str:
    if kind == _MODULE_ACCOUNT:
        return "the address belongs to a module of the chain, which cannot trade"
    if kind.startswith(_VESTING):
        return "the address is a vesting account, which is not supported"
    return f"the account is of a kind that is not supported: {clean(kind, 60) or 'none'}"


def _position(row: Any) -> NodePosition:
    return NodePosition(
        row.perpetual_id, signed_int(row.quantums), signed_int(row.funding_index), signed_int(row.quote_balance)
    )


def _oracle_price(row: Any) -> OraclePrice:
    if abs(row.exponent) > _WIDEST_EXPONENT:
        raise UnreadableAnswerError("an oracle price out of range")
    return OraclePrice(row.id, row.price, row.exponent)


def _perpetual(row: Any) -> Perpetual:
    _needed(row, "params")
    params = row.params
    if abs(params.atomic_resolution) > _WIDEST_EXPONENT:
        raise UnreadableAnswerError("an atomic resolution out of range")
    ticker = _exact(params.ticker, "ticker of a perpetual")
    return Perpetual(params.id, ticker, params.market_id, params.atomic_resolution, signed_int(row.funding_index))


def _rate_limits(rows: Sequence[Any]) -> tuple[BlockRateLimit, ...]:
    if any(row.num_blocks == 0 for row in rows):
        raise UnreadableAnswerError("a rate limit over no blocks")
    return tuple(BlockRateLimit(row.num_blocks, row.limit) for row in rows)


def _leverage_updates(config: Any) -> Sequence[Any]:
    """Return the limits on leverage updates, by name or, where the generated code is older, by field number."""
    named: Sequence[Any] | None = getattr(config, "max_leverage_updates_per_n_blocks", None)
    if named is not None:
        return named
    return [
        _parsed(rate_limits.MaxPerNBlocksRateLimit, field.data)
        for field in UnknownFieldSet(config)
        if field.field_number == _LEVERAGE_UPDATES_FIELD and isinstance(field.data, bytes)
    ]


def _equity_tier(row: Any) -> EquityTier:
    return EquityTier(Decimal(signed_int(row.usd_tnc_required)).scaleb(-_USDC_DECIMALS), row.limit)
