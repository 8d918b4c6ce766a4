"""An account as a node tells it, reckoned over into base units and USDC by the chain's own parameters."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from dydx_console.domain.chain import BlockHead, NodeSubaccount, OraclePrice
from dydx_console.domain.enums import PositionStatus
from dydx_console.domain.numbers import ZERO
from dydx_console.domain.position import Balance, ChildState, Position

__all__ = ["Perpetual", "ToldAccount", "UntoldError", "told_account"]

USDC = "USDC"
_USDC_ASSET_ID = 0
_USDC_EXPONENT = -6
_PPM = 1_000_000


class UntoldError(ValueError):
    """A node's figure that cannot be reckoned over, because the parameter for it was not told."""


@dataclass(frozen=True, slots=True)
class Perpetual:
    """A perpetual as the chain keeps it: `ticker` is the market's name at the Indexer too.

    One base quantum is 10^`atomic_resolution` of the base asset, `market_id` is the oracle price's own number, and
    `funding_index` is micro-USDC per million base quantums, from the perpetual's first day on.
    """

    id: int
    ticker: str
    market_id: int
    atomic_resolution: int
    funding_index: int


@dataclass(frozen=True, slots=True)
class ToldAccount:
    """What a node told of an account's subaccounts; none of it is older than the block `head`.

    `children` are the subaccounts that were asked for, whole. Their positions have market and size alone: a node knows
    neither what a position cost nor what it earned. `prices` are the oracle prices in USD of the markets held, by
    ticker; one that the chain does not have is left out.
    """

    head: BlockHead
    children: tuple[ChildState, ...]
    prices: Mapping[str, Decimal]


def told_account(
    head: BlockHead,
    subaccounts: Iterable[NodeSubaccount],
    perpetuals: Iterable[Perpetual],
    prices: Iterable[OraclePrice],
) -> ToldAccount:
    """Return a node's answers in base units and USDC, exactly.

    Args:
        head: a block that the node had before the first of the questions.
        subaccounts: those that were asked for.
        perpetuals: the chain's parameters, asked for after the subaccounts, so that no funding index is older than
            one that a position was settled at.
        prices: the chain's oracle prices.

    Raises UntoldError for a position in a perpetual, or an asset, that the node did not describe.
    """
    known = {perpetual.id: perpetual for perpetual in perpetuals}
    told = tuple(subaccounts)
    by_market = {price.market_id: price.value for price in prices}
    held = {_known(known, row.perpetual_id) for one in told for row in one.positions if row.quantums}
    return ToldAccount(
        head,
        tuple(_child(one, known, head.height) for one in told),
        {perpetual.ticker: by_market[perpetual.market_id] for perpetual in held if perpetual.market_id in by_market},
    )


def _child(told: NodeSubaccount, known: Mapping[int, Perpetual], height: int) -> ChildState:
    positions = tuple(
        Position(
            told.number,
            (perpetual := _known(known, row.perpetual_id)).ticker,
            _scaled(row.quantums, perpetual.atomic_resolution),
            PositionStatus.OPEN.value,
            height,
        )
        for row in told.positions
        if row.quantums
    )
    cash = _scaled(_cash_quantums(told, known), _USDC_EXPONENT)
    balances = (Balance(told.number, USDC, cash, height),) if cash != ZERO else ()
    return ChildState(told.number, positions, balances, height, height)


def _scaled(quantums: int, exponent: int) -> Decimal:
    """Return quantums × 10^exponent, exact whatever their length: no context rounds it."""
    digits = Decimal(quantums).as_tuple()
    return Decimal((digits.sign, digits.digits, exponent))


def _known(known: Mapping[int, Perpetual], perpetual_id: int) -> Perpetual:
    if perpetual_id not in known:
        raise UntoldError(f"the node holds a position in perpetual {perpetual_id} and does not describe it")
    return known[perpetual_id]


def _cash_quantums(told: NodeSubaccount, known: Mapping[int, Perpetual]) -> int:
    """Return what the chain counts as the subaccount's cash now, in micro-USDC: as if it were settled in this block.

    The funding of all positions is summed in millionths of a micro-USDC and then rounded down, once. Source:
    dydxprotocol/v4-chain protocol/x/subaccounts/keeper/subaccount.go (settlement) and protocol/x/perpetuals/lib/lib.go
    (funding since the position's index; a position's quote balance counts as collateral).
    """
    unknown = next((row.asset_id for row in told.assets if row.asset_id != _USDC_ASSET_ID), None)
    if unknown is not None:
        raise UntoldError(f"the node holds asset {unknown}, of which no decimals are known")
    settled = sum(row.quantums for row in told.assets) + sum(row.quote_balance for row in told.positions)
    owed_ppm = sum(
        (_known(known, row.perpetual_id).funding_index - row.funding_index) * row.quantums
        for row in told.positions
        if row.quantums
    )
    return settled + (-owed_ppm) // _PPM
