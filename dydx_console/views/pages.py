"""Documents of the reading commands: parts of the whole document, and pages of a history."""

from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import Field

from dydx_console.state.ages import DELAYED_S, PictureState, state_by_age
from dydx_console.views import documents as doc
from dydx_console.views.documents import Number, Part, Time
from dydx_console.views.exports import DayRow, ExportKind, FillRow, FundingRow, LifeRow, OrderRow, TransferRow

__all__ = [
    "PAGES",
    "READINGS",
    "AccountDocument",
    "DaysPage",
    "FillsPage",
    "FundingPage",
    "HistoryDocument",
    "HopItem",
    "KnownSection",
    "LivesPage",
    "MarketsDocument",
    "OrderDocument",
    "OrdersDocument",
    "OrdersPage",
    "PnlDocument",
    "PositionsDocument",
    "TransfersPage",
    "dated",
]

RowT = TypeVar("RowT", bound=Part)


class PictureDocument(Part):
    """Base of the documents that show the account as it is now; the sections are those of the whole document."""

    schema_version: int
    errors: tuple[doc.ErrorItem, ...]
    as_of: doc.AsOf
    network: doc.NetworkSection
    sections: doc.SectionStates


class AccountDocument(PictureDocument):
    """What `account --json` prints."""

    account: doc.AccountSection
    balances: tuple[doc.BalanceItem, ...]


class PositionsDocument(PictureDocument):
    """What `positions --json` prints."""

    positions: tuple[doc.PositionItem, ...]


class OrdersDocument(PictureDocument):
    """What `orders --json` prints: the working orders."""

    orders: tuple[doc.OrderItem, ...]


class MarketsDocument(PictureDocument):
    """What `markets --json` prints."""

    markets: tuple[doc.MarketItem, ...]


class KnownSection(Part):
    """From when a history is known."""

    since: Time | None = Field(description="The oldest row read without a hole; null where that is not known")
    is_complete: bool = Field(description="Whether the venue has nothing older")
    problem: str | None = Field(description="Why nothing older came, such as a history that the venue cuts")


class PnlDocument(PictureDocument):
    """What `pnl --json` prints."""

    known: KnownSection
    pnl: doc.PnlSection


class HistoryDocument(Part, Generic[RowT]):
    """A page of a history, as the history commands print it with `--json`."""

    schema_version: int
    network: doc.NetworkSection
    address: str
    parent_subaccount: int
    kind: str = Field(description="fills, orders, funding, transfers, lives or pnl-by-day")
    known: KnownSection
    matching: int = Field(description="Rows that the filters let through, on all pages")
    next: str | None = Field(description="What `--after` takes to go on behind this page; null on the last")
    rows: tuple[RowT, ...]


class HopItem(Part):
    """A standing that an order came to, and when and from whom the console first learnt of it."""

    at: Time
    height: int | None
    source: str
    status: str | None
    venue_status: str | None
    reason: str | None
    reason_source: str | None
    filled: Number
    size: Number | None
    price: Number | None
    good_til_block: int | None
    good_til_time: Time | None
    updated_at_height: int | None


class OrderDocument(Part):
    """What `order show --json` prints: an order with its fills, its hops and the position life that it belongs to."""

    schema_version: int
    network: doc.NetworkSection
    address: str
    known: KnownSection
    order: OrderRow
    fills: tuple[FillRow, ...] = Field(description="Oldest first")
    hops: tuple[HopItem, ...] = Field(description="In the order of learning")
    lives: tuple[LifeRow, ...] = Field(description="Position lives in which its fills fell, oldest first")


FillsPage = HistoryDocument[FillRow]
OrdersPage = HistoryDocument[OrderRow]
FundingPage = HistoryDocument[FundingRow]
TransfersPage = HistoryDocument[TransferRow]
LivesPage = HistoryDocument[LifeRow]
DaysPage = HistoryDocument[DayRow]

PAGES: dict[ExportKind, type[HistoryDocument[Any]]] = {
    ExportKind.FILLS: FillsPage,
    ExportKind.ORDERS: OrdersPage,
    ExportKind.FUNDING: FundingPage,
    ExportKind.TRANSFERS: TransfersPage,
    ExportKind.LIVES: LivesPage,
    ExportKind.PNL_BY_DAY: DaysPage,
}
"""The document of a page of each kind."""

READINGS: dict[str, type[Part]] = {
    "account": AccountDocument,
    "positions": PositionsDocument,
    "positions-closed": LivesPage,
    "orders": OrdersDocument,
    "orders-all": OrdersPage,
    "order-show": OrderDocument,
    "markets": MarketsDocument,
    "fills": FillsPage,
    "funding": FundingPage,
    "transfers": TransfersPage,
    "pnl": PnlDocument,
    "pnl-by-day": DaysPage,
}
"""What the reading commands print with `--json`."""


def dated(document: doc.Document, now: datetime) -> doc.Document:
    """Return the document of an account that was read once by HTTP, with the state and age that it then has.

    It is as old as the newest block that the Indexer told, by this machine's clock: POLLING at best.
    """
    at = document.as_of.time
    if at is None:
        return document
    age_s = round(max((now - at).total_seconds(), 0.0), 3)
    state = PictureState.POLLING if age_s <= DELAYED_S else state_by_age(age_s, DELAYED_S)
    told: dict[str, object] = {"state": str(state), "age_s": age_s}
    return document.model_copy(
        update={
            "as_of": document.as_of.model_copy(update=told),
            "account": document.account.model_copy(update=told),
            "pnl": document.pnl.model_copy(update=told),
            "sections": _sections(document.sections, told),
        }
    )


def _sections(sections: doc.SectionStates, told: dict[str, object]) -> doc.SectionStates:
    aged = {name: section.model_copy(update=told) for name, section in sections}
    return sections.model_copy(update=aged)
