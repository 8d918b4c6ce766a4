"""A frozen picture of the state, safe to read from any thread."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal, localcontext

from dydx_console.domain.chain import FeeTier
from dydx_console.domain.fill import Fill
from dydx_console.domain.flows import Transfer
from dydx_console.domain.ids import PositionKey
from dydx_console.domain.journal import NO_JOURNAL, JournalView
from dydx_console.domain.market import Market
from dydx_console.domain.numbers import MATH, ZERO
from dydx_console.domain.order import Order
from dydx_console.domain.position import Balance, Position
from dydx_console.state.accounting import Ledger
from dydx_console.state.console import ConsoleState, Section, Watched
from dydx_console.state.freshness import StreamView
from dydx_console.state.limits import NO_LIMITS, LimitsView
from dydx_console.state.margin import NONE_SELECTED, AccountMargin, PositionMargin
from dydx_console.state.node import NO_NODE, NodeView
from dydx_console.state.nodeaccount import Figures, NodeAccountView
from dydx_console.state.pnl import (
    MarketPnl,
    PnlTotals,
    cost_of,
    funding_estimate,
    market_pnl,
    open_pnl,
    pnl_totals,
    unrealized_fraction,
)
from dydx_console.state.pnl_days import Span, SpanPnl
from dydx_console.state.reconcile import NO_DRIFT, Drift
from dydx_console.state.risk import NO_RISK, RiskView, risk_view

__all__ = ["NEWEST_FILLS", "PositionView", "Snapshot", "next_snapshot", "snapshot_of"]

NEWEST_FILLS = 500
"""Fills that a snapshot carries; longer histories are read by page."""


@dataclass(frozen=True, slots=True)
class PositionView:
    """A position with its cost, its books and its margin. `cost_basis` is FILLS or VENUE."""

    position: Position
    average_cost: Decimal | None
    cost_basis: str
    oracle_price: Decimal | None
    unrealized_pnl: Decimal | None
    unrealized_fraction: Decimal | None
    funding: Decimal | None
    ledger: Ledger
    margin: PositionMargin | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The picture at `at` (monotonic seconds). `revision` grows with every snapshot of a run.

    `exists` is False for an account that the venue has never seen, None before it answered; `funded_parents` counts
    the parents of its address that were ever funded. `fills` are the newest, newest first; `fills_known` counts all.
    `node_account` says where `positions`, `balances` and `margin` come from while a node tells them, and is None while
    the Indexer does; everything else is the Indexer's all the same. `node_account_failures` counts how often no node
    told them although it should. `risk` rises and falls from snapshot to snapshot, `drift` is the newest comparison
    with the Indexer's own figures, and `fee_tier` what the owner pays by a node's word, None where none told it.
    `leverages` are those that the owner chose, by subaccount and market.
    `spans` are the PNL of ranges of days that end today, none before fills and payments have been read; `closed_pnl`
    tells what each of `fills` realized. `clock_skew_ms` is by how much this machine's clock is ahead of the venue's.
    """

    revision: int
    at: float
    watched: Watched | None
    exists: bool | None
    funded_parents: int | None
    height: int | None
    block_time: datetime | None
    venue_time: datetime | None
    stream: StreamView
    margin: AccountMargin | None
    balances: tuple[Balance, ...]
    positions: tuple[PositionView, ...]
    orders: tuple[Order, ...]
    fills: tuple[Fill, ...]
    fills_known: int
    transfers: tuple[Transfer, ...]
    pnl: PnlTotals
    markets: Mapping[str, Market]
    node: NodeView = NO_NODE
    limits: LimitsView = NO_LIMITS
    journal: JournalView = NO_JOURNAL
    node_account: NodeAccountView | None = None
    node_account_failures: int = 0
    risk: RiskView = NO_RISK
    drift: Drift = NO_DRIFT
    fee_tier: FeeTier | None = None
    leverages: Mapping[PositionKey, Decimal] = field(default_factory=dict)
    spans: tuple[SpanPnl, ...] = ()
    closed_pnl: Mapping[str, Decimal | None] = field(default_factory=dict)
    clock_skew_ms: int | None = None


_VALUED = frozenset({Section.ACCOUNT, Section.MARKETS, Section.FILLS, Section.FUNDING})
_ALL = frozenset(Section)
_MILLISECOND = timedelta(milliseconds=1)


def snapshot_of(state: ConsoleState, at: float, revision: int, *, fills: int = NEWEST_FILLS) -> Snapshot:
    """Return the picture of `state` at a moment, with the newest `fills` fills."""
    return next_snapshot(state, None, at, _ALL, revision=revision, fills=fills)


def next_snapshot(
    state: ConsoleState,
    previous: Snapshot | None,
    at: float,
    changed: Set[Section],
    *,
    revision: int,
    fills: int = NEWEST_FILLS,
    utc: datetime | None = None,
) -> Snapshot:
    """Return the picture of `state` at a moment, sharing with `previous` whatever the changed sections leave alone.

    `utc` is this machine's clock, where it is to be compared with the venue's.
    """
    changed = _ALL if previous is None else changed
    parts: dict[str, object] = {}
    if changed & _VALUED:
        with localcontext(MATH):
            parts.update(_valued(state, at))
    if changed & {Section.ORDERS, Section.FILLS}:
        parts["orders"] = tuple(state.orders)
    if Section.FILLS in changed:
        newest = state.fills.newest(fills)
        closed = {fill.id: state.closed_pnl(fill.id) for fill in newest}
        parts.update(fills=newest, fills_known=len(state.fills), closed_pnl=closed)
    if Section.TRANSFERS in changed:
        parts["transfers"] = state.transfers.newest
    watched, venue_time = state.watched, state.freshness.venue_time(at)
    parts.update(
        revision=revision,
        at=at,
        watched=watched,
        exists=True if state.node_account.holders else state.exists,
        funded_parents=state.funded_parents,
        height=state.height,
        block_time=state.block_time,
        venue_time=venue_time,
        clock_skew_ms=None if utc is None or venue_time is None else round((utc - venue_time) / _MILLISECOND),
        stream=state.freshness.view(at),
        node=state.node.view(at, state.height),
        limits=state.limits.view(at),
        journal=state.journal,
        node_account=state.node_account.view(state.freshness, at),
        node_account_failures=state.node_account.failures,
        drift=state.drift,
        fee_tier=state.fee_tier,
        leverages=NONE_SELECTED if watched is None else state.leverages.selected(watched.parent, state.markets.all),
    )
    if previous is None:
        made = Snapshot(**parts)  # type: ignore[arg-type]
        return replace(made, risk=_risk(state, made.margin, made.positions, NO_RISK, at))
    margin, positions = parts.get("margin", previous.margin), parts.get("positions", previous.positions)
    parts["risk"] = _risk(state, margin, positions, previous.risk, at)  # type: ignore[arg-type]
    return replace(previous, **parts)  # type: ignore[arg-type]


def _risk(
    state: ConsoleState, margin: AccountMargin | None, held: tuple[PositionView, ...], before: RiskView, at: float
) -> RiskView:
    """Return the risk of a picture, from that of the one before it."""
    if state.watched is None:
        return NO_RISK
    return risk_view(margin, held, state.watched.parent, state.risk_limits, before=before, at=at)


def _valued(state: ConsoleState, at: float) -> dict[str, object]:
    """Return the parts that rest on positions, fills, funding and prices."""
    figures = state.figures()
    margin = state.margin(figures)
    pnl = pnl_totals(_market_pnl(state, key) for key in state.ledger_keys())
    return {
        "margin": margin,
        "balances": figures.balances,
        "positions": tuple(_position_view(state, figures, position, margin) for position in figures.positions),
        "pnl": pnl,
        "spans": _spans(state, pnl.net, at),
        "markets": dict(state.markets.all),
    }


def _spans(state: ConsoleState, net: Decimal | None, at: float) -> tuple[SpanPnl, ...]:
    """Return the PNL of every range of days, none where something that is summed up has not been read."""
    now = state.freshness.venue_time(at) or state.block_time
    if now is None or not state.fills.is_known or not state.funding.is_known:
        return ()
    return tuple(state.span(span, now, net) for span in Span)


def _position_view(
    state: ConsoleState, figures: Figures, position: Position, margin: AccountMargin | None
) -> PositionView:
    key = PositionKey(position.subaccount, position.market)
    ledger = state.ledger(key)
    cost = cost_of(position, ledger)
    market = figures.markets.get(position.market)
    own = None if margin is None else margin.positions.get(key)
    leverage = None if own is None else own.selected_leverage
    return PositionView(
        position=position,
        average_cost=cost.average_cost,
        cost_basis=cost.source,
        oracle_price=None if market is None else market.oracle_price,
        unrealized_pnl=open_pnl(position, cost, market),
        unrealized_fraction=unrealized_fraction(position, cost.average_cost, market, leverage),
        funding=state.funding.total(key) if figures.keeps(key) else None,
        ledger=ledger,
        margin=own,
    )


def _market_pnl(state: ConsoleState, key: PositionKey) -> MarketPnl:
    ledger = state.ledger(key)
    position = state.holdings.position(key)
    unrealized: Decimal | None = ZERO
    estimate: Decimal | None = ZERO
    if position is not None:
        market = state.markets.get(key.market)
        unrealized = open_pnl(position, cost_of(position, ledger), market)
        estimate = funding_estimate(position, market)
    known = ledger if state.fills.is_known else None
    return market_pnl(key, known, unrealized, state.funding.total(key), estimate)
