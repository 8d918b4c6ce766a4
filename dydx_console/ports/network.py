"""Which network is shown, what is known of it, and what a person is asked before it is used."""

from dataclasses import dataclass

__all__ = ["Confirmation", "NetworkView"]


@dataclass(frozen=True, slots=True)
class NetworkView:
    """The network as banner and documents state it. `kind` is mainnet, testnet, local, sim, custom or replay.

    `confirmed` tells whether a person or the policy let it through; `read_only` that nothing can be sent.
    `real_money` tells that it counts as mainnet; with another environment than production the banner shouts.
    """

    name: str
    kind: str
    chain_id: str | None
    environment: str | None
    environment_from: str | None
    confirmed: bool
    read_only: bool
    warnings: tuple[str, ...] = ()
    real_money: bool = False

    @property
    def is_out_of_place(self) -> bool:
        """Whether real money is at stake outside production."""
        return self.real_money and self.environment != "production"


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What a person reads before typing `chain_id`; anything else, or `timeout_s` without it, is no.

    Hosts are shown as configured. `environment_from` says where the environment was named.
    """

    network: str
    chain_id: str
    indexer_hosts: tuple[str, ...]
    node_hosts: tuple[str, ...]
    environment: str
    environment_from: str | None
    address: str | None
    parent: int
    timeout_s: float
