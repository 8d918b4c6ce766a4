"""Tables of the reading commands: plain lines whose columns stand in line, on a terminal and in a pipe."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Generic, TypeVar

from dydx_console.domain.text import clean
from dydx_console.views import documents as doc
from dydx_console.views.exports import DayRow, ExportKind, FillRow, FundingRow, LifeRow, OrderRow, TransferRow
from dydx_console.views.format import DASH, exact, money, near_price, percent
from dydx_console.views.width import cells

__all__ = [
    "Shown",
    "account_lines",
    "balance_columns",
    "figures",
    "history_columns",
    "market_columns",
    "market_pnl_columns",
    "order_columns",
    "order_lines",
    "pnl_lines",
    "position_columns",
    "subaccount_columns",
    "table_lines",
    "time_text",
]

T = TypeVar("T")
GAP = "  "


@dataclass(frozen=True, slots=True)
class Shown(Generic[T]):
    """A column: its label, the text of its cell, and whether figures stand at its right edge."""

    label: str
    text: Callable[[T], str]
    right: bool = False


def table_lines(columns: Sequence[Shown[T]], rows: Iterable[T], empty: str) -> list[str]:
    """Return a table with its labels, each column as wide as its widest cell; `empty` alone where there are no rows."""
    texts = [[clean(column.text(row)) for column in columns] for row in rows]
    if not texts:
        return [empty]
    labels = [column.label for column in columns]
    widths = [max(map(cells, column)) for column in zip(labels, *texts, strict=True)]
    return [_line(columns, line, widths) for line in (labels, *texts)]


def _line(columns: Sequence[Shown[T]], texts: Sequence[str], widths: Sequence[int]) -> str:
    parts = []
    for column, text, width in zip(columns, texts, widths, strict=True):
        room = " " * (width - cells(text))
        parts.append(room + text if column.right else text + room)
    return GAP.join(parts).rstrip()


def figures(rows: Iterable[tuple[str, str]]) -> list[str]:
    """Return named figures below each other."""
    listed = list(rows)
    width = max((cells(name) for name, _ in listed), default=0)
    return [f"{name}{' ' * (width - cells(name))}{GAP}{clean(text)}".rstrip() for name, text in listed]


def time_text(at: datetime | None, zone: tzinfo = UTC) -> str:
    """Return a moment to the second in a zone."""
    if at is None:
        return DASH
    try:
        return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}"
    except OverflowError:
        return f"{at:%Y-%m-%d %H:%M:%S}"


def _word(value: object) -> str:
    return DASH if value is None else str(value)


def _held(seconds: int | None) -> str:
    return DASH if seconds is None else str(timedelta(seconds=seconds))


def _of(name: str, label: str = "", text: Callable[[Any], str] = _word, *, right: bool = False) -> Shown[Any]:
    """Return a column of a field."""
    return Shown(label or name.replace("_", " "), lambda row: text(getattr(row, name)), right=right)


def _figure(name: str, label: str = "", text: Callable[[Decimal | None], str] = exact) -> Shown[Any]:
    return _of(name, label, text, right=True)


def _gain(value: Decimal | None) -> str:
    return money(value, plus=True)


def _rate(value: Decimal | None) -> str:
    return percent(value, 4, plus=True)


def _average(value: Decimal | None) -> str:
    return near_price(value, None)


def _end(address: str, subaccount: int | None) -> str:
    return address if subaccount is None else f"{address}/{subaccount}"


def history_columns(kind: ExportKind, zone: tzinfo) -> tuple[Shown[Any], ...]:
    """Return the columns of a history, with times in `zone`."""
    makers: dict[ExportKind, Callable[[tzinfo], tuple[Shown[Any], ...]]] = {
        ExportKind.FILLS: _fill_columns,
        ExportKind.ORDERS: _noted_order_columns,
        ExportKind.FUNDING: _funding_columns,
        ExportKind.TRANSFERS: _transfer_columns,
        ExportKind.LIVES: _life_columns,
        ExportKind.PNL_BY_DAY: _day_columns,
    }
    return makers[kind](zone)


def _time(name: str, label: str, zone: tzinfo) -> Shown[Any]:
    return _of(name, label, lambda at: time_text(at, zone))


def _fill_columns(zone: tzinfo) -> tuple[Shown[FillRow], ...]:
    return (
        _time("created_at", "time", zone),
        _of("subaccount", "sub", right=True),
        _of("market"),
        _of("side"),
        _of("liquidity", "role"),
        _of("type"),
        _figure("size"),
        _figure("price"),
        _figure("value", text=money),
        _figure("fee"),
        _figure("closed_pnl", "closed pnl", _gain),
        _of("order_id", "order"),
    )


def _noted_order_columns(zone: tzinfo) -> tuple[Shown[OrderRow], ...]:
    return (
        _time("placed_at", "placed", zone),
        _of("subaccount", "sub", right=True),
        _of("market"),
        _of("side"),
        _of("type"),
        _figure("size"),
        _figure("price"),
        _figure("trigger_price", "trigger"),
        _figure("filled"),
        _figure("average_fill_price", "average", _average),
        _of("status"),
        _of("reason_text", "reason"),
        _of("id"),
    )


def _funding_columns(zone: tzinfo) -> tuple[Shown[FundingRow], ...]:
    return (
        _time("created_at", "time", zone),
        _of("subaccount", "sub", right=True),
        _of("market"),
        _figure("payment", text=lambda value: exact(value, plus=True)),
        _figure("rate", "rate %", _rate),
        _figure("net_size", "size"),
        _figure("oracle_price", "oracle"),
    )


def _transfer_columns(zone: tzinfo) -> tuple[Shown[TransferRow], ...]:
    return (
        _time("created_at", "time", zone),
        _of("type"),
        _figure("size"),
        _of("asset"),
        Shown("from", lambda row: _end(row.sender, row.sender_subaccount)),
        Shown("to", lambda row: _end(row.recipient, row.recipient_subaccount)),
    )


def _life_columns(zone: tzinfo) -> tuple[Shown[LifeRow], ...]:
    return (
        _time("opened_at", "opened", zone),
        _time("closed_at", "closed", zone),
        _of("held_s", "held", _held, right=True),
        _of("subaccount", "sub", right=True),
        _of("market"),
        _of("side"),
        _figure("max_size", "size"),
        _figure("entry_price", "entry", _average),
        _figure("exit_price", "exit", _average),
        _figure("realized", text=_gain),
        _figure("fees", text=money),
        _figure("funding", text=_gain),
        _figure("net", text=_gain),
        _of("fills", right=True),
    )


def _day_columns(_zone: tzinfo) -> tuple[Shown[DayRow], ...]:
    return (
        _of("day"),
        _of("subaccount", "sub", lambda value: "all" if value is None else str(value), right=True),
        _of("market", text=lambda value: "all" if value is None else value),
        _figure("realized", text=_gain),
        _figure("fees", text=money),
        _figure("funding", text=_gain),
        _figure("net", text=_gain),
        _figure("volume", text=money),
        _of("fills", right=True),
    )


def order_lines(
    order: OrderRow, fills: Sequence[FillRow], hops: Sequence[Any], lives: Sequence[LifeRow], zone: tzinfo
) -> list[str]:
    """Return an order with its fills, the standings that it came to, and the position lives in which it traded.

    `hops` are items of `views/pages`.
    """
    lines = figures(
        [
            ("order", order.id),
            ("what", f"{_word(order.side)} {exact(order.size)} {_word(order.market)} {_word(order.type)}"),
            ("price", exact(order.price)),
            ("trigger", exact(order.trigger_price)),
            ("subaccount", _word(order.subaccount)),
            ("placed", time_text(order.placed_at, zone)),
            ("status", _word(order.status)),
            ("reason", _word(order.reason_text)),
            ("filled", f"{exact(order.filled)} of {exact(order.size)}"),
            ("average", _average(order.average_fill_price)),
        ]
    )
    for title, table in (
        ("fills", table_lines(_fill_columns(zone), fills, "none known")),
        ("hops", table_lines(_hop_columns(zone), hops, "none seen")),
        ("position", table_lines(_life_columns(zone), lives, "none known")),
    ):
        lines += ["", title, *table]
    return lines


def _hop_columns(zone: tzinfo) -> tuple[Shown[Any], ...]:
    return (
        _time("at", "learnt", zone),
        _of("height", right=True),
        _of("source"),
        _of("status"),
        _of("reason"),
        _figure("filled"),
        _figure("size"),
        _figure("price"),
        Shown("good til", lambda hop: _good_til(hop, zone)),
    )


# The picture of now


def account_lines(document: doc.AccountSection) -> list[str]:
    """Return the account's own figures."""
    return figures(
        [
            ("account", f"{_word(document.address)}, parent {_word(document.parent_subaccount)}"),
            ("equity", money(document.equity)),
            ("free collateral", money(document.free_collateral)),
            ("margin usage", f"{percent(document.margin_usage)} %"),
            ("leverage", f"{money(document.effective_leverage)}×"),
        ]
    )


def pnl_lines(section: doc.PnlSection) -> list[str]:
    """Return the account's PNL in all."""
    return figures(
        [
            ("realized", _gain(section.realized)),
            ("unrealized", _gain(section.unrealized)),
            ("fees", money(section.fees)),
            ("funding", _gain(section.funding)),
            ("net", _gain(section.net)),
            ("since", time_text(section.since)),
            ("funding of the running hour, estimated", _gain(section.funding_estimate)),
        ]
    )


def subaccount_columns() -> tuple[Shown[doc.SubaccountItem], ...]:
    """Return the columns of an account's subaccounts."""
    return (
        _of("number", "sub", right=True),
        _figure("usdc", text=money),
        _figure("equity", text=money),
        _figure("free_collateral", "free", money),
        _figure("margin_usage", "usage %", percent),
        _figure("effective_leverage", "leverage", money),
        _figure("initial_margin", "initial", money),
        _figure("maintenance_margin", "maintenance", money),
    )


def balance_columns() -> tuple[Shown[doc.BalanceItem], ...]:
    """Return the columns of balances."""
    return (_of("subaccount", "sub", right=True), _of("asset"), _figure("amount"))


def position_columns(zone: tzinfo = UTC) -> tuple[Shown[doc.PositionItem], ...]:
    """Return the columns of positions."""
    return (
        _of("subaccount", "sub", right=True),
        _of("market"),
        _figure("net_size", "size"),
        _figure("average_cost", "cost", _average),
        _of("cost_basis", "basis"),
        _figure("oracle_price", "oracle"),
        _figure("notional", text=money),
        _figure("unrealized_pnl", "unrealized", _gain),
        _figure("unrealized_pnl_pct", "%", lambda value: percent(value, plus=True)),
        _figure("liquidation_price", "liquidation", _average),
        _figure("effective_leverage", "leverage", money),
        _figure("funding", text=_gain),
        _time("opened_at", "opened", zone),
    )


def order_columns(zone: tzinfo = UTC) -> tuple[Shown[doc.OrderItem], ...]:
    """Return the columns of working orders."""
    return (
        _of("subaccount", "sub", right=True),
        _of("market"),
        _of("side"),
        _of("type"),
        _of("lifetime"),
        _figure("size"),
        _figure("filled"),
        _figure("price"),
        _figure("trigger_price", "trigger"),
        _of("status"),
        Shown("good til", lambda order: _good_til(order, zone)),
        _of("id"),
    )


def _good_til(order: Any, zone: tzinfo) -> str:
    return f"#{order.good_til_block}" if order.good_til_block is not None else time_text(order.good_til_time, zone)


def market_columns() -> tuple[Shown[doc.MarketItem], ...]:
    """Return the columns of markets."""
    return (
        _of("ticker", "market"),
        _of("status"),
        _figure("oracle_price", "oracle"),
        _figure("change_24h_pct", "24h %", lambda value: percent(value, plus=True)),
        _figure("volume_24h", "volume 24h", lambda value: money(value, 0)),
        _figure("open_interest", "open interest"),
        _figure("funding_rate_1h", "funding 1h %", _rate),
        _figure("max_leverage", "leverage", money),
        _figure("tick_size", "tick"),
        _figure("step_size", "step"),
    )


def market_pnl_columns(zone: tzinfo = UTC) -> tuple[Shown[Any], ...]:
    """Return the columns of PNL by market."""
    return (
        _of("subaccount", "sub", right=True),
        _of("market"),
        _figure("realized", text=_gain),
        _figure("unrealized", text=_gain),
        _figure("fees", text=money),
        _figure("funding", text=_gain),
        _figure("net", text=_gain),
        _time("since", "since", zone),
    )
