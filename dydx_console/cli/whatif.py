"""`whatif`: what an order would do to the account's margin. Reads the Indexer once, and sends nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dydx_console.cli.common import UsageError

if TYPE_CHECKING:
    from dydx_console.cli.admission import Admission
    from dydx_console.domain.enums import Side
    from dydx_console.domain.market import Market
    from dydx_console.domain.order import Order
    from dydx_console.engine.once import Once
    from dydx_console.state.ticket import Desk, Ticket
    from dydx_console.views.whatif import Answer

__all__ = ["Asked", "UsageError", "Wishes", "ask", "asked_in", "register"]

EXAMPLE = "whatif buy 0.1 BTC-USD @ 64000"
SIDES = ("buy", "sell")
OTHER_SIDES = {"long": "buy", "short": "sell", "b": "buy", "s": "sell"}
MOST_TEXT = 40
MOST_LEVERAGE = Decimal(1_000)


@dataclass(frozen=True, slots=True)
class Asked:
    """An order as the words of a command line say it; without a price it takes what the book holds."""

    side: "Side"
    size: Decimal
    market: str
    price: Decimal | None


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the options of a command line say."""

    reduce_only: bool = False
    takes: bool = False
    isolated: bool = False
    leverage: str | None = None
    fee_rate: str | None = None
    table: bool = False
    table_market: str | None = None
    as_json: bool = False


def register(app: typer.Typer) -> None:
    """Add the command to a command line."""
    from dydx_console.cli import app as options

    @app.command("whatif", context_settings={"ignore_unknown_options": True})
    def whatif(
        words: Annotated[
            list[str], typer.Argument(metavar="SIDE SIZE MARKET [@ PRICE]", help="Such as buy 0.1 BTC-USD @ 64000.")
        ],
        reduce_only: Annotated[bool, typer.Option("--reduce-only", help="Only reduce; takes at once.")] = False,
        ioc: Annotated[bool, typer.Option("--ioc", help="Take at once at the price, with the taker's fee.")] = False,
        isolated: Annotated[bool, typer.Option("--isolated", help="Isolated, where it may be.")] = False,
        leverage: Annotated[str | None, typer.Option("--leverage", help="Leverage chosen for the market.")] = None,
        fee_rate: Annotated[str | None, typer.Option("--fee-rate", help="Your fee as a fraction: 0.0005.")] = None,
        table: Annotated[bool, typer.Option("--table", help="Add the account at other oracle prices.")] = False,
        only: Annotated[str | None, typer.Option("--only", help="Market whose price alone moves in the table.")] = None,
        network: options.NetworkName = None,
        address: options.Address = None,
        parent: options.Parent = None,
        environment: options.Environment = None,
        read_only: options.ReadOnly = False,
        confirm_network: options.ConfirmNetwork = None,
        json: options.Json = False,
        config: options.Config = None,
    ) -> None:
        """Say what an order would do to margin and liquidation prices. Sends nothing."""
        from dydx_console.cli.admission import Wanted, admit, checked_address, loaded_or_fail
        from dydx_console.cli.exits import Exit, fail
        from dydx_console.cli.log import open_log
        from dydx_console.safety.policy import Entry

        try:
            asked = asked_in(words)
        except UsageError as error:
            fail(Exit.USAGE, str(error))
        named = {"network": network, "address": checked_address(address), "environment": environment}
        loaded = loaded_or_fail(config, {**named, "parent_subaccount": parent})
        log_path = open_log(loaded.settings)
        if loaded.settings.address is None:
            fail(Exit.USAGE, "which account? Give --address dydx1…, or `address` in the configuration")
        admission = admit(loaded, Wanted(Entry.COMMAND, read_only=read_only, confirm_network=confirm_network))
        wishes = Wishes(reduce_only, ioc, isolated, leverage, fee_rate, table or only is not None, only, json)
        raise typer.Exit(ask(admission, asked, wishes, log_path))


def asked_in(words: Iterable[str]) -> Asked:
    """Return the order that words say: side, size, market, and perhaps @ and a price. Raises UsageError."""
    from dydx_console.domain.enums import Side

    given = [part for word in words for part in word.replace("@", " @ ").split()]
    strange = next((word for word in given if word.startswith("-") and not word[1:2].isdigit() and word != "-"), None)
    if strange is not None:
        raise UsageError(f"there is no option {strange[:MOST_TEXT]!r}")
    if len(given) < 3:
        raise UsageError(f"side, size and market are needed: {EXAMPLE}")
    side, size, market, *rest = given
    return Asked(Side(_side(side, size).upper()), _above_zero("size", size), market.upper(), _price(rest))


def _side(word: str, following: str) -> str:
    said = word.lower()
    if said in SIDES:
        return said
    if said in OTHER_SIDES:
        raise UsageError(f"{word!r} is no side; write {OTHER_SIDES[said]}")
    if following.lower() in SIDES:
        raise UsageError(f"the side comes before the size: {EXAMPLE}")
    raise UsageError(f"{word[:MOST_TEXT]!r} is no side; write buy or sell: {EXAMPLE}")


def _price(rest: list[str]) -> Decimal | None:
    if not rest:
        return None
    if rest[0] == "@" and len(rest) == 2:
        return _above_zero("price", rest[1])
    if rest == ["@"]:
        raise UsageError("the price after @ is missing")
    raise UsageError(f"{' '.join(rest)[:MOST_TEXT]!r} is not understood; a price stands after @: {EXAMPLE}")


def _above_zero(what: str, text: str) -> Decimal:
    from dydx_console.domain.numbers import ZERO, NumberError, decimal_of

    try:
        value = decimal_of(text)
    except NumberError:
        raise UsageError(f"the {what} {text[:MOST_TEXT]!r} is no number; write it as 1234.5") from None
    if value < ZERO:
        other = "; to go the other way, change the side" if what == "size" else ""
        raise UsageError(f"the {what} {text} is below zero{other}")
    if not value:
        raise UsageError(f"the {what} is zero")
    return value


def ask(admission: "Admission", asked: Asked, wishes: Wishes, log_path: Path) -> int:
    """Read the account, print what the order would do, and return the exit code."""
    from dydx_console.cli.exits import Exit, fail
    from dydx_console.cli.printing import print_text
    from dydx_console.cli.venue import read_once
    from dydx_console.views.whatif import whatif_document, whatif_lines

    try:
        once = read_once(admission, log_path, book_of=asked.market if asked.price is None else None)
        answer = _answer(admission, once, asked, wishes)
    except UsageError as error:
        fail(Exit.USAGE, str(error))
    told = whatif_document(answer).model_dump_json(indent=2) if wishes.as_json else "\n".join(whatif_lines(answer))
    print_text(told + "\n")
    return Exit.TEMPORARY if answer.plan.effect.after.equity is None else Exit.OK


def _answer(admission: "Admission", once: "Once", asked: Asked, wishes: Wishes) -> "Answer":
    from dydx_console.cli.venue import market_named, section_of
    from dydx_console.state.ticket import TicketError, plan_order
    from dydx_console.state.whatif import liquidation_table
    from dydx_console.views.whatif import Answer

    snapshot = once.snapshot
    market = market_named(snapshot.markets, asked.market)
    only = None if wishes.table_market is None else market_named(snapshot.markets, wishes.table_market.upper()).ticker
    _multiple("size", asked.size, market.step_size, market.ticker)
    _multiple("price", asked.price, market.tick_size, market.ticker)
    desk, fee_source = _desk(once, market, wishes)
    try:
        plan = plan_order(_ticket(asked, desk, market, wishes), desk)
    except TicketError as error:
        raise UsageError(str(error)) from None
    left, selected = plan.effect.left, desk.selected
    table = liquidation_table(left, snapshot.markets, market=only, selected=selected) if wishes.table else ()
    return Answer(
        plan=plan,
        asked=asked.size,
        market=market,
        network=section_of(admission),
        address=admission.address or "",
        funded=bool(snapshot.exists),
        fee_source=fee_source,
        height=snapshot.height,
        time=snapshot.block_time,
        table=table,
        table_market=only,
    )


def _ticket(asked: Asked, desk: "Desk", market: "Market", wishes: Wishes) -> "Ticket":
    from dydx_console.domain.enums import Side
    from dydx_console.domain.numbers import ZERO
    from dydx_console.state.isolated import position_in
    from dydx_console.state.ticket import Kind, Ticket

    size = asked.size
    if wishes.reduce_only:  # no more than that would trade, and cost a fee
        held = position_in(desk.account, market.ticker)
        against = ZERO if held is None else -held.net_size * (1 if asked.side == Side.BUY else -1)
        size = min(size, max(against, ZERO))
    return Ticket(
        market=market.ticker,
        side=asked.side,
        kind=Kind.MARKET if asked.price is None else Kind.LIMIT,
        amount=size,
        limit_price=asked.price,
        reduce_only=wishes.reduce_only,
        rests=not wishes.takes and not wishes.reduce_only,
        isolated=wishes.isolated or None,
    )


def _desk(once: "Once", market: "Market", wishes: Wishes) -> "tuple[Desk, str]":
    """Return what the order is judged by, and where its fee comes from."""
    from dydx_console.domain.fees import FIRST_TIER, FeeRates, FeeTier, fee_rates
    from dydx_console.domain.ids import PositionKey
    from dydx_console.state.ticket import Desk
    from dydx_console.state.whatif import picture_of

    snapshot = once.snapshot
    account = picture_of(snapshot)
    if account is None or snapshot.watched is None:
        raise UsageError("the Indexer said nothing of the account")
    rates, source = fee_rates(FIRST_TIER), "first fee tier assumed"
    told = snapshot.fee_tier
    if told is not None:
        tier = FeeTier(told.name, told.maker_fee_ppm, told.taker_fee_ppm)
        rates, source = fee_rates(tier), f"fee tier {told.name} by the node, before discounts"
    if wishes.fee_rate is not None:
        rate = _fraction(wishes.fee_rate)
        rates, source = FeeRates(rate, rate), "as given"
    selected = dict(snapshot.leverages)
    if wishes.leverage is not None:
        selected[PositionKey(snapshot.watched.parent, market.ticker)] = _leverage(wishes.leverage)
    desk = Desk(
        account=account,
        markets=snapshot.markets,
        rates=rates,
        bids=None if once.book is None else once.book.bids,
        asks=None if once.book is None else once.book.asks,
        selected=selected,
        open_orders=_working(once),
    )
    return desk, source


def _working(once: "Once") -> "tuple[Order, ...]":
    from dydx_console.domain.order import display_status, is_working

    snapshot = once.snapshot
    return tuple(
        order for order in snapshot.orders if is_working(display_status(order, snapshot.height, snapshot.block_time))
    )


def _fraction(text: str) -> Decimal:
    from dydx_console.domain.numbers import NumberError, decimal_of

    try:
        rate = decimal_of(text)
    except NumberError:
        raise UsageError(f"--fee-rate {text[:MOST_TEXT]!r} is no number; 5 basis points are 0.0005") from None
    if abs(rate) >= Decimal("0.1"):
        raise UsageError(f"--fee-rate {text} is no fee; 5 basis points are 0.0005")
    return rate


def _leverage(text: str) -> Decimal:
    value = _above_zero("leverage", text)
    if value > MOST_LEVERAGE:
        raise UsageError(f"a leverage of {text} is more than any market allows")
    return value


def _multiple(what: str, value: Decimal | None, step: Decimal | None, ticker: str) -> None:
    """Raise UsageError where a size or price is not one that the chain takes."""
    from dydx_console.domain.market import to_step

    if value is None or step is None or step <= 0:
        return
    below, above = to_step(value, step, ROUND_FLOOR), to_step(value, step, ROUND_CEILING)
    if below != above:
        near = f"{above:f}" if not below else f"{below:f} or {above:f}"
        raise UsageError(f"the {what} {value:f} is no multiple of {step:f}, as {ticker} asks for; nearest: {near}")
