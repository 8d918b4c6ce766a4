"""Rows as the JSON objects that REST and the channels carry, key for key in the Indexer's own order.

Sources: dydxprotocol/v4-chain indexer/services/comlink/src/request-helpers/request-transformer.ts,
indexer/services/ender/src/helpers/kafka-helper.ts, indexer/services/vulcan/src/handlers.
"""

from __future__ import annotations

from decimal import Decimal

from dydx_console.sim.indexer.rows import (
    OPEN,
    ZERO,
    FillRow,
    FundingPaymentRow,
    FundingRow,
    PositionRow,
    SubaccountRow,
    TradeRow,
    TransferRow,
)
from dydx_console.sim.indexer.store import CHILD_SPACING, MarketRow, Store
from dydx_console.sim.indexer.text import iso, number, plus, times, uuid5

Json = dict[str, object]
USDC = "USDC"
USDC_ID = "0"


def side_of(size: Decimal) -> str:
    """LONG for a positive size; zero counts as SHORT, as the Indexer has it."""
    return "LONG" if size > 0 else "SHORT"


def position_stream(row: PositionRow, oracle_price: Decimal) -> Json:
    """A position in an update: settled funding only, realized PNL by sums, without fees."""
    return {
        "address": row.address,
        "subaccountNumber": row.subaccount_number,
        "positionId": row.id,
        "market": row.market.ticker,
        "side": row.side,
        "status": row.status,
        "size": number(row.size),
        "maxSize": number(row.max_size),
        "netFunding": number(row.settled_funding),
        "entryPrice": number(row.entry_price),
        "exitPrice": None if row.exit_price is None else number(row.exit_price),
        "sumOpen": number(row.sum_open),
        "sumClose": number(row.sum_close),
        "realizedPnl": number(stream_realized_pnl(row)),
        "unrealizedPnl": number(unrealized_pnl(row, oracle_price)),
    }


def stream_realized_pnl(row: PositionRow) -> Decimal:
    """(exit − entry) × closed sum by side, plus settled funding; fees are not in it."""
    difference = (row.exit_price or ZERO) - row.entry_price if row.exit_price is not None else ZERO
    signed = difference if row.side == "LONG" else -difference
    return plus(times(row.sum_close, signed), row.settled_funding)


def unrealized_pnl(row: PositionRow, oracle_price: Decimal) -> Decimal:
    """Signed size × (oracle − entry)."""
    return times(row.size, oracle_price - row.entry_price)


def position_rest(store: Store, owner: SubaccountRow, row: PositionRow) -> Json:
    """A position in REST and snapshots: unsettled funding added, realized PNL with fees, without funding."""
    unsettled = store.unsettled_funding(owner, row) if row.status == OPEN else ZERO
    oracle_price = store.markets[row.market.ticker].oracle_price
    return {
        "market": row.market.ticker,
        "status": row.status,
        "side": row.side,
        "size": number(row.size),
        "maxSize": number(row.max_size),
        "entryPrice": number(row.entry_price),
        "exitPrice": None if row.exit_price is None else number(row.exit_price),
        "realizedPnl": "0" if row.total_realized_pnl is None else number(row.total_realized_pnl),
        "unrealizedPnl": number(unrealized_pnl(row, oracle_price)),
        "createdAt": iso(row.created_ms),
        "createdAtHeight": str(row.created_height),
        "closedAt": None if row.closed_ms is None else iso(row.closed_ms),
        "sumOpen": number(row.sum_open),
        "sumClose": number(row.sum_close),
        "netFunding": number(plus(row.settled_funding, unsettled)),
        "subaccountNumber": row.subaccount_number,
    }


def asset_stream(row: SubaccountRow) -> Json:
    """The USDC position in an update: absolute size, settled only, zero rows included."""
    return {
        "address": row.address,
        "subaccountNumber": row.number,
        "positionId": uuid5(f"{row.id}-{USDC_ID}"),
        "assetId": USDC_ID,
        "symbol": USDC,
        "side": side_of(row.usdc),
        "size": number(abs(row.usdc)),
    }


def asset_rest(store: Store, row: SubaccountRow) -> Json | None:
    """The USDC position in REST, with unsettled funding; None when it is zero."""
    usdc = store.usdc_with_funding(row)
    if usdc == 0:
        return None
    return {
        "size": number(abs(usdc)),
        "symbol": USDC,
        "side": side_of(usdc),
        "assetId": USDC_ID,
        "subaccountNumber": row.number,
    }


def subaccount_rest(store: Store, row: SubaccountRow) -> Json:
    """A subaccount with its open positions and balances, both as maps."""
    equity, free = store.equity(row)
    asset = asset_rest(store, row)
    return {
        "address": row.address,
        "subaccountNumber": row.number,
        "equity": number(equity),
        "freeCollateral": number(free),
        "openPerpetualPositions": {
            position.market.ticker: position_rest(store, row, position) for position in row.open_positions.values()
        },
        "assetPositions": {} if asset is None else {USDC: asset},
        "marginEnabled": True,
        "updatedAtHeight": str(row.updated_height),
        "latestProcessedBlockHeight": str(store.height),
    }


def parent_rest(store: Store, address: str, parent: int, children: list[SubaccountRow]) -> Json:
    """A parent: plain sums over its children."""
    totals = [store.equity(row) for row in children]
    return {
        "address": address,
        "parentSubaccountNumber": parent,
        "equity": number(sum((equity for equity, _ in totals), ZERO)),
        "freeCollateral": number(sum((free for _, free in totals), ZERO)),
        "childSubaccounts": [subaccount_rest(store, row) for row in children],
    }


def fill_stream(row: FillRow) -> Json:
    """A fill in an update: the whole row with its nulls, and the ticker."""
    return {
        "id": row.id,
        "fee": number(row.fee),
        "side": row.side,
        "size": number(row.size),
        "type": row.type.value,
        "price": number(row.price),
        "eventId": row.event_id,
        "orderId": row.order_id,
        "createdAt": iso(row.created_ms),
        "liquidity": row.liquidity,
        "builderFee": None,
        "clobPairId": str(row.market.clob_pair_id),
        "quoteAmount": number(row.quote_amount),
        "subaccountId": row.subaccount_id,
        "builderAddress": None,
        "clientMetadata": row.client_metadata,
        "orderRouterFee": None,
        "createdAtHeight": str(row.height),
        "transactionHash": row.transaction_hash,
        "entryPriceBefore": None if row.entry_price_before is None else number(row.entry_price_before),
        "affiliateRevShare": "0",
        "orderRouterAddress": None,
        "positionSideBefore": row.position_side_before,
        "positionSizeBefore": None if row.position_size_before is None else number(row.position_size_before),
        "ticker": row.market.ticker,
    }


def fill_rest(row: FillRow) -> Json:
    """A fill in REST: nulls dropped, but for those of the order that a liquidation or deleveraging lacks."""
    result: Json = {
        "id": row.id,
        "side": row.side,
        "liquidity": row.liquidity,
        "type": row.type.value,
        "market": row.market.ticker,
        "marketType": "PERPETUAL",
        "price": number(row.price),
        "size": number(row.size),
        "fee": number(row.fee),
        "affiliateRevShare": "0",
        "createdAt": iso(row.created_ms),
        "createdAtHeight": str(row.height),
        "orderId": row.order_id,
        "clientMetadata": row.client_metadata,
        "subaccountNumber": row.subaccount_number,
    }
    if row.position_size_before is not None:
        result["positionSizeBefore"] = number(row.position_size_before)
    if row.entry_price_before is not None:
        result["entryPriceBefore"] = number(row.entry_price_before)
    if row.position_side_before is not None:
        result["positionSideBefore"] = row.position_side_before
    return result


def trade_rest(row: TradeRow) -> Json:
    """A trade in REST and snapshots."""
    return {
        "id": row.id,
        "side": row.side,
        "size": number(row.size),
        "price": number(row.price),
        "type": row.type.value,
        "createdAt": iso(row.created_ms),
        "createdAtHeight": str(row.height),
    }


def trade_stream(row: TradeRow) -> Json:
    """A trade in an update: no height."""
    return {
        "id": row.id,
        "size": number(row.size),
        "price": number(row.price),
        "side": row.side,
        "createdAt": iso(row.created_ms),
        "type": row.type.value,
    }


def transfer_type(row: TransferRow, address: str, numbers: range) -> str:
    """What a transfer is to the subaccounts `numbers` of an address."""
    if row.sender_number is None:
        return "DEPOSIT"
    if row.recipient_number is None:
        return "WITHDRAWAL"
    return "TRANSFER_OUT" if row.sender == address and row.sender_number in numbers else "TRANSFER_IN"


def _end(address: str, subaccount: int | None, key: str) -> Json:
    return {"address": address} if subaccount is None else {"address": address, key: subaccount}


def transfer_stream(row: TransferRow, address: str, subaccount: int) -> Json:
    """A transfer in an update of one subaccount: no id."""
    return {
        "sender": _end(row.sender, row.sender_number, "subaccountNumber"),
        "recipient": _end(row.recipient, row.recipient_number, "subaccountNumber"),
        "symbol": USDC,
        "size": number(row.size),
        "type": transfer_type(row, address, range(subaccount, subaccount + 1)),
        "createdAt": iso(row.created_ms),
        "createdAtHeight": str(row.height),
        "transactionHash": row.transaction_hash,
    }


def transfer_rest(row: TransferRow, address: str, numbers: range, *, parent: bool) -> Json:
    """A transfer in REST; the parent variant names parent numbers."""
    key = "parentSubaccountNumber" if parent else "subaccountNumber"
    sender, recipient = row.sender_number, row.recipient_number
    if parent:
        sender = None if sender is None else sender % CHILD_SPACING
        recipient = None if recipient is None else recipient % CHILD_SPACING
    return {
        "id": row.id,
        "sender": _end(row.sender, sender, key),
        "recipient": _end(row.recipient, recipient, key),
        "size": number(row.size),
        "createdAt": iso(row.created_ms),
        "createdAtHeight": str(row.height),
        "symbol": USDC,
        "type": transfer_type(row, address, numbers),
        "transactionHash": row.transaction_hash,
    }


def funding_rest(row: FundingRow) -> Json:
    """A funding update."""
    return {
        "ticker": row.market.ticker,
        "rate": number(row.rate),
        "price": number(row.price),
        "effectiveAtHeight": str(row.height),
        "effectiveAt": iso(row.time_ms),
    }


def funding_payment_rest(row: FundingPaymentRow) -> Json:
    """A funding payment; the subaccount number is a string here, unlike everywhere else."""
    funding = row.funding
    return {
        "subaccountNumber": str(row.subaccount_number),
        "createdAt": iso(funding.time_ms),
        "createdAtHeight": str(funding.height),
        "perpetualId": str(funding.market.perpetual_id),
        "ticker": funding.market.ticker,
        "oraclePrice": number(funding.price),
        "size": number(row.size),
        "side": side_of(row.size),
        "rate": number(funding.rate),
        "payment": number(row.payment),
        "fundingIndex": number(funding.index),
    }


def market_rest(row: MarketRow) -> Json:
    """A market; margin fractions are the base ones."""
    market = row.market
    return {
        "clobPairId": str(market.clob_pair_id),
        "ticker": market.ticker,
        "status": row.status,
        "oraclePrice": number(row.oracle_price),
        "priceChange24H": number(row.price_change_24h),
        "volume24H": number(row.volume_24h),
        "trades24H": row.trades_24h,
        "nextFundingRate": number(row.next_funding_rate),
        "initialMarginFraction": number(market.initial_margin_fraction),
        "maintenanceMarginFraction": number(market.maintenance_margin_fraction),
        "openInterest": number(row.open_interest),
        "atomicResolution": market.atomic_resolution,
        "quantumConversionExponent": market.quantum_conversion_exponent,
        "tickSize": number(market.tick_size),
        "stepSize": number(market.step_size),
        "stepBaseQuantums": market.step_base_quantums,
        "subticksPerTick": market.subticks_per_tick,
        "marketType": "ISOLATED" if market.isolated else "CROSS",
        "openInterestLowerCap": str(market.open_interest_lower_cap),
        "openInterestUpperCap": str(market.open_interest_upper_cap),
        "baseOpenInterest": number(row.open_interest),
        "defaultFundingRate1H": "0.0000125",
    }
