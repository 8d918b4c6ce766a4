"""The bodies that the account's API answers with: sections of the console's document, made of the newest picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import localcontext
from typing import TYPE_CHECKING

from pydantic import Field

from dydx_console.domain.numbers import MATH, ZERO, sum_known
from dydx_console.health.documents import NetworkPart, shown
from dydx_console.views import documents as doc
from dydx_console.views.compose import document_of
from dydx_console.views.documents import Number, Part, Time

if TYPE_CHECKING:
    from dydx_console.ports.health import HealthFacts
    from dydx_console.ports.history import HistoryProgress
    from dydx_console.ports.journal import OrderHop, OrderRecord, PlacedFill
    from dydx_console.ports.snapshot import Snapshot

__all__ = [
    "AccountBody",
    "HistoryPart",
    "HopPart",
    "OrderBody",
    "OrderFillPart",
    "OrderPart",
    "OrdersBody",
    "PositionBody",
    "PositionsBody",
    "account_body",
    "later",
    "order_body",
    "orders_body",
    "position_body",
    "position_id",
    "positions_body",
]


class Answer(Part):
    """Base of the answers: the chain's moment that they show, and on which network."""

    as_of: doc.AsOf
    network: NetworkPart


class AccountBody(Answer):
    """The account as it is: margin, balances and PNL, each with its state and age."""

    account: doc.AccountSection
    balances: tuple[doc.BalanceItem, ...]
    pnl: doc.PnlSection


class PositionsBody(Answer, doc.Held):
    """The open positions with their sums; a sum of which a part is unknown is null."""

    count: int
    long_notional: Number | None = Field(description="Value of the long positions at oracle prices, in USDC")
    short_notional: Number | None = Field(description="Value of the short positions, without sign")
    unrealized_pnl: Number | None
    equity: Number | None
    free_collateral: Number | None
    margin_usage: Number | None
    positions: tuple[doc.PositionItem, ...]


class PositionBody(Answer, doc.Aged):
    """PNL of one subaccount and market; `position` is null where none is open."""

    id: str = Field(description="Subaccount and market: 0-ETH-USD")
    pnl: doc.MarketPnlItem
    position: doc.PositionItem | None


class OrderPart(doc.OrderItem):
    """An order, and from when on it is known."""

    placed_at: Time = Field(description="The earliest moment at which it is known to have existed")
    noted_at: Time = Field(description="When the console last learnt of it")


class HistoryPart(Part):
    """How far the venue's older history is in the journal."""

    state: str = Field(description="IDLE RUNNING INTERRUPTED FAILED or DONE")
    problem: str | None


class OrdersBody(Answer, doc.Aged):
    """A page of the order history."""

    history: HistoryPart
    orders: tuple[OrderPart, ...]
    next: str | None = Field(description="The cursor of the page behind this one, null on the last")


class OrderFillPart(Part):
    """A fill of an order."""

    id: str
    created_at: Time
    height: int
    side: str
    liquidity: str
    type: str
    price: Number
    size: Number
    fee: Number
    builder_fee: Number | None


class HopPart(Part):
    """A standing that an order came to, and when and from whom the console first learnt of it."""

    at: Time
    height: int | None
    source: str
    status: str | None
    filled: Number
    size: Number | None
    price: Number | None
    reason: str | None


class OrderBody(Answer, doc.Aged):
    """An order with its fills and its standings, the oldest first."""

    order: OrderPart
    fills: tuple[OrderFillPart, ...]
    hops: tuple[HopPart, ...]


def later(snapshot: Snapshot, elapsed_s: float) -> Snapshot:
    """Return a picture as old as it is by now, without the lists that no answer takes from it."""
    stream, told = snapshot.stream, snapshot.node_account
    state, age_s = stream.later(elapsed_s)
    channels = tuple(channel.later(elapsed_s) for channel in stream.channels)
    return replace(
        snapshot,
        stream=replace(stream, state=state, age_s=age_s, channels=channels),
        node_account=None if told is None else told.later(elapsed_s),
        orders=(),
        fills=(),
        transfers=(),
        markets={},
    )


def position_id(subaccount: int, market: str) -> str:
    """Return the name of a position in paths."""
    return f"{subaccount}-{market}"


def account_body(snapshot: Snapshot, facts: HealthFacts) -> AccountBody:
    """Return the body of /api/account."""
    made = _document(snapshot, facts)
    return AccountBody(
        as_of=made.as_of, network=_network(facts), account=made.account, balances=made.balances, pnl=made.pnl
    )


def positions_body(snapshot: Snapshot, facts: HealthFacts) -> PositionsBody:
    """Return the body of /api/positions/summary."""
    made = _document(snapshot, facts)
    with localcontext(MATH):
        return PositionsBody(
            **dict(made.sections.positions),
            as_of=made.as_of,
            network=_network(facts),
            count=len(made.positions),
            long_notional=sum_known(row.notional for row in made.positions if row.net_size > ZERO),
            short_notional=sum_known(row.notional for row in made.positions if row.net_size < ZERO),
            unrealized_pnl=sum_known(row.unrealized_pnl for row in made.positions),
            equity=made.account.equity,
            free_collateral=made.account.free_collateral,
            margin_usage=made.account.margin_usage,
            positions=made.positions,
        )


def position_body(snapshot: Snapshot, facts: HealthFacts, name: str) -> PositionBody | None:
    """Return the body of /api/positions/{id}/pnl, None where nothing is known of such a position."""
    made = _document(snapshot, facts)
    pnl = next((row for row in made.pnl.by_market if position_id(row.subaccount, row.market) == name), None)
    if pnl is None:
        return None
    held = next((row for row in made.positions if position_id(row.subaccount, row.market) == name), None)
    return PositionBody(
        as_of=made.as_of,
        network=_network(facts),
        state=made.pnl.state,
        age_s=made.pnl.age_s,
        id=name,
        pnl=pnl,
        position=held,
    )


def orders_body(
    snapshot: Snapshot,
    facts: HealthFacts,
    progress: HistoryProgress,
    rows: Sequence[OrderRecord],
    cursor: str | None,
) -> OrdersBody:
    """Return the body of /api/orders."""
    made = _document(_with_orders(snapshot, rows), facts)
    problem = None if progress.problem is None else shown(progress.problem)
    return OrdersBody(
        **dict(made.sections.orders),
        as_of=made.as_of,
        network=_network(facts),
        history=HistoryPart(state=progress.state, problem=problem),
        orders=tuple(_order(item, row) for item, row in zip(made.orders, rows, strict=True)),
        next=cursor,
    )


def order_body(
    snapshot: Snapshot,
    facts: HealthFacts,
    noted: OrderRecord,
    hops: Iterable[OrderHop],
    fills: Iterable[PlacedFill],
) -> OrderBody:
    """Return the body of /api/orders/{id}."""
    made = _document(_with_orders(snapshot, [noted]), facts)
    return OrderBody(
        **dict(made.sections.orders),
        as_of=made.as_of,
        network=_network(facts),
        order=_order(made.orders[0], noted),
        fills=tuple(_fill(placed) for placed in fills),
        hops=tuple(_hop(hop) for hop in hops),
    )


def _with_orders(snapshot: Snapshot, rows: Iterable[OrderRecord]) -> Snapshot:
    """Return a picture of orders alone: making documents of the rest would cost more than theirs."""
    orders = tuple(row.order for row in rows)
    return replace(
        snapshot, orders=orders, positions=(), balances=(), spans=(), pnl=replace(snapshot.pnl, by_market=())
    )


def _document(snapshot: Snapshot, facts: HealthFacts) -> doc.Document:
    network = facts.network
    return document_of(
        snapshot,
        doc.NetworkSection(
            name=network.name,
            chain_id=network.chain_id,
            environment=network.environment,
            environment_from=network.environment_from,
            confirmed=facts.confirmed,
            read_only=network.read_only,
            warnings=(),
        ),
    )


def _network(facts: HealthFacts) -> NetworkPart:
    network = facts.network
    return NetworkPart(
        name=shown(network.name),
        kind=shown(network.kind),
        chain_id=network.chain_id,
        ethereum_chain_id=network.ethereum_chain_id,
    )


def _order(item: doc.OrderItem, noted: OrderRecord) -> OrderPart:
    # what the item has been checked for need not be checked again
    return OrderPart.model_construct(**dict(item), placed_at=noted.placed_at, noted_at=noted.noted_at)


def _fill(placed: PlacedFill) -> OrderFillPart:
    fill = placed.fill
    return OrderFillPart(
        id=fill.id,
        created_at=fill.created_at,
        height=fill.height,
        side=fill.side,
        liquidity=fill.liquidity,
        type=fill.type,
        price=fill.price,
        size=fill.size,
        fee=fill.fee,
        builder_fee=fill.builder_fee,
    )


def _hop(hop: OrderHop) -> HopPart:
    return HopPart(
        at=hop.at,
        height=hop.height,
        source=hop.source,
        status=hop.shown,
        filled=hop.filled,
        size=hop.size,
        price=hop.price,
        reason=hop.removal_reason,
    )
