"""Markets, books, tape and candles: each figure by its own version."""

import random
from decimal import Decimal
from typing import Any

import pytest
from builders import at_height, version
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.domain.market import Market, OraclePrice
from dydx_console.domain.tape import Candle, Trade
from dydx_console.state.books import MOST_LEVELS, Books
from dydx_console.state.markets import Markets
from dydx_console.state.tape import MOST_CANDLES, MOST_TRADES, Candles, Tape

D = Decimal
BTC = "BTC-USD"


def oracle(price: str, height: int) -> OraclePrice:
    return OraclePrice(BTC, D(price), at_height(height), height, 0)


def test_the_stream_stands_over_rest_figure_by_figure() -> None:
    markets = Markets()
    markets.take_rows([Market(BTC, volume_24h=D(5))], version(3))
    markets.take_read([Market(BTC, volume_24h=D(1), trades_24h=7, oracle_price=D(100))])
    held = markets.get(BTC)
    assert held is not None
    assert (held.volume_24h, held.trades_24h, held.oracle_price) == (D(5), 7, D(100))
    markets.take_rows([Market(BTC, volume_24h=D(4), trades_24h=8)], version(2))
    held = markets.all[BTC]
    assert (held.volume_24h, held.trades_24h) == (D(5), 8)
    assert markets.get("X") is None


def test_oracle_prices_keep_their_height_and_the_newest_stands() -> None:
    markets = Markets()
    markets.take_oracle([oracle("100", 5)], version(5))
    markets.take_oracle([oracle("90", 4)], version(4))
    markets.take_rows([Market(BTC, oracle_price=D(80), status="ACTIVE")], version(3))
    held = markets.all[BTC]
    assert (held.oracle_price, held.oracle_height, held.status) == (D(100), 5, "ACTIVE")
    markets.take_rows([Market(BTC, oracle_price=D(80))], version(9))
    assert (markets.all[BTC].oracle_price, markets.all[BTC].oracle_height) == (D(80), None)


def levels(*rows: str) -> list[tuple[Decimal, Decimal]]:
    return [(D(price), D(size)) for price, _, size in (row.partition("@") for row in rows)]


def test_a_snapshot_replaces_and_later_levels_stay() -> None:
    books = Books()
    assert BTC not in books
    books.take_levels(BTC, levels("100@1"), levels("101@1"), version(9))
    books.take_snapshot(BTC, levels("99@2"), levels("101@5", "102@5"), version(4))
    view = books.view(BTC)
    assert (view.bids, view.asks) == (tuple(levels("100@1", "99@2")), tuple(levels("101@1", "102@5")))
    books.take_levels(BTC, levels("98@1"), [], version(3))
    books.take_snapshot(BTC, [], [], version(2))
    assert books.view(BTC) == view
    assert BTC in books
    assert books.markets == (BTC,)
    assert books.view(BTC, 1).bids == tuple(levels("100@1"))


def test_a_removed_level_does_not_come_back_with_a_delayed_message() -> None:
    books = Books()
    books.take_levels(BTC, levels("100@0"), [], version(9))
    books.take_levels(BTC, levels("100@3"), [], version(8))
    assert books.view(BTC).bids == ()
    assert (books.view(BTC).mid_price, books.view(BTC).spread, books.view(BTC).spread_fraction) == (None, None, None)


@pytest.mark.parametrize(
    ("bid", "ask", "bids", "asks"),
    [
        (("102", "1", 5), ("101", "9", 7), [], ["101"]),
        (("102", "9", 7), ("101", "1", 5), ["102"], []),
        (("102", "2", 7), ("101", "1", 7), ["102"], []),
        (("102", "1", 7), ("101", "2", 7), [], ["101"]),
        (("102", "1", 7), ("101", "1", 7), [], ["101"]),
        (("101", "1", 7), ("101", "1", 8), [], ["101"]),
    ],
)
def test_where_sides_cross_the_older_level_gives_way(bid: Any, ask: Any, bids: list[str], asks: list[str]) -> None:
    books = Books()
    books.take_levels(BTC, levels(f"{bid[0]}@{bid[1]}"), [], version(bid[2]))
    books.take_levels(BTC, [], levels(f"{ask[0]}@{ask[1]}"), version(ask[2]))
    view = books.view(BTC)
    assert ([str(p) for p, _ in view.bids], [str(p) for p, _ in view.asks]) == (bids, asks)
    assert view.was_crossed


def test_mid_and_spread() -> None:
    books = Books()
    books.take_snapshot(BTC, levels("99@1"), levels("101@1"), version(1))
    view = books.view(BTC)
    assert (view.mid_price, view.spread, view.spread_fraction, view.was_crossed) == (D(100), D(2), D("0.02"), False)


def test_removed_levels_are_forgotten_in_the_end() -> None:
    books = Books()
    for number in range(3 * MOST_LEVELS):
        books.take_levels(BTC, levels(f"{number + 1}@0"), levels("900000@1"), version(number))
    assert len(books.levels(BTC)[0]) <= MOST_LEVELS
    assert len(books.view(BTC).asks) == 1


@given(st.integers(0, 2**32))
def test_the_book_does_not_depend_on_the_order_of_arrival(seed: int) -> None:
    rng = random.Random(seed)
    steps = [(number, [(D(rng.randint(95, 105)), D(rng.randint(0, 3)))], rng.random() < 0.5) for number in range(1, 20)]
    first = rng.randint(1, 19)
    clean, mixed = Books(), Books()
    for books in (clean, mixed):
        for number, rows, is_bid in steps:
            if number == first:
                books.take_snapshot(BTC, rows, levels("110@1"), version(number))
            else:
                books.take_levels(BTC, rows if is_bid else [], [] if is_bid else rows, version(number))
        rng.shuffle(steps)
    assert clean.view(BTC) == mixed.view(BTC)


def trade(number: int, height: int | None = None) -> Trade:
    return Trade(f"{number:024x}", BTC, "BUY", D(1), D(100), "LIMIT", at_height(number), height)


def test_the_tape_keeps_the_newest_trades_once() -> None:
    tape = Tape()
    tape.take(BTC, [trade(n) for n in range(MOST_TRADES + 50)])
    tape.take(BTC, [trade(MOST_TRADES + 49, 7), trade(3)])
    newest = tape.newest(BTC)
    assert len(newest) == MOST_TRADES
    assert (newest[0].height, newest[-1].id) == (7, trade(50).id)
    tape.take(BTC, [trade(MOST_TRADES + 49)])
    assert tape.newest(BTC, 1)[0].height == 7
    assert tape.newest("X") == ()


def candle(number: int, close: str) -> Candle:
    return Candle(BTC, "1MIN", at_height(60 * number), D(1), D(1), D(1), D(close), D(0), D(0), 0, None, None, None)


def test_candles_are_replaced_by_start_and_version() -> None:
    candles = Candles()
    candles.take(BTC, "1MIN", [candle(1, "5")], version(5))
    candles.take(BTC, "1MIN", [candle(1, "4"), candle(0, "1")], version(4))
    candles.take(BTC, "1MIN", [candle(1, "9"), candle(2, "2")], None)
    candles.take(BTC, "1MIN", [candle(2, "3")], None)
    assert [row.close for row in candles.of(BTC, "1MIN")] == [D(1), D(5), D(3)]
    assert candles.of(BTC, "1DAY") == ()
    candles.take(BTC, "1MIN", [candle(n, "1") for n in range(MOST_CANDLES + 9)], None)
    assert len(candles.of(BTC, "1MIN")) == MOST_CANDLES
