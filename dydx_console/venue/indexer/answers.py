"""REST answers of the Indexer turned into facts: which path means what, and what its body says.

Source of paths and bodies: dydxprotocol/v4-chain indexer/services/comlink/src/controllers/api/v4.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit

import msgspec

from dydx_console.domain.events import (
    AccountRead,
    AddressRead,
    BookRead,
    CandlesRead,
    ChannelKey,
    Fact,
    FillsRead,
    FundingRead,
    HeightRead,
    MarketsRead,
    MessageRejected,
    OrdersRead,
    ReadFailed,
    RewardsRead,
    TimeRead,
    TradesRead,
    TransfersRead,
)
from dydx_console.domain.ids import subaccount_number
from dydx_console.domain.numbers import NumberError, height_of, time_of
from dydx_console.domain.text import clean
from dydx_console.venue.indexer import pnl_answers, rows, wire

__all__ = ["Answer", "error_text", "facts_of_answer"]

SAMPLE_LENGTH = 200

Row = TypeVar("Row")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP exchange with the Indexer.

    `path` with its query; `asked_at` and `at` in monotonic seconds; `connection` is the newest WebSocket connection
    whose account had been answered when it was asked (0 before the first).
    """

    path: str
    status: int
    body: str | bytes
    asked_at: float
    at: float
    connection: int


class _ListOf(msgspec.Struct):
    positions: tuple[msgspec.Raw, ...] = ()
    fills: tuple[msgspec.Raw, ...] = ()
    transfers: tuple[msgspec.Raw, ...] = ()
    funding: tuple[msgspec.Raw, ...] = msgspec.field(name="fundingPayments", default=())
    rewards: tuple[msgspec.Raw, ...] = ()
    offset: int | None = None
    total: int | None = msgspec.field(name="totalResults", default=None)


class _Subaccount(msgspec.Struct):
    subaccount: wire.SubaccountRow


class _Address(msgspec.Struct):
    subaccounts: tuple[wire.SubaccountRow, ...]


class _Markets(msgspec.Struct):
    markets: dict[str, wire.MarketRow]


_list_of = msgspec.json.Decoder(_ListOf)
_bare_list = msgspec.json.Decoder(tuple[msgspec.Raw, ...])
_order = msgspec.json.Decoder(wire.OrderRow)
_fill = msgspec.json.Decoder(wire.FillRow)
_transfer = msgspec.json.Decoder(wire.TransferRow)
_funding = msgspec.json.Decoder(wire.FundingRow)
_reward = msgspec.json.Decoder(wire.RewardRow)
_subaccount = msgspec.json.Decoder(_Subaccount)
_address_rows = msgspec.json.Decoder(_Address)
_all_markets = msgspec.json.Decoder(_Markets)
_book = msgspec.json.Decoder(wire.BookSnapshotContents)
_trades = msgspec.json.Decoder(wire.TradesContents)
_candles = msgspec.json.Decoder(wire.CandlesContents)
_height = msgspec.json.Decoder(wire.HeightContents)
_time = msgspec.json.Decoder(wire.TimeContents)
_error = msgspec.json.Decoder(wire.ErrorBody)

_Query = dict[str, list[str]]
_Reader = Callable[[Answer, "re.Match[str]", _Query], tuple[Fact, ...]]


def facts_of_answer(answer: Answer) -> tuple[Fact, ...]:
    """Return what an answer tells; nothing for a path that the console does not use.

    A row of a list that cannot be read is left out and counted, the others are taken: absence from a list proves
    nothing. An answer that replaces what is held is taken whole or not at all.
    """
    try:
        split = urlsplit(answer.path)
    except ValueError:
        return ()
    for pattern, reader in _ROUTES:
        match = pattern.fullmatch(split.path)
        if match is None:
            continue
        if answer.status != 200 and not (answer.status == 404 and reader in _EMPTY_AT_404):
            return (ReadFailed(clean(split.path), answer.status, error_text(answer.status, answer.body), answer.at),)
        try:
            return reader(answer, match, parse_qs(split.query))
        except (*wire.UNREADABLE, NumberError) as error:
            return (_rejected(answer, str(error), answer.body),)
    return ()


def error_text(status: int, body: str | bytes) -> str:
    """Return the Indexer's own words for a refusal, or the status where its body is not the Indexer's."""
    try:
        parsed = _error.decode(body)
    except wire.UNREADABLE:
        return f"HTTP {status}"
    words = "; ".join(entry.msg for entry in parsed.errors if entry.msg) or parsed.error or ""
    return clean(f"HTTP {status}: {words}" if words else f"HTTP {status}", SAMPLE_LENGTH)


def _rejected(answer: Answer, reason: str, sample: str | bytes) -> MessageRejected:
    shown = sample if isinstance(sample, str) else bytes(sample[: SAMPLE_LENGTH * 4]).decode("utf-8", "replace")
    path = urlsplit(answer.path).path
    return MessageRejected(
        f"GET {clean(path, 80)}",
        ChannelKey("http", clean(path, 80)),
        clean(reason, SAMPLE_LENGTH),
        clean(shown[: SAMPLE_LENGTH * 2], SAMPLE_LENGTH),
        answer.at,
    )


def _each(
    answer: Answer,
    raws: tuple[msgspec.Raw, ...],
    decoder: "msgspec.json.Decoder[Row]",
    convert: Callable[[Row], Value],
) -> tuple[tuple[Value, ...], tuple[Fact, ...]]:
    good: list[Value] = []
    bad: list[Fact] = []
    for raw in raws:
        try:
            good.append(convert(decoder.decode(raw)))
        except (*wire.UNREADABLE, NumberError) as error:
            bad.append(_rejected(answer, str(error), bytes(raw)))
    return tuple(good), tuple(bad)


def _number(query: _Query, name: str) -> int | None:
    return subaccount_number(query.get(name, [""])[0])


def _address(query: _Query) -> str | None:
    value = query.get("address")
    return clean(value[0]) if value else None


def _account(answer: Answer, match: "re.Match[str]", _query: _Query) -> tuple[Fact, ...]:
    is_parent = match["kind"] == "parentSubaccountNumber"
    number = int(match["number"])
    children = () if answer.status == 404 else rows.children_of(_subaccount.decode(answer.body).subaccount)
    return (
        AccountRead(
            address=clean(match["address"]),
            parent=number if is_parent else None,
            subaccount=None if is_parent else number,
            exists=answer.status != 404,
            children=children,
            connection=answer.connection,
            asked_at=answer.asked_at,
            at=answer.at,
        ),
    )


def _address_subaccounts(answer: Answer, match: "re.Match[str]", _query: _Query) -> tuple[Fact, ...]:
    listed = () if answer.status == 404 else _address_rows.decode(answer.body).subaccounts
    numbers = tuple(row.subaccount_number for row in listed if row.subaccount_number is not None)
    return (AddressRead(clean(match["address"]), numbers, answer.at),)


def _orders(answer: Answer, _match: "re.Match[str]", query: _Query) -> tuple[Fact, ...]:
    number = _number(query, "subaccountNumber")
    good, bad = _each(answer, _bare_list.decode(answer.body), _order, lambda row: rows.order_of(row, number))
    return (OrdersRead(_address(query), good, answer.connection, answer.asked_at, answer.at), *bad)


def _one_order(answer: Answer, _match: "re.Match[str]", _query: _Query) -> tuple[Fact, ...]:
    patch = rows.order_of(_order.decode(answer.body), None)
    return (OrdersRead(None, (patch,), answer.connection, answer.asked_at, answer.at),)


def _fills(answer: Answer, _match: "re.Match[str]", query: _Query) -> tuple[Fact, ...]:
    number = _number(query, "subaccountNumber")
    body = _list_of.decode(answer.body)
    good, bad = _each(answer, body.fills, _fill, lambda row: rows.fill_of(row, number))
    return (FillsRead(_address(query), good, "page" in query, answer.at, body.offset, body.total), *bad)


def _transfers(answer: Answer, _match: "re.Match[str]", query: _Query) -> tuple[Fact, ...]:
    body = _ListOf() if answer.status == 404 else _list_of.decode(answer.body)
    good, bad = _each(answer, body.transfers, _transfer, rows.transfer_of)
    return (TransfersRead(_address(query), good, answer.at, body.total), *bad)


def _funding_payments(answer: Answer, _match: "re.Match[str]", query: _Query) -> tuple[Fact, ...]:
    body = _list_of.decode(answer.body)
    good, bad = _each(answer, body.funding, _funding, rows.funding_of)
    number = _number(query, "subaccountNumber")
    return (FundingRead(_address(query), good, answer.asked_at, answer.at, number, body.total), *bad)


def _block_rewards(answer: Answer, match: "re.Match[str]", _query: _Query) -> tuple[Fact, ...]:
    listed = () if answer.status == 404 else _list_of.decode(answer.body).rewards
    good, bad = _each(answer, listed, _reward, rows.reward_of)
    return (RewardsRead(clean(match["address"]), good, answer.at), *bad)


def _perpetual_markets(answer: Answer, _match: "re.Match[str]", _query: _Query) -> tuple[Fact, ...]:
    markets = _all_markets.decode(answer.body).markets
    return (MarketsRead(tuple(rows.market_of(ticker, row) for ticker, row in markets.items()), answer.at),)


def _order_book(answer: Answer, match: "re.Match[str]", _query: _Query) -> tuple[Fact, ...]:
    body = _book.decode(answer.body)
    bids, asks = rows.levels_of(body.bids), rows.levels_of(body.asks)
    return (BookRead(clean(match["ticker"]), bids, asks, answer.at, answer.asked_at),)


def _tape(answer: Answer, match: "re.Match[str]", _query: _Query) -> tuple[Fact, ...]:
    market = clean(match["ticker"])
    trades = tuple(rows.trade_of(market, row) for row in _trades.decode(answer.body).trades)
    return (TradesRead(market, trades, answer.at),)


def _candle_rows(answer: Answer, match: "re.Match[str]", query: _Query) -> tuple[Fact, ...]:
    candles = tuple(rows.candle_of(row) for row in _candles.decode(answer.body).candles)
    return (CandlesRead(clean(match["ticker"]), clean(query.get("resolution", [""])[0]), candles, answer.at),)


def _height_answer(answer: Answer, _match: "re.Match[str]", _query: _Query) -> tuple[Fact, ...]:
    body = _height.decode(answer.body)
    return (HeightRead(height_of(str(body.height)), time_of(body.time), answer.at),)


def _time_answer(answer: Answer, _match: "re.Match[str]", _query: _Query) -> tuple[Fact, ...]:
    return (TimeRead(time_of(_time.decode(answer.body).iso), answer.asked_at, answer.at),)


def _pnl(answer: Answer, match: "re.Match[str]", query: _Query) -> tuple[Fact, ...]:
    kind = match["kind"]
    listed, total = ((), None) if answer.status == 404 else pnl_answers.rows_in(kind, answer.body)
    good, bad = _each(answer, listed, pnl_answers.RAW, pnl_answers.CONVERTERS[kind])
    number = _number(query, "subaccountNumber")
    return (pnl_answers.pnl_fact(kind, _address(query), number, good, total=total, at=answer.at), *bad)


_V4 = r"(?:.*?/)?v4"
_PARENT = r"(?:/parentSubaccountNumber)?"
_ROUTES: tuple[tuple["re.Pattern[str]", _Reader], ...] = tuple(
    (re.compile(_V4 + pattern), reader)
    for pattern, reader in (
        (
            r"/addresses/(?P<address>[^/]+)/(?P<kind>subaccountNumber|parentSubaccountNumber)/(?P<number>\d{1,6})",
            _account,
        ),
        (r"/addresses/(?P<address>[^/]+)", _address_subaccounts),
        (rf"/orders{_PARENT}", _orders),
        (r"/orders/[0-9a-fA-F-]{36}", _one_order),
        (rf"/fills{_PARENT}", _fills),
        (rf"/transfers{_PARENT}", _transfers),
        (r"/fundingPayments(?:/parentSubaccount)?", _funding_payments),
        (r"/historicalBlockTradingRewards/(?P<address>[^/]+)", _block_rewards),
        (r"/perpetualMarkets", _perpetual_markets),
        (r"/orderbooks/perpetualMarket/(?P<ticker>[^/]+)", _order_book),
        (r"/trades/perpetualMarket/(?P<ticker>[^/]+)", _tape),
        (r"/candles/perpetualMarkets/(?P<ticker>[^/]+)", _candle_rows),
        (rf"/(?P<kind>{pnl_answers.PATHS}){_PARENT}", _pnl),
        (r"/height", _height_answer),
        (r"/time", _time_answer),
    )
)
_EMPTY_AT_404: tuple[_Reader, ...] = (_account, _address_subaccounts, _transfers, _block_rewards, _pnl)
"""Paths that answer 404 for an account that was never funded; the others answer it with empty lists."""
