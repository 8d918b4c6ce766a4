"""What a screen may ask of the running engine."""

from typing import Protocol

from dydx_console.ports.mailbox import Mailbox
from dydx_console.ports.network import NetworkView

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

    def monotonic(self) -> float:
        """Return the engine's clock, the one that snapshots are stamped with; ages grow by it."""
        ...

    def start(self) -> None:
        """Begin to work; called when the first screen has been painted, and returning at once."""
        ...

    def reconnect(self) -> None:
        """Ask for a fresh connection now."""
        ...
