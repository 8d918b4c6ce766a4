"""A what-if as lines of text and as the JSON document."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, localcontext

from pydantic import Field

from dydx_console.domain.ids import PositionKey, short_address
from dydx_console.domain.market import Market
from dydx_console.domain.numbers import MATH, ZERO
from dydx_console.domain.position import Position
from dydx_console.state.margin import AccountMargin, ChildMargin, PositionMargin, buying_power
from dydx_console.state.ticket import Kind, Plan
from dydx_console.state.whatif import AccountPicture, Stress
from dydx_console.views import format as fmt
from dydx_console.views.documents import SCHEMA_VERSION, NetworkSection, Number, Part, SubaccountItem, Time
from dydx_console.views.subaccounts import subaccount_item

__all__ = ["Answer", "WhatifDocument", "whatif_document", "whatif_lines", "whatif_warnings"]

LABEL = 22
FIGURE = 18
MOVE = 8
HIGH_SLIPPAGE = Decimal("0.05")
FAR_FROM_ORACLE = Decimal("0.05")
NONE = "none"


@dataclass(frozen=True, slots=True)
class Answer:
    """A what-if with all that is to be told of it.

    `asked` is the size that was asked for; the plan's is less where the order may only reduce a smaller position.
    `fee_source` says where the fee's rate comes from; `table_market` is the market that moves in the table, None for
    all of them. `height` and `time` are the block that the Indexer had reached.
    """

    plan: Plan
    asked: Decimal
    market: Market
    network: NetworkSection
    address: str
    funded: bool
    fee_source: str
    height: int | None
    time: datetime | None
    table: tuple[Stress, ...] = ()
    table_market: str | None = None


class WhatifOrder(Part):
    """The order that was asked about."""

    side: str
    market: str
    kind: str = Field(description="LIMIT or MARKET")
    size: Number | None
    price: Number | None = Field(description="The average price that it is reckoned with")
    worst_price: Number | None
    reduce_only: bool
    isolated: bool
    subaccount: int
    is_filled: bool = Field(description="Whether the book held enough; always true for a limit order")
    slippage: Number | None
    quote: Number | None
    fee: Number | None
    fee_rate: Number
    fee_source: str
    total: Number | None
    transfer: Number = Field(description="USDC moved from the parent to the isolated subaccount before")
    asked: Number = Field(description="The size asked for; more than `size` where it may only reduce, or the book ends")
    share: Number | None = Field(description="The part of what is available that it takes")


class WhatifPosition(Part):
    """A position in the order's market and subaccount."""

    net_size: Number
    entry_price: Number | None
    notional: Number | None
    margin: Number | None
    initial_margin: Number | None
    maintenance_margin: Number | None
    effective_leverage: Number | None
    selected_leverage: Number | None
    liquidation_price: Number | None
    liquidation_distance: Number | None


class WhatifFigures(Part):
    """The account at one of the two moments."""

    equity: Number | None
    free_collateral: Number | None
    raw_free_collateral: Number | None
    margin_usage: Number | None
    effective_leverage: Number | None
    buying_power: Number | None = Field(description="Notional that the free collateral would carry in the market")
    subaccounts: tuple[SubaccountItem, ...]
    position: WhatifPosition | None


class WhatifStress(Part):
    """The account after the order, and after a move of oracle prices."""

    move: Number = Field(description="Fraction by which the prices move")
    equity: Number | None
    free_collateral: Number | None
    raw_free_collateral: Number | None
    margin_usage: Number | None
    liquidatable: tuple[int, ...] = Field(description="Subaccounts whose equity would be below maintenance margin")


class WhatifDocument(Part):
    """What `whatif --json` prints."""

    schema_version: int
    network: NetworkSection
    address: str
    parent_subaccount: int
    height: int | None
    time: Time | None
    order: WhatifOrder
    before: WhatifFigures
    after: WhatifFigures
    table_market: str | None
    table: tuple[WhatifStress, ...]
    warnings: tuple[str, ...]


def whatif_document(answer: Answer) -> WhatifDocument:
    """Return a what-if as the document."""
    effect = answer.plan.effect
    with localcontext(MATH):
        return WhatifDocument(
            schema_version=SCHEMA_VERSION,
            network=answer.network,
            address=answer.address,
            parent_subaccount=effect.held.parent,
            height=answer.height,
            time=answer.time,
            order=_order(answer),
            before=_figures(answer, effect.before, effect.held),
            after=_figures(answer, effect.after, effect.left),
            table_market=answer.table_market,
            table=tuple(_stress(row) for row in answer.table),
            warnings=whatif_warnings(answer),
        )


def whatif_lines(answer: Answer) -> tuple[str, ...]:
    """Return a what-if as plain lines."""
    with localcontext(MATH):
        lines = [_headline(answer), _where(answer), "", _costs(answer), _assumption(answer), ""]
        lines.append(" " * LABEL + "before".rjust(FIGURE) + "after".rjust(FIGURE))
        lines += _rows(answer)
        lines += _table(answer)
        lines += (f"! {text}" for text in whatif_warnings(answer))
        return tuple(line.rstrip() for line in lines)


def whatif_warnings(answer: Answer) -> tuple[str, ...]:
    """Return what somebody should know before sending such an order, most important first."""
    return tuple(text for told in (_account_warnings(answer), _order_warnings(answer)) for text in told)


def _account_warnings(answer: Answer) -> Iterable[str]:
    plan, effect = answer.plan, answer.plan.effect
    if not answer.funded:
        yield f"the account was never funded on {answer.network.name}"
    if effect.after.equity is None:
        yield "figures are unknown: a market of a position has no oracle price"
    fallen = [number for number in effect.after.liquidatable if number not in effect.before.liquidatable]
    if fallen:
        yield f"would be liquidated: {_named(fallen)} would be below maintenance margin"
    for number in {effect.held.parent, plan.subaccount}:
        before, after = effect.before.child(number), effect.after.child(number)
        if _is_short(after) and _is_worse(before, after):
            yield f"the chain would refuse it: subaccount {number} would have less equity than its initial margin"


def _order_warnings(answer: Answer) -> Iterable[str]:
    plan, cost, market = answer.plan, answer.plan.cost, answer.market
    if market.status not in (None, "ACTIVE"):
        yield f"{market.ticker} is {market.status}"
    if plan.ticket.reduces_only and plan.ticket.amount < answer.asked:
        part = f"{fmt.size(plan.ticket.amount, market.step_size)} of it would trade"
        yield f"reduce-only: {part if plan.ticket.amount else 'there is nothing to reduce'}"
    if plan.ticket.kind is Kind.MARKET and cost.size is not None and cost.size < plan.ticket.amount:
        yield f"the book holds {fmt.size(cost.size, market.step_size)} of it; the rest is not in the figures"
    if cost.slippage is not None and cost.slippage >= HIGH_SLIPPAGE:
        yield f"slippage of {fmt.percent(cost.slippage)} %"
    away = _from_oracle(plan.ticket.limit_price, market.oracle_price)
    if away is not None and abs(away) > FAR_FROM_ORACLE:
        yield f"the price is {fmt.percent(away, plus=True)} % from the oracle price"


def _is_short(child: ChildMargin | None) -> bool:
    return child is not None and child.raw_free_collateral is not None and child.raw_free_collateral < ZERO


def _is_worse(before: ChildMargin | None, after: ChildMargin | None) -> bool:
    if before is None or before.raw_free_collateral is None or after is None or after.raw_free_collateral is None:
        return True
    return after.raw_free_collateral < before.raw_free_collateral


def _from_oracle(price: Decimal | None, oracle: Decimal | None) -> Decimal | None:
    return None if price is None or not oracle else (price - oracle) / oracle


def _named(numbers: Iterable[int]) -> str:
    return "subaccount " + ", ".join(str(number) for number in numbers)


def _headline(answer: Answer) -> str:
    plan, market = answer.plan, answer.market
    limit = plan.ticket.limit_price
    price = f"@ {fmt.price(limit, market.tick_size)}" if limit is not None else "at the market"
    words = [plan.ticket.side.lower(), fmt.size(answer.asked, market.step_size), market.ticker, price]
    if plan.ticket.reduces_only:
        words.append("reduce-only")
    return "what if: " + " ".join(words)


def _where(answer: Answer) -> str:
    plan = answer.plan
    mode = "isolated" if plan.isolated else "cross"
    account = f"{short_address(answer.address)}, parent {plan.effect.held.parent}"
    return f"{answer.network.name}, block {answer.height or fmt.DASH}, {account}, subaccount {plan.subaccount} ({mode})"


def _costs(answer: Answer) -> str:
    plan = answer.plan
    rate = f"{fmt.percent(plan.fee_rate, 4)} %, {answer.fee_source}"
    moved = f"; {fmt.money(plan.transfer)} moved to subaccount {plan.subaccount}" if plan.transfer else ""
    return f"{fmt.money(plan.cost.quote)} USDC, fee {fmt.money(plan.cost.fee)} ({rate}){moved}"


def _assumption(answer: Answer) -> str:
    cost, tick = answer.plan.cost, answer.market.tick_size
    if answer.plan.ticket.kind is Kind.MARKET:
        average = fmt.near_price(cost.average_price, tick)
        return f"average {average}, worst {fmt.price(cost.worst_price, tick)} by the book of now; oracle prices stand"
    return "as if all of it filled at its price; oracle prices stand"


def _rows(answer: Answer) -> Iterable[str]:
    effect = answer.plan.effect
    before, after = _column(answer, effect.before, effect.held), _column(answer, effect.after, effect.left)
    for label, text in before.items():
        yield label.ljust(LABEL) + text.rjust(FIGURE) + after[label].rjust(FIGURE)


def _column(answer: Answer, margin: AccountMargin, account: AccountPicture) -> dict[str, str]:
    """Return the account's figures at one of the two moments, by their labels."""
    market, number = answer.market, answer.plan.subaccount
    column = {
        "equity": fmt.money(margin.equity),
        "free collateral": fmt.money(margin.raw_free_collateral),
        "margin used %": fmt.percent(margin.margin_usage),
        "leverage": _ratio(margin.effective_leverage),
        "buying power": fmt.money(buying_power(margin.free_collateral, market)),
    }
    if number != account.parent:
        child = margin.child(number)
        column[f"equity of {number}"] = fmt.money(None if child is None else child.equity)
    held, own = account.position(number, market.ticker), margin.positions.get(PositionKey(number, market.ticker))
    column["position"] = fmt.size(ZERO if held is None else held.net_size, market.step_size)
    column["entry price"] = fmt.near_price(None if held is None else held.entry_price, market.tick_size)
    column["initial margin"] = fmt.money(None if own is None else own.initial_margin)
    column["maintenance margin"] = fmt.money(None if own is None else own.maintenance_margin)
    column["liquidation price"] = _liquidation(own, market)
    column["distance to it %"] = fmt.percent(None if own is None else own.liquidation_distance)
    return column


def _ratio(value: Decimal | None) -> str:
    return fmt.DASH if value is None else f"{fmt.money(value)}×"


def _liquidation(own: PositionMargin | None, market: Market) -> str:
    if own is None or own.effective_leverage is None:
        return fmt.DASH
    return NONE if own.liquidation_price is None else fmt.near_price(own.liquidation_price, market.tick_size)


def _table(answer: Answer) -> Iterable[str]:
    if not answer.table:
        return
    moving = answer.table_market or "all oracle prices"
    yield ""
    yield f"after it, if {moving} moved"
    heads = ("equity", "free collateral", "margin used %")
    yield "%".rjust(MOVE) + "".join(head.rjust(FIGURE) for head in heads) + "  liquidated"
    for row in answer.table:
        margin = row.margin
        figures = fmt.money(margin.equity), fmt.money(margin.raw_free_collateral), fmt.percent(margin.margin_usage)
        fallen = _named(row.liquidatable) if row.liquidatable else ""
        move = fmt.percent(row.move, 0, plus=True)
        yield move.rjust(MOVE) + "".join(figure.rjust(FIGURE) for figure in figures) + f"  {fallen}"


def _order(answer: Answer) -> WhatifOrder:
    plan, cost = answer.plan, answer.plan.cost
    return WhatifOrder(
        side=plan.ticket.side,
        market=plan.ticket.market,
        kind=plan.ticket.kind,
        size=cost.size,
        price=cost.average_price,
        worst_price=cost.worst_price,
        reduce_only=plan.ticket.reduces_only,
        isolated=plan.isolated,
        subaccount=plan.subaccount,
        is_filled=cost.is_filled,
        slippage=cost.slippage,
        quote=cost.quote,
        fee=cost.fee,
        fee_rate=plan.fee_rate,
        fee_source=answer.fee_source,
        total=plan.total,
        transfer=plan.transfer,
        asked=answer.asked,
        share=cost.share,
    )


def _figures(answer: Answer, margin: AccountMargin, account: AccountPicture) -> WhatifFigures:
    key = PositionKey(answer.plan.subaccount, answer.market.ticker)
    held = account.position(*key)
    return WhatifFigures(
        equity=margin.equity,
        free_collateral=margin.free_collateral,
        raw_free_collateral=margin.raw_free_collateral,
        margin_usage=margin.margin_usage,
        effective_leverage=margin.effective_leverage,
        buying_power=buying_power(margin.free_collateral, answer.market),
        subaccounts=tuple(subaccount_item(child) for child in margin.children),
        position=None if held is None else _position(held, margin.positions.get(key)),
    )


def _position(held: Position, own: PositionMargin | None) -> WhatifPosition:
    return WhatifPosition(
        net_size=held.net_size,
        entry_price=held.entry_price,
        notional=own.notional if own else None,
        margin=own.margin if own else None,
        initial_margin=own.initial_margin if own else None,
        maintenance_margin=own.maintenance_margin if own else None,
        effective_leverage=own.effective_leverage if own else None,
        selected_leverage=own.selected_leverage if own else None,
        liquidation_price=own.liquidation_price if own else None,
        liquidation_distance=own.liquidation_distance if own else None,
    )


def _stress(row: Stress) -> WhatifStress:
    margin = row.margin
    return WhatifStress(
        move=row.move,
        equity=margin.equity,
        free_collateral=margin.free_collateral,
        raw_free_collateral=margin.raw_free_collateral,
        margin_usage=margin.margin_usage,
        liquidatable=row.liquidatable,
    )
