"""What a screen may ask of the running engine."""

from typing import TYPE_CHECKING, Protocol

from dydx_console.domain.preflight import Report
from dydx_console.ports.mailbox import Mailbox
from dydx_console.ports.network import Confirmation, NetworkView

if TYPE_CHECKING:  # the first screen is painted before this is needed
    from dydx_console.ports.history import HistoryDesk

__all__ = ["ConsolePort"]


class ConsolePort(Protocol):
    """The engine as a screen sees it. Every method returns at once; none waits for the network."""

    @property
    def mailbox(self) -> Mailbox:
        """Where snapshots and notices are left."""
        ...

    @property
    def network(self) -> NetworkView:
        """Which network is shown."""
        ...

    @property
    def failure(self) -> str | None:
        """Why the engine ended by itself, in one line; None while it runs."""
        ...

    @property
    def applied(self) -> int:
        """How many events the engine has taken in so far."""
        ...

    @property
    def history(self) -> "HistoryDesk":
        """The account's history in the journal, and its filling from the venue."""
        ...

    def monotonic(self) -> float:
        """Return the engine's clock, the one that snapshots are stamped with; ages grow by it."""
        ...

    def start(self) -> None:
        """Begin to work; called when the first screen has been painted, and returning at once."""
        ...

    def reconnect(self) -> None:
        """Ask for a fresh connection now."""
        ...

    def reconcile(self) -> None:
        """Ask for our figures to be compared with the Indexer's own now; the snapshot's `drift` has the outcome."""
        ...

    def confirmation(self) -> Confirmation | None:
        """Return what a person has to confirm before the network is used; None where nothing waits for that."""
        ...

    def confirm(self, typed: str) -> bool:
        """Try what a person typed; returns whether the network may be used now. A wrong text ends the waiting."""
        ...

    def report(self) -> Report | None:
        """Return the newest report of the network's checks, None before the first is made."""
        ...

    def check(self) -> None:
        """Ask for the checks to be made again; returns at once."""
        ...
