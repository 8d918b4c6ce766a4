"""Which network may be used where: the table of environments and networks, as pure decisions with their reasons.

| environment          | none named | mainnet                       | testnet     | local, simulator |
|----------------------|------------|-------------------------------|-------------|------------------|
| development, staging | testnet    | warned of; after confirmation | runs        | runs             |
| production           | mainnet    | runs                          | refused, 78 | refused, 78      |

A chain id that is not known counts as mainnet's. Confirmation is a person at a terminal who types the chain id.
"""

from collections.abc import Iterable
from dataclasses import InitVar, dataclass
from enum import IntEnum, StrEnum
from typing import Final

from dydx_console.safety.networks import (
    CUSTOM,
    LOCAL,
    MAINNET,
    SIM,
    TESTNET,
    Network,
    kind_of,
    network_named,
)

__all__ = [
    "CONFIRMATION_TIMEOUT_S",
    "Decision",
    "Entry",
    "Environment",
    "Outcome",
    "PolicyExit",
    "Purpose",
    "Request",
    "confirmed_by",
    "confirms",
    "decide",
    "default_network",
    "not_confirmed",
]

CONFIRMATION_TIMEOUT_S: Final = 60.0
"""How long the question for the chain id waits before the answer is no."""

_SEAL: Final = object()
_BLANKS: Final = " \t\r\n"


class Environment(StrEnum):
    """What a machine is for."""

    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"


class Entry(StrEnum):
    """How the program was entered."""

    SCREEN = "SCREEN"
    """The console."""
    COMMAND = "COMMAND"
    """A command that prints and ends."""
    WATCH = "WATCH"
    """The engine without a screen."""


class Purpose(StrEnum):
    """What is to be done on the network."""

    READ = "READ"
    SEND = "SEND"


class Outcome(StrEnum):
    """How a decision ended."""

    RUNS = "RUNS"
    NEEDS_CONFIRMATION = "NEEDS_CONFIRMATION"
    REFUSED = "REFUSED"


class PolicyExit(IntEnum):
    """What a decision is worth as an exit code (the numbers are those of BSD sysexits)."""

    OK = 0
    REFUSED = 77
    CONFIGURATION = 78


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for.

    `network` is None where none was named. `has_terminal` tells that a person can be asked: standard input and the
    output that the question goes to are a terminal. `confirm_network` is the text of the option of that name.
    """

    environment: Environment
    network: Network | None
    entry: Entry
    has_terminal: bool
    purpose: Purpose
    read_only: bool = False
    confirm_network: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What may be done with which network.

    Made by `decide`, `confirmed_by` and `not_confirmed` alone. `exit_code` is what the run ends with as things stand:
    0 where it runs, 77 where it is refused or nobody confirms, 78 where environment and network contradict each other.
    `read_only` tells that nothing may be sent, whatever comes later. `warnings` are for the log and the banner.
    """

    outcome: Outcome
    exit_code: PolicyExit
    environment: Environment
    network: Network
    purpose: Purpose
    read_only: bool
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    seal: InitVar[object] = None

    def __post_init__(self, seal: object) -> None:
        """Refuse to be made anywhere else."""
        if seal is not _SEAL:
            raise TypeError("a Decision is made by decide() alone")

    @property
    def runs(self) -> bool:
        """Whether the network may be used now; nothing else may be taken for permission."""
        return self.outcome is Outcome.RUNS

    @property
    def may_send(self) -> bool:
        """Whether the policy allows to send: it runs, sending was asked for, and nothing makes it read-only."""
        return self.runs and self.purpose is Purpose.SEND and not self.read_only


def default_network(environment: Environment) -> str:
    """Return the name of the network that an environment chooses by itself."""
    return MAINNET if environment is Environment.PRODUCTION else TESTNET


def decide(request: Request, custom: Iterable[Network] = ()) -> Decision:
    """Return what may be done. `custom` are the configured networks, for where the request names none.

    Configuration is refused (78) before policy (77).
    """
    network = request.network or network_named(default_network(request.environment), custom)
    if request.environment is Environment.PRODUCTION and network.policy_kind != MAINNET:
        reason = (
            f"production runs on mainnet alone, and {_named(network)} is {_kind_in_words(network)}; name another"
            f" network, or set the environment to development or staging"
        )
        return _decision(request, network, Outcome.REFUSED, PolicyExit.CONFIGURATION, (reason,))
    if request.purpose is Purpose.SEND and request.read_only:
        return _refused(request, network, "--read-only is given, so nothing is sent")
    if request.environment is not Environment.PRODUCTION and network.policy_kind == MAINNET:
        return _mainnet_outside_production(request, network)
    reason = f"{request.environment} + {_kind_in_words(network)}: allowed"
    return _decision(request, network, Outcome.RUNS, PolicyExit.OK, (reason,))


def confirms(typed: str, network: Network) -> bool:
    """Return whether what a person typed is the network's chain id, letter by letter; blanks around it do not count."""
    return bool(network.chain_id) and typed.strip(_BLANKS) == network.chain_id


def confirmed_by(decision: Decision, typed: str) -> Decision:
    """Return what a decision that waits for confirmation becomes with what the person at the terminal typed.

    Anything but the chain id is a refusal. A decision that does not wait comes back as it is.
    """
    if decision.outcome is not Outcome.NEEDS_CONFIRMATION:
        return decision
    if not confirms(typed, decision.network):
        return not_confirmed(decision, f"what was typed is not {decision.network.chain_id}")
    reason = f"{_named(decision.network)} was confirmed by typing its chain id"
    return _settled(decision, Outcome.RUNS, PolicyExit.OK, reason)


def not_confirmed(decision: Decision, why: str) -> Decision:
    """Return the refusal that a decision becomes where it waited for confirmation and none came."""
    if decision.outcome is not Outcome.NEEDS_CONFIRMATION:
        return decision
    reason = f"{_named(decision.network)} was not confirmed: {why}"
    return _settled(decision, Outcome.REFUSED, PolicyExit.REFUSED, reason)


def _settled(decision: Decision, outcome: Outcome, exit_code: PolicyExit, reason: str) -> Decision:
    return Decision(
        outcome=outcome,
        exit_code=exit_code,
        environment=decision.environment,
        network=decision.network,
        purpose=decision.purpose,
        read_only=decision.read_only,
        reasons=(reason,),
        warnings=decision.warnings,
        seal=_SEAL,
    )


def _mainnet_outside_production(request: Request, network: Network) -> Decision:
    if request.has_terminal:
        reason = f"{_kind_in_words(network)} in {request.environment} runs only after its chain id was typed"
        return _decision(request, network, Outcome.NEEDS_CONFIRMATION, PolicyExit.REFUSED, (reason,))
    if request.purpose is Purpose.SEND:
        return _refused(
            request,
            network,
            f"sending on {_named(network)} in {request.environment} needs a person at a terminal to type the chain id",
        )
    lacking = _lacking(request, network)
    if lacking:
        return _refused(
            request,
            network,
            f"{_kind_in_words(network)} in {request.environment} without a terminal is for reading alone, with"
            f" --read-only --confirm-network {network.chain_id}; {lacking}",
        )
    reason = f"{_named(network)} is read alone, as --read-only --confirm-network say"
    return _decision(request, network, Outcome.RUNS, PolicyExit.OK, (reason,))


def _lacking(request: Request, network: Network) -> str | None:
    if not request.read_only:
        return "--read-only is missing"
    if request.confirm_network is None:
        return "--confirm-network is missing"
    if request.confirm_network != network.chain_id:
        return f"--confirm-network says {request.confirm_network!r}"
    return None


def _refused(request: Request, network: Network, reason: str) -> Decision:
    return _decision(request, network, Outcome.REFUSED, PolicyExit.REFUSED, (reason,))


def _decision(
    request: Request, network: Network, outcome: Outcome, exit_code: PolicyExit, reasons: tuple[str, ...]
) -> Decision:
    return Decision(
        outcome=outcome,
        exit_code=exit_code,
        environment=request.environment,
        network=network,
        purpose=request.purpose,
        read_only=request.read_only,
        reasons=reasons,
        warnings=_warnings(request, network),
        seal=_SEAL,
    )


def _warnings(request: Request, network: Network) -> tuple[str, ...]:
    warnings = []
    if network.policy_kind == MAINNET and request.environment is not Environment.PRODUCTION:
        warnings.append(f"{_kind_in_words(network)} in {request.environment}: real money")
    if kind_of(network.chain_id) == CUSTOM:
        warnings.append(f"chain id {network.chain_id!r} is not known and is treated as mainnet's")
    if request.confirm_network is not None and request.confirm_network != network.chain_id:
        warnings.append(f"--confirm-network says {request.confirm_network!r}, the chain id is {network.chain_id!r}")
    return tuple(warnings)


def _named(network: Network) -> str:
    return f"network {network.name!r} ({network.chain_id})"


def _kind_in_words(network: Network) -> str:
    kind = kind_of(network.chain_id)
    words = {CUSTOM: "a chain that is not known", SIM: "the simulator", LOCAL: "a local chain"}
    return words.get(kind, kind)
