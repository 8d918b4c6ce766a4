"""Which network is shown, and what is known of that."""

from dataclasses import dataclass

__all__ = ["NetworkView"]


@dataclass(frozen=True, slots=True)
class NetworkView:
    """The network as banner and documents state it. `kind` is mainnet, testnet, local, sim or replay.

    `confirmed` tells whether a person or a policy confirmed it; `read_only` that nothing can be sent.
    """

    name: str
    kind: str
    chain_id: str | None
    environment: str | None
    environment_from: str | None
    confirmed: bool
    read_only: bool
    warnings: tuple[str, ...] = ()
