"""A snapshot as the document of `views/documents`."""

from decimal import Decimal, localcontext

from dydx_console.domain.fill import Fill
from dydx_console.domain.ids import PositionKey
from dydx_console.domain.journal import JournalView
from dydx_console.domain.market import Market
from dydx_console.domain.numbers import MATH
from dydx_console.domain.order import Order, display_status, display_type, lifetime, reason_text
from dydx_console.domain.text import clean
from dydx_console.state.freshness import ChannelView
from dydx_console.state.pnl import MarketPnl
from dydx_console.state.pnl_days import DayPnl, SpanPnl
from dydx_console.state.reconcile import Difference
from dydx_console.state.risk import RiskView
from dydx_console.state.snapshot import PositionView, Snapshot
from dydx_console.views import documents as doc
from dydx_console.views.limits import breaker_item, rate_limit_item
from dydx_console.views.panes import PaneHealth, holdings_health, markets_health, pane_health
from dydx_console.views.subaccounts import subaccount_item

__all__ = ["document_of"]


def document_of(
    snapshot: Snapshot, network: doc.NetworkSection, errors: tuple[doc.ErrorItem, ...] = ()
) -> doc.Document:
    """Return the document of a snapshot that carries all its fills."""
    with localcontext(MATH):
        own = pane_health(snapshot, 0.0, needs_markets=False)
        valued = pane_health(snapshot, 0.0, needs_markets=True)
        held = holdings_health(snapshot, 0.0, needs_markets=False)
        held_valued = holdings_health(snapshot, 0.0, needs_markets=True)
        return doc.Document(
            schema_version=doc.SCHEMA_VERSION,
            errors=errors,
            as_of=_as_of(snapshot),
            network=network,
            account=_account(snapshot, held_valued),
            balances=tuple(
                doc.BalanceItem(subaccount=b.subaccount, asset=b.asset, amount=b.amount) for b in snapshot.balances
            ),
            positions=tuple(_position(view) for view in snapshot.positions),
            orders=tuple(_order(order, snapshot) for order in snapshot.orders),
            fills=_fills(snapshot),
            pnl=_pnl(snapshot, valued),
            transfers=tuple(_transfers(snapshot)),
            markets=tuple(_market(snapshot.markets[ticker]) for ticker in sorted(snapshot.markets)),
            stream=_stream(snapshot),
            journal=_journal(snapshot.journal),
            sections=_sections(own, held, held_valued, markets_health(snapshot, 0.0)),
        )


def _journal(view: JournalView) -> doc.JournalSection:
    return doc.JournalSection(
        mode=view.mode,
        text=None if view.text is None else clean(view.text),
        since=view.since,
        owner_pid=view.owner_pid,
        missed=view.missed,
        rejected=view.rejected,
    )


def _rounded(age_s: float | None) -> float | None:
    return None if age_s is None else round(age_s, 3)


def _sections(own: PaneHealth, held: PaneHealth, valued: PaneHealth, markets: PaneHealth) -> doc.SectionStates:
    return doc.SectionStates(
        balances=_held(held),
        positions=_held(valued),
        orders=_aged(own),
        fills=_aged(own),
        transfers=_aged(own),
        markets=_aged(markets),
    )


def _aged(age: PaneHealth) -> doc.Aged:
    return doc.Aged(state=age.state, age_s=_rounded(age.age_s))


def _held(age: PaneHealth) -> doc.Held:
    return doc.Held(state=age.state, age_s=_rounded(age.age_s), source=age.source)


def _as_of(snapshot: Snapshot) -> doc.AsOf:
    return doc.AsOf(
        state=snapshot.stream.state,
        age_s=_rounded(snapshot.stream.age_s),
        height=snapshot.height,
        time=snapshot.block_time,
        node_height=snapshot.node.height,
        clock_skew_ms=snapshot.clock_skew_ms,
    )


def _account(snapshot: Snapshot, age: PaneHealth) -> doc.AccountSection:
    margin, watched = snapshot.margin, snapshot.watched
    return doc.AccountSection(
        state=age.state,
        age_s=_rounded(age.age_s),
        source=age.source,
        address=None if watched is None else watched.address,
        parent_subaccount=None if watched is None else watched.parent,
        exists=snapshot.exists,
        equity=None if margin is None else margin.equity,
        free_collateral=None if margin is None else margin.free_collateral,
        raw_free_collateral=None if margin is None else margin.raw_free_collateral,
        margin_usage=None if margin is None else margin.margin_usage,
        effective_leverage=None if margin is None else margin.effective_leverage,
        risk=None if margin is None else _risk(snapshot.risk),
        subaccounts=() if margin is None else tuple(subaccount_item(child) for child in margin.children),
    )


def _risk(risk: RiskView) -> doc.RiskItem:
    near = risk.nearest
    return doc.RiskItem(
        level=risk.level,
        margin_usage_level=risk.usage.level,
        liquidation_level=risk.liquidation.level,
        nearest=None
        if near is None
        else doc.NearestItem(subaccount=near.key.subaccount, market=near.key.market, distance=near.distance),
        liquidatable=risk.liquidatable,
    )


def _position(view: PositionView) -> doc.PositionItem:
    position, margin = view.position, view.margin
    by_fills = view.cost_basis == "FILLS"
    return doc.PositionItem(
        subaccount=position.subaccount,
        market=position.market,
        net_size=position.net_size,
        venue_entry_price=position.entry_price,
        average_cost=view.average_cost,
        cost_basis=view.cost_basis,
        oracle_price=view.oracle_price,
        notional=None if margin is None else margin.notional,
        effective_leverage=None if margin is None else margin.effective_leverage,
        selected_leverage=None if margin is None else margin.selected_leverage,
        initial_margin=None if margin is None else margin.initial_margin,
        maintenance_margin=None if margin is None else margin.maintenance_margin,
        liquidation_price=None if margin is None else margin.liquidation_price,
        unrealized_pnl=view.unrealized_pnl,
        unrealized_pnl_pct=view.unrealized_fraction,
        realized_pnl=view.ledger.life_realized if by_fills else None,
        fees=view.ledger.life_fees if by_fills else None,
        funding=position.net_funding,
        opened_at=view.ledger.opened_at if by_fills else position.opened_at,
    )


def _reason(order: Order) -> doc.ReasonItem | None:
    reason = order.removal_reason
    if reason is None:
        return None
    return doc.ReasonItem(source=order.reason_source or "VENUE", code=reason, text=reason_text(reason) or reason)


def _order(order: Order, snapshot: Snapshot) -> doc.OrderItem:
    return doc.OrderItem(
        id=order.id,
        client_id=order.client_id,
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
        status=display_status(order, snapshot.height, snapshot.block_time),
        reason=_reason(order),
        good_til_block=order.good_til_block,
        good_til_time=order.good_til_time,
        updated_at_height=order.updated_at_height,
    )


def _fills(snapshot: Snapshot) -> tuple[doc.FillItem, ...]:
    newest = snapshot.fills_known
    closed = snapshot.closed_pnl
    return tuple(_fill(fill, newest - place, closed.get(fill.id)) for place, fill in enumerate(snapshot.fills))


def _fill(fill: Fill, seq: int, closed_pnl: Decimal | None) -> doc.FillItem:
    return doc.FillItem(
        id=fill.id,
        seq=seq,
        order_id=fill.order_id,
        subaccount=fill.subaccount,
        market=fill.market,
        side=fill.side,
        liquidity=fill.liquidity,
        type=fill.type,
        price=fill.price,
        size=fill.size,
        fee=fill.fee,
        builder_fee=fill.builder_fee,
        closed_pnl=closed_pnl,
        created_at=fill.created_at,
        height=fill.height,
    )


def _market_pnl(row: MarketPnl) -> doc.MarketPnlItem:
    return doc.MarketPnlItem(
        subaccount=row.key.subaccount,
        market=row.key.market,
        realized=row.realized,
        unrealized=row.unrealized,
        fees=row.fees,
        funding=row.funding,
        funding_estimate=row.funding_estimate,
        net=row.net,
        since=row.since,
    )


def _span(span: SpanPnl) -> doc.SpanItem:
    return doc.SpanItem(
        span=span.span,
        start=span.start,
        realized=span.realized,
        unrealized=span.unrealized,
        fees=span.fees,
        funding=span.funding,
        net=span.net,
        marked_at=span.marked_at,
        by_market=tuple(_span_market(row.key, row) for row in span.by_market if row.key is not None),
    )


def _span_market(key: PositionKey, row: DayPnl) -> doc.SpanMarketItem:
    return doc.SpanMarketItem(
        subaccount=key.subaccount,
        market=key.market,
        realized=row.realized,
        fees=row.fees,
        funding=row.funding,
        volume=row.volume,
        fills=row.fills,
    )


def _drift(one: Difference) -> doc.DriftItem:
    return doc.DriftItem(
        subaccount=one.subaccount,
        market=one.market,
        source=one.source,
        what=one.what,
        at=one.at,
        ours=one.ours,
        indexer=one.venue,
        why=None if one.is_alarm else one.text,
        reasons=one.why,
        alarm=one.is_alarm,
    )


def _pnl(snapshot: Snapshot, age: PaneHealth) -> doc.PnlSection:
    pnl = snapshot.pnl
    return doc.PnlSection(
        state=age.state,
        age_s=_rounded(age.age_s),
        realized=pnl.realized,
        unrealized=pnl.unrealized,
        fees=pnl.fees,
        funding=pnl.funding,
        funding_estimate=pnl.funding_estimate,
        net=pnl.net,
        since=pnl.since,
        by_market=tuple(_market_pnl(row) for row in pnl.by_market),
        spans=tuple(map(_span, snapshot.spans)),
        drift=tuple(map(_drift, snapshot.drift.differences)),
        drift_at=snapshot.drift.at,
        drift_problem=None if snapshot.drift.problem is None else clean(snapshot.drift.problem),
    )


def _transfers(snapshot: Snapshot) -> tuple[doc.TransferItem, ...]:
    return tuple(
        doc.TransferItem(
            type=transfer.type,
            size=transfer.size,
            asset=transfer.asset,
            sender=_end(transfer.sender, transfer.sender_subaccount),
            recipient=_end(transfer.recipient, transfer.recipient_subaccount),
            created_at=transfer.created_at,
            height=transfer.height,
        )
        for transfer in snapshot.transfers
    )


def _end(address: str, subaccount: int | None) -> str:
    return address if subaccount is None else f"{address}/{subaccount}"


def _market(market: Market) -> doc.MarketItem:
    return doc.MarketItem(
        ticker=market.ticker,
        status=market.status,
        oracle_price=market.oracle_price,
        change_24h=market.price_change_24h,
        change_24h_pct=market.change_24h_fraction,
        volume_24h=market.volume_24h,
        open_interest=market.open_interest,
        funding_rate_1h=market.next_funding_rate,
        max_leverage=market.max_leverage,
        tick_size=market.tick_size,
        step_size=market.step_size,
    )


def _channel(view: ChannelView) -> doc.ChannelItem:
    return doc.ChannelItem(
        channel=view.key.channel,
        id=view.key.id,
        state=view.state,
        age_s=_rounded(view.age_s),
        messages=view.messages,
    )


def _stream(snapshot: Snapshot) -> doc.StreamSection:
    stream = snapshot.stream
    since = stream.connected_since
    return doc.StreamSection(
        state=stream.state,
        age_s=_rounded(stream.age_s),
        connected_since=None if since is None else _rounded(snapshot.at - since),
        reconnects=stream.reconnects,
        gaps=stream.gaps,
        resyncs=stream.resyncs,
        rejected=stream.rejected,
        fallback=stream.fallback,
        trouble=stream.trouble,
        channels=tuple(_channel(view) for view in stream.channels),
        rate_limits=tuple(map(rate_limit_item, snapshot.limits.budgets)),
        breakers=tuple(breaker_item(held, snapshot.at) for held in snapshot.limits.breakers),
    )
