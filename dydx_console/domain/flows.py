"""Money that moves without a trade: transfers, funding payments, trading rewards."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

__all__ = ["FundingPayment", "Reward", "Transfer"]


@dataclass(frozen=True, slots=True)
class Transfer:
    """A deposit, withdrawal or transfer of a subaccount. Its end without a subaccount is a bank account.

    `id` is None on the stream, where the transaction hash and the amount tell rows apart.
    """

    id: str | None
    type: str
    size: Decimal
    asset: str
    sender: str
    sender_subaccount: int | None
    recipient: str
    recipient_subaccount: int | None
    created_at: datetime
    height: int
    transaction_hash: str | None


@dataclass(frozen=True, slots=True)
class FundingPayment:
    """One hourly funding payment of a position, in USDC; positive when received."""

    subaccount: int
    market: str
    payment: Decimal
    rate: Decimal
    net_size: Decimal
    oracle_price: Decimal
    created_at: datetime
    height: int


@dataclass(frozen=True, slots=True)
class Reward:
    """A block's trading reward of the account, in the chain's native token."""

    amount: Decimal
    created_at: datetime
    height: int
