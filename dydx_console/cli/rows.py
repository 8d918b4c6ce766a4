"""What the history keeps, as the rows that are printed and exported."""

from datetime import timedelta

from dydx_console.domain.flows import FundingPayment, Transfer
from dydx_console.domain.numbers import MATH
from dydx_console.domain.order import display_type, lifetime, reason_text
from dydx_console.ports.journal import BookedFill, OrderRecord, PositionLife
from dydx_console.state.pnl_days import DayPnl
from dydx_console.views.exports import DayRow, FillRow, FundingRow, LifeRow, OrderRow, TransferRow
from dydx_console.views.history import life_net

__all__ = ["day_row", "fill_row", "funding_row", "life_row", "order_row", "transfer_row"]


def fill_row(booked: BookedFill) -> FillRow:
    """Return a fill as a row, with what the books say of it."""
    fill = booked.fill
    return FillRow(
        id=fill.id,
        created_at=fill.created_at,
        height=fill.height,
        subaccount=fill.subaccount,
        market=fill.market,
        side=fill.side,
        liquidity=fill.liquidity,
        type=fill.type,
        price=fill.price,
        size=fill.size,
        value=MATH.multiply(fill.price, fill.size),
        fee=fill.fee,
        builder_fee=fill.builder_fee,
        closed_pnl=booked.closed_pnl,
        net_size=booked.net_size,
        average_cost=booked.average_cost,
        order_id=fill.order_id,
    )


def order_row(noted: OrderRecord) -> OrderRow:
    """Return an order as a row."""
    order = noted.order
    return OrderRow(
        id=order.id,
        client_id=order.client_id,
        placed_at=noted.placed_at,
        subaccount=order.subaccount,
        market=order.market,
        side=order.side,
        type=display_type(order),
        time_in_force=order.time_in_force,
        post_only=order.post_only,
        reduce_only=order.reduce_only,
        lifetime=lifetime(order.flags),
        price=order.price,
        trigger_price=order.trigger_price,
        size=order.size,
        filled=order.filled,
        remaining=order.remaining,
        average_fill_price=order.average_fill_price,
        status=noted.shown,
        reason_source=None if order.removal_reason is None else order.reason_source or "VENUE",
        reason=order.removal_reason,
        reason_text=reason_text(order.removal_reason),
        good_til_block=order.good_til_block,
        good_til_time=order.good_til_time,
        created_at_height=order.created_at_height,
        updated_at=order.updated_at,
        updated_at_height=order.updated_at_height,
        noted_at=noted.noted_at,
    )


def funding_row(payment: FundingPayment) -> FundingRow:
    """Return a funding payment as a row."""
    return FundingRow(
        created_at=payment.created_at,
        height=payment.height,
        subaccount=payment.subaccount,
        market=payment.market,
        payment=payment.payment,
        rate=payment.rate,
        net_size=payment.net_size,
        oracle_price=payment.oracle_price,
    )


def transfer_row(transfer: Transfer) -> TransferRow:
    """Return a transfer as a row."""
    return TransferRow(
        id=transfer.id,
        created_at=transfer.created_at,
        height=transfer.height,
        type=transfer.type,
        size=transfer.size,
        asset=transfer.asset,
        sender=transfer.sender,
        sender_subaccount=transfer.sender_subaccount,
        recipient=transfer.recipient,
        recipient_subaccount=transfer.recipient_subaccount,
        transaction_hash=transfer.transaction_hash,
    )


def life_row(life: PositionLife) -> LifeRow:
    """Return a position life as a row."""
    held = None if life.closed_at is None else (life.closed_at - life.opened_at) // timedelta(seconds=1)
    return LifeRow(
        subaccount=life.subaccount,
        market=life.market,
        side=life.side,
        opened_by=life.opened_by,
        opened_at=life.opened_at,
        opened_height=life.opened_height,
        closed_at=life.closed_at,
        closed_height=life.closed_height,
        held_s=held,
        max_size=life.max_size,
        entry_price=life.entry_price,
        exit_price=life.exit_price,
        realized=life.realized,
        fees=life.fees,
        funding=life.funding,
        net=life_net(life),
        fills=life.fills,
        is_complete=life.is_complete,
    )


def day_row(day: DayPnl) -> DayRow:
    """Return a day's PNL as a row."""
    return DayRow(
        day=day.day,
        subaccount=None if day.key is None else day.key.subaccount,
        market=None if day.key is None else day.key.market,
        realized=day.realized,
        fees=day.fees,
        funding=day.funding,
        net=day.booked,
        volume=day.volume,
        fills=day.fills,
    )
