"""A subaccount's figures as an item of a document."""

from dydx_console.state.margin import ChildMargin
from dydx_console.views.documents import SubaccountItem

__all__ = ["subaccount_item"]


def subaccount_item(child: ChildMargin) -> SubaccountItem:
    """Return a subaccount's figures as they are printed and served."""
    return SubaccountItem(
        number=child.number,
        usdc=child.usdc,
        equity=child.equity,
        free_collateral=child.free_collateral,
        raw_free_collateral=child.raw_free_collateral,
        margin_usage=child.margin_usage,
        effective_leverage=child.effective_leverage,
        initial_margin=child.initial_margin,
        maintenance_margin=child.maintenance_margin,
    )
