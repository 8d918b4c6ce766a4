"""Wire rows turned into domain values: numbers exact, text cleaned, signs in the amounts.

Every function raises `NumberError` where a figure cannot be read.
"""

from decimal import Decimal
from functools import lru_cache

from dydx_console.domain.fill import Fill
from dydx_console.domain.flows import FundingPayment, Reward, Transfer
from dydx_console.domain.market import Market, MarketPatch, OraclePrice
from dydx_console.domain.numbers import NumberError, decimal_of, height_of, time_of
from dydx_console.domain.order import REASON_PREFIX, OrderPatch
from dydx_console.domain.position import Balance, ChildState, Position
from dydx_console.domain.tape import Candle, Level, Trade
from dydx_console.domain.text import clean
from dydx_console.venue.indexer import wire

__all__ = [
    "balance_of",
    "candle_of",
    "child_of",
    "children_of",
    "fill_of",
    "funding_of",
    "height_value",
    "levels_of",
    "market_of",
    "oracle_of",
    "order_of",
    "position_of",
    "reward_of",
    "trade_of",
    "transfer_of",
]


def _number(text: str | None) -> Decimal | None:
    return None if text is None else decimal_of(text)


@lru_cache(maxsize=4_096)
def _positive(text: str) -> Decimal:
    value = decimal_of(text)
    if value < 0:
        raise NumberError(f"negative size or price: {text[:40]!r}")
    return value


def _size(text: str | None) -> Decimal | None:
    return None if text is None else _positive(text)


def _text(text: str | None) -> str | None:
    # what nearly every text is comes back without a call: an account message has dozens of them
    if text is None or (len(text) <= 80 and text.isascii() and text.isprintable()):
        return text
    return clean(text)


def _subaccount(stated: int | None, fallback: int | None) -> int:
    """Return the number that a row states, or else the one of the message that it came in."""
    number = fallback if stated is None else stated
    if number is None or number < 0:
        raise NumberError("a row without its subaccount number")
    return number


def height_value(height: str | int | None) -> int | None:
    """Return a block height given as text or number."""
    if height is None:
        return None
    return height_of(height) if isinstance(height, str) else height_of(str(height))


def _height(height: str | int) -> int:
    return height_of(str(height))


def position_of(row: wire.PositionRow, subaccount: int, height: int | None) -> Position:
    """Return a position. The sign comes from the side; an entry price before the first fill is unknown."""
    magnitude = decimal_of(row.size).copy_abs()
    sum_open = _number(row.sum_open)
    entry = _number(row.entry_price)
    return Position(
        subaccount=_subaccount(row.subaccount_number, subaccount),
        market=clean(row.market),
        net_size=magnitude.copy_negate() if row.side == "SHORT" and magnitude else magnitude,
        status=clean(row.status),
        height=height,
        position_id=_text(row.position_id),
        max_size=_number(row.max_size),
        entry_price=None if entry == 0 and not sum_open else entry,
        exit_price=_number(row.exit_price),
        sum_open=sum_open,
        sum_close=_number(row.sum_close),
        net_funding=_number(row.net_funding),
        venue_realized_pnl=_number(row.realized_pnl),
        opened_at=None if row.created_at is None else time_of(row.created_at),
        opened_at_height=height_value(row.created_at_height),
    )


def balance_of(row: wire.AssetRow, subaccount: int, height: int | None) -> Balance:
    """Return a balance: a SHORT side is a debt."""
    magnitude = _positive(row.size)
    return Balance(
        subaccount=_subaccount(row.subaccount_number, subaccount),
        asset=clean(row.symbol),
        amount=magnitude.copy_negate() if row.side == "SHORT" and magnitude else magnitude,
        height=height,
    )


def child_of(row: wire.SubaccountRow, subaccount: int | None = None) -> ChildState:
    """Return one whole subaccount."""
    number = _subaccount(row.subaccount_number, subaccount)
    height = height_value(row.updated_at_height)
    return ChildState(
        subaccount=number,
        positions=tuple(position_of(position, number, height) for position in row.open_perpetual_positions.values()),
        balances=tuple(balance_of(asset, number, height) for asset in row.asset_positions.values()),
        height=height,
        read_at_height=height_value(row.latest_processed_block_height),
    )


def children_of(row: wire.SubaccountRow) -> tuple[ChildState, ...]:
    """Return the children of a parent, or the subaccount itself where it stands alone."""
    if row.child_subaccounts is None:
        return (child_of(row),)
    return tuple(child_of(child) for child in row.child_subaccounts)


def order_of(row: wire.OrderRow, subaccount: int | None) -> OrderPatch:
    """Return an order row as a patch."""
    reason = _text(row.removal_reason)
    is_placed = row.subaccount_number is not None or subaccount is not None
    return OrderPatch(
        id=clean(row.id),
        subaccount=_subaccount(row.subaccount_number, subaccount) if is_placed else None,
        client_id=_text(row.client_id),
        clob_pair_id=_text(row.clob_pair_id),
        market=_text(row.ticker),
        side=_text(row.side),
        type=_text(row.type),
        time_in_force=_text(row.time_in_force),
        post_only=row.post_only,
        reduce_only=row.reduce_only,
        flags=_text(row.order_flags),
        price=_size(row.price),
        trigger_price=_size(row.trigger_price),
        size=_size(row.size),
        total_filled=_size(row.total_filled),
        status=_text(row.status),
        removal_reason=None if reason is None else reason.removeprefix(REASON_PREFIX),
        good_til_block=height_value(row.good_til_block),
        good_til_time=None if row.good_til_block_time is None else time_of(row.good_til_block_time),
        client_metadata=_text(row.client_metadata),
        created_at=None if row.created_at is None else time_of(row.created_at),
        created_at_height=height_value(row.created_at_height),
        updated_at=None if row.updated_at is None else time_of(row.updated_at),
        updated_at_height=height_value(row.updated_at_height),
    )


def fill_of(row: wire.FillRow, subaccount: int | None) -> Fill:
    """Return a fill. Raises NumberError too where neither the row nor the channel names market or subaccount."""
    market = row.ticker or row.market
    if market is None:
        raise NumberError("a fill without its market")
    return Fill(
        id=clean(row.id),
        subaccount=_subaccount(row.subaccount_number, subaccount),
        market=clean(market),
        side=clean(row.side),
        liquidity=clean(row.liquidity),
        type=clean(row.type),
        price=_positive(row.price),
        size=_positive(row.size),
        fee=decimal_of(row.fee),
        height=_height(row.created_at_height),
        created_at=time_of(row.created_at),
        order_id=_text(row.order_id),
        builder_fee=_number(row.builder_fee),
        client_metadata=_text(row.client_metadata),
        event_id=_text(row.event_id),
        transaction_hash=_text(row.transaction_hash),
        position_size_before=_number(row.position_size_before),
        entry_price_before=_number(row.entry_price_before),
        position_side_before=_text(row.position_side_before),
    )


def _end_subaccount(end: wire.TransferEnd) -> int | None:
    return end.subaccount_number if end.subaccount_number is not None else end.parent_subaccount_number


def transfer_of(row: wire.TransferRow) -> Transfer:
    """Return a transfer."""
    return Transfer(
        id=_text(row.id),
        type=clean(row.type),
        size=_positive(row.size),
        asset=clean(row.symbol),
        sender=clean(row.sender.address),
        sender_subaccount=_end_subaccount(row.sender),
        recipient=clean(row.recipient.address),
        recipient_subaccount=_end_subaccount(row.recipient),
        created_at=time_of(row.created_at),
        height=_height(row.created_at_height),
        transaction_hash=_text(row.transaction_hash),
    )


def reward_of(row: wire.RewardRow) -> Reward:
    """Return a trading reward."""
    return Reward(decimal_of(row.trading_reward), time_of(row.created_at), _height(row.created_at_height))


def funding_of(row: wire.FundingRow) -> FundingPayment:
    """Return a funding payment."""
    return FundingPayment(
        subaccount=height_of(str(row.subaccount_number)),
        market=clean(row.ticker),
        payment=decimal_of(row.payment),
        rate=decimal_of(row.rate),
        net_size=decimal_of(row.size),
        oracle_price=_positive(row.oracle_price),
        created_at=time_of(row.created_at),
        height=_height(row.created_at_height),
    )


def market_of(ticker: str, row: wire.MarketRow) -> MarketPatch:
    """Return a market row, whole or partial."""
    return Market(
        ticker=clean(ticker),
        clob_pair_id=_text(row.clob_pair_id),
        status=_text(row.status),
        market_type=_text(row.market_type),
        oracle_price=_size(row.oracle_price),
        price_change_24h=_number(row.price_change24h),
        volume_24h=_number(row.volume24h),
        trades_24h=row.trades24h,
        next_funding_rate=_number(row.next_funding_rate),
        initial_margin_fraction=_number(row.initial_margin_fraction),
        maintenance_margin_fraction=_number(row.maintenance_margin_fraction),
        open_interest=_number(row.open_interest),
        open_interest_lower_cap=_number(row.open_interest_lower_cap),
        open_interest_upper_cap=_number(row.open_interest_upper_cap),
        base_open_interest=_number(row.base_open_interest),
        default_funding_rate_1h=_number(row.default_funding_rate1h),
        atomic_resolution=row.atomic_resolution,
        quantum_conversion_exponent=row.quantum_conversion_exponent,
        tick_size=_size(row.tick_size),
        step_size=_size(row.step_size),
        step_base_quantums=row.step_base_quantums,
        subticks_per_tick=row.subticks_per_tick,
    )


def oracle_of(pair: str, row: wire.OracleRow) -> OraclePrice:
    """Return an oracle price."""
    return OraclePrice(
        pair=clean(pair),
        price=_positive(row.oracle_price),
        at=None if row.effective_at is None else time_of(row.effective_at),
        height=height_value(row.effective_at_height),
        market_id=row.market_id,
    )


def levels_of(rows: tuple[wire.LevelRow, ...]) -> tuple[Level, ...]:
    """Return the levels of a whole book side."""
    return tuple((_positive(row.price), _positive(row.size)) for row in rows)


def level_updates_of(rows: tuple[tuple[str, ...], ...]) -> tuple[Level, ...]:
    """Return the levels of a book update."""
    if not rows:
        return ()
    try:
        return tuple([(_positive(row[0]), _positive(row[1])) for row in rows])
    except IndexError:
        raise NumberError("a book level without price and size") from None


def trade_of(market: str, row: wire.TradeRow) -> Trade:
    """Return a public trade."""
    return Trade(
        id=clean(row.id),
        market=market,
        side=clean(row.side),
        size=_positive(row.size),
        price=_positive(row.price),
        type=clean(row.type),
        created_at=time_of(row.created_at),
        height=height_value(row.created_at_height),
    )


def candle_of(row: wire.CandleRow) -> Candle:
    """Return a candle."""
    return Candle(
        market=clean(row.ticker),
        resolution=clean(row.resolution),
        started_at=time_of(row.started_at),
        low=_positive(row.low),
        high=_positive(row.high),
        open=_positive(row.open),
        close=_positive(row.close),
        base_volume=_positive(row.base_token_volume),
        usd_volume=_positive(row.usd_volume),
        trades=row.trades,
        starting_open_interest=_number(row.starting_open_interest),
        mid_price_open=_number(row.orderbook_mid_price_open),
        mid_price_close=_number(row.orderbook_mid_price_close),
    )
