"""`fills`, `orders --all`, `funding`, `transfers`, `pnl`, `order show`: filters, pages, and what they say of gaps."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal, localcontext
from typing import Any

import pytest
from builders import ADDRESS
from cli.pasts import Place, past, some_past, table
from cli.terminals import asked, networks_file, ran, short_home, venue
from hypothesis import given
from hypothesis import strategies as st
from venue.old_venue import OldVenue, at_block, fill, order

from dydx_console.cli.common import Paging, Range, UsageError
from dydx_console.cli.filtering import Wishes, cursor_of, mark_of, query_of
from dydx_console.domain.numbers import MATH
from dydx_console.ports.journal import PageMark
from dydx_console.views.history_filter import FILLS_FILTER
from dydx_console.views.pages import READINGS, LivesPage, OrderDocument, PnlDocument

NAMED = ("--network", "no such network", "--address", ADDRESS)


@pytest.fixture(scope="module")
def old() -> Iterator[Place]:
    with past(some_past(130)) as place:
        yield place


@pytest.fixture(scope="module")
def busy() -> Iterator[Place]:
    with venue() as served, short_home() as home:
        yield Place(home, networks_file(home, {"mine": served.urls}, "mine"))


def document(place: Place, *words: str) -> dict[str, Any]:
    done = place.run(*words, "--json")
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.nightly
def test_pages_by_number_and_by_cursor_are_the_same_rows(old: Place) -> None:
    first = document(old, "fills")
    assert (first["matching"], len(first["rows"]), first["known"]["is_complete"]) == (130, 50, True)
    assert first["rows"][0]["id"] == "fill-000130"
    second = document(old, "fills", "--page", "2")
    assert document(old, "fills", "--after", first["next"]) == second
    last = document(old, "fills", "--page", "3")
    assert (last["next"], len(last["rows"]), last["rows"][-1]["id"]) == (None, 30, "fill-000001")
    beyond = old.run("fills", "--page", "4")
    assert (beyond.returncode, beyond.stdout) == (2, "")
    assert "--page 4: the last page is 3" in beyond.stderr
    oldest = document(old, "fills", "--oldest-first", "--limit", "2", "--page", "3")
    assert [row["id"] for row in oldest["rows"]] == ["fill-000005", "fill-000006"]


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("words", "ids"),
    [
        (("fills", "--order-id", "order-000007"), ["fill-000007"]),
        (("fills", "--text", "L-00001", "--until", "2026-01-01T00:00:12"), ["fill-000011", "fill-000010"]),
        (("fills", "--side", "sell"), []),
        (("fills", "--subaccount", "128"), []),
        (("fills", "--since", "2026-01-01T00:02:09"), ["fill-000130", "fill-000129"]),
        (("fills", "--since", "2026-01-01T01:02:09+01:00", "--time-zone", "UTC"), ["fill-000130", "fill-000129"]),
        (("orders", "--all", "--side", "sell", "--limit", "2"), ["order-000020", "order-000018"]),
        (("orders", "--all", "--status", "filled", "--status", "open"), []),
        (("transfers", "--type", "deposit", "--limit", "1"), ["transfer-000005"]),
    ],
    ids=str,
)  # fmt: skip
def test_filters(old: Place, words: tuple[str, ...], ids: list[str]) -> None:
    assert [row["id"] for row in document(old, *words)["rows"]] == ids


def test_a_table_in_a_zone(old: Place) -> None:
    done = old.run("fills", "--limit", "1", "--time-zone", "Europe/Zurich")
    labels, row, rest = done.stdout.splitlines()
    assert labels.split()[:6] == ["time", "sub", "market", "side", "role", "type"]
    assert row.startswith("2026-01-01 01:02:10    0  BTC-USD  BUY   TAKER  LIMIT")
    assert re.fullmatch(r"1 of 130; go on with --page or --after \S+", rest)
    nothing = old.run("fills", "--side", "sell")
    assert (nothing.returncode, nothing.stdout) == (0, "no fills match\n")


def test_csv_is_a_page_of_the_export(old: Place) -> None:
    whole = table(old.run("export", "funding", "--to", "-").stdout)
    page = table(old.run("funding", "--csv", "--oldest-first").stdout)
    assert page == whole
    assert len(whole) == 7


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("orders", "--all", "--status", "done"), "there is no status 'done': allowed are pending, rejected"),
        (("orders", "--all", "--side", "up"), "there is no side 'up': allowed are buy, sell"),
        (("orders", "--all", "--type", "iceberg"), "there is no type 'iceberg': allowed are limit, market"),
        (("positions", "--closed", "--status", "filled"), "there is no status 'filled': allowed are open, closed"),
        (("transfers", "--type", "gift"), "allowed are deposit, withdrawal, transfer_in, transfer_out"),
        (("fills", "--subaccount", "-1"), "'-1' is no subaccount: allowed are numbers from 0"),
        (("fills", "--market", "BTC USD"), "'BTC USD' is no market; give the option once for each"),
        (("fills", "--since", "2026-02-01", "--until", "2026-01-01"), "is not before --until 2026-01-01"),
        (("fills", "--after", "x"), "--after 'x' is no cursor"),
        (("fills", "--after", cursor_of(PageMark(at_block(1), "f")), "--page", "2"), "give one of them"),
        (("fills", "--limit", "0"), "should be greater than or equal to 1"),
        (("fills", "--json", "--csv"), "give one of them"),
        (("orders", "--since", "2026-01-01", "--page", "2"), "--since, --page: only a history has that; add --all"),
        (("pnl", "--since", "2026-01-01"), "a range goes with --by-day"),
        (("pnl", "--by-day", "--time-zone", "Nowhere"), "there is no time zone 'Nowhere'"),
        (("order", "show"), "order"),
    ],
    ids=str,
)
def test_what_is_asked_wrongly_is_refused_before_anything_is_read(words: tuple[str, ...], told: str) -> None:
    with short_home() as home:
        done = asked(home, *words, *NAMED)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in " ".join(done.stderr.split())


@pytest.mark.nightly
def test_a_market_that_the_venue_does_not_have(busy: Place) -> None:
    done = busy.run("fills", "--market", "BTC-EUR")
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no market 'BTC-EUR'" in done.stderr
    assert {row["market"] for row in document(busy, "fills", "--market", "btc-usd")["rows"]} == {"BTC-USD"}


def test_an_order_with_its_fills(busy: Place) -> None:
    row = next(row for row in document(busy, "fills")["rows"] if row["order_id"] is not None)
    told = OrderDocument.model_validate(document(busy, "order", "show", row["order_id"]))
    assert row["id"] in {fill.id for fill in told.fills}
    value, size = sum(fill.value for fill in told.fills), sum(fill.size for fill in told.fills)
    assert told.order.filled == size
    assert told.order.average_fill_price is not None
    assert abs(told.order.average_fill_price - value / size) < Decimal("1e-20")
    assert told.lives, "a fill belongs to a position"
    assert all(life.market == row["market"] for life in told.lives)
    shown = busy.run("order", "show", row["order_id"])
    assert shown.stdout.splitlines()[0].split() == ["order", row["order_id"]]
    unknown = busy.run("order", "show", "no-such-order")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "no order 'no-such-order' is known" in unknown.stderr


@pytest.mark.nightly
def test_lives_and_pnl_say_the_same(busy: Place) -> None:
    lives = LivesPage.model_validate(document(busy, "positions", "--closed", "--limit", "10000"))
    pnl = PnlDocument.model_validate(document(busy, "pnl"))
    assert lives.matching == len(lives.rows) > 0
    assert pnl.known.is_complete
    assert pnl.pnl.by_market
    for row in pnl.pnl.by_market:
        assert row.realized is not None
        assert row.net is not None
        assert row.unrealized is not None
        assert row.fees is not None
        assert row.funding is not None
        with localcontext(MATH):
            assert row.net == row.realized + row.unrealized - row.fees + row.funding
    days = document(busy, "pnl", "--by-day")["rows"]
    assert all(day["market"] is None and day["realized"] is not None for day in days)
    assert len(table(busy.run("pnl", "--csv").stdout)) >= len(pnl.pnl.by_market)


def test_a_history_that_the_venue_cuts_says_from_when_it_is_known() -> None:
    block = 900
    cut = OldVenue(orders=[order(number, block=block) for number in range(1, 2_500)], height=3_000)
    with past(cut) as place:
        done = place.run("orders", "--all", "--json")
        known = json.loads(done.stdout)["known"]
        assert not known["is_complete"]
        assert known["problem"]
        assert done.returncode in (0, 75)
        assert "the history is not whole" in done.stderr


def test_every_document_has_a_schema() -> None:
    with short_home() as home:
        for name in ("fills", "order-show"):
            done = ran(home, "schema", name)
            assert json.loads(done.stdout) == READINGS[name].model_json_schema(mode="serialization")


@given(st.datetimes(timezones=st.just(at_block(0).tzinfo)), st.text(st.characters(exclude_categories=("Cs",))))
def test_a_cursor_comes_back(at: Any, key: str) -> None:
    assert mark_of(cursor_of(PageMark(at, key))) == PageMark(at, key)


@given(st.text())
def test_any_other_cursor_is_refused_in_words(text: str) -> None:
    with pytest.raises(UsageError, match="is no cursor"):
        mark_of(text)


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_whatever_is_written_is_read_or_refused_in_words(since: str, market: str, zone: str) -> None:
    wishes = Wishes(range=Range(since=since, time_zone=zone or "UTC"), paging=Paging(), markets=(market,))
    try:
        query = query_of(FILLS_FILTER, wishes)
    except UsageError:
        return
    assert query.since is not None
    assert query.markets


def test_a_fill_of_another_parent_is_not_told() -> None:
    other = {**fill(2), "subaccountNumber": 1}
    with past(OldVenue(fills=[fill(1), other, {**fill(3), "subaccountNumber": 128}], height=100)) as place:
        assert {row["subaccount"] for row in document(place, "fills")["rows"]} == {0, 128}
