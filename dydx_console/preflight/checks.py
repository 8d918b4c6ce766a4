"""What each check makes of the answers: pure, one function per check, in the order of the report.

Where a check has a limit of time, the reason stands beside it.
"""

import stat
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

from dydx_console.domain.chain import BlockHead
from dydx_console.domain.ids import short_address
from dydx_console.domain.preflight import CheckResult, Verdict
from dydx_console.ports.faults import FaultKind, VenueError
from dydx_console.ports.probe import Compliance, VenueClock
from dydx_console.preflight.evidence import BoundBlock, EndpointSeen, FileFacts, Heard, IndexerSeen
from dydx_console.preflight.plan import Judgement
from dydx_console.safety.grants import BindingState
from dydx_console.safety.networks import MAINNET, Network

__all__ = [
    "exit_code_of",
    "judge_account",
    "judge_binding",
    "judge_chain_id",
    "judge_clock",
    "judge_compliance",
    "judge_fault",
    "judge_files",
    "judge_indexer",
    "judge_node",
    "judge_stream",
    "skipped",
]

UNREACHABLE: Final = 69
TEMPORARY: Final = 75
REJECTED: Final = 76
CONFIGURATION: Final = 78
EXIT_ORDER: Final = (2, 78, 77, 69, 75)

LATE_S: Final = 5.0
"""Blocks come about once a second, an answer may be a second old, and some are lost under way: more is late."""
USELESS_S: Final = 30.0
"""Figures older than this are no picture of the account any more."""
SKEWED_S: Final = 2.0
"""More than the half of a slow round trip explains."""
VOID_S: Final = 30.0
"""A transaction's timestamp nonce may be this far from the block time (dydxprotocol/v4-chain
protocol/x/accountplus/keeper/timestampnonce.go); with a clock beyond that every one is refused."""
FAR_BLOCKS: Final = 1_000
"""Heads this far apart at the same time are hardly those of one chain."""

_FAULTS: Final[dict[FaultKind, tuple[int, str]]] = {
    FaultKind.UNREACHABLE: (
        UNREACHABLE,
        "check the address, this machine's connection, and whether anything runs there",
    ),
    FaultKind.TIMEOUT: (UNREACHABLE, "it may be overloaded or behind a firewall; try again, or give --timeout more"),
    FaultKind.TLS: (
        UNREACHABLE,
        "its certificate is not to be trusted: check the host's name, this machine's clock, and what stands in between",
    ),
    FaultKind.RATE_LIMITED: (TEMPORARY, "wait and try again"),
    FaultKind.GEO_BLOCKED: (
        REJECTED,
        "the venue does not serve this place or address; no setting of ours changes that",
    ),
    FaultKind.NOT_FOUND: (CONFIGURATION, "what answers there is not what is configured; correct the address"),
    FaultKind.REJECTED: (REJECTED, "the venue refused the question; correct the address, or report this"),
    FaultKind.SERVER: (UNREACHABLE, "the venue has trouble of its own; try again later"),
    FaultKind.BAD_ANSWER: (
        UNREACHABLE,
        "something else may answer in its place: a proxy, a login page, another service",
    ),
}


def exit_code_of(checks: Iterable[CheckResult]) -> int:
    """Return what a report is worth: 0 where nothing failed, else the first code in the order of refusals."""
    codes = {check.exit_code for check in checks if check.verdict is Verdict.FAIL}
    return next((code for code in EXIT_ORDER if code in codes), max(codes, default=0))


def skipped(reason: str) -> Judgement:
    """Return that a check could not be made, and why."""
    return Judgement(Verdict.SKIP, reason)


def judge_fault(error: VenueError) -> Judgement:
    """Return the failure that a fault of the venue is, with what can be done about it."""
    code, remedy = _FAULTS[error.kind]
    if error.retry_after_s is not None:
        remedy = f"wait {_spoken(error.retry_after_s)} and try again"
    return Judgement(Verdict.FAIL, f"{error.endpoint}: {error.text}", remedy, code)


def judge_indexer(network: Network, seen: IndexerSeen) -> Judgement:
    """Return whether the Indexer answers, and whether its newest block is of now."""
    if isinstance(seen.head, VenueError):
        return judge_fault(seen.head)
    if isinstance(seen.clock, VenueError):
        return judge_fault(seen.clock)
    age_s = _age_s(seen.head, seen.clock)
    text = f"{network.indexer_rest}  {_height(seen.head.head)}"
    if age_s > USELESS_S:
        remedy = "wait until it has caught up, or see whether the chain stands still; cancels go through a node"
        return Judgement(Verdict.FAIL, f"{text}, which is {_spoken(age_s)} old", remedy, UNREACHABLE)
    if age_s > LATE_S:
        return Judgement(Verdict.WARN, f"{text}, which is {_spoken(age_s)} old", "figures will be late")
    return Judgement(Verdict.OK, text)


def judge_node(seen: Sequence[EndpointSeen]) -> Judgement:
    """Return whether a node answers, which one, and what is wrong with those that do not."""
    faults = [one.info for one in seen if isinstance(one.info, VenueError)]
    first = next((one for one in seen if not isinstance(one.info, VenueError)), None)
    if first is None or isinstance(first.info, VenueError):
        return _no_node(faults)
    info, troubles = first.info, list(_node_troubles(first))
    if faults:
        silent = ", ".join(fault.endpoint for fault in faults)
        troubles.append(f"{len(faults)} of {len(seen)} endpoints do not answer: {silent}")
    height = _height(first.head.head) if isinstance(first.head, Heard) else "height unknown"
    text = "; ".join((f"{first.endpoint}  {info.chain_id}  {info.version}  {height}", *troubles))
    if troubles:
        return Judgement(Verdict.WARN, text, "put a node that answers and is up to date first, take dead ones out")
    return Judgement(Verdict.OK, text)


def judge_chain_id(network: Network, seen: Sequence[EndpointSeen]) -> Judgement:
    """Return whether every node that answers is on the configured chain; one that is not would be used in its turn."""
    wrong = [text for one in seen for text in _other_chains(network.chain_id, one)]
    if wrong:
        remedy = f"set [networks.{network.name}].nodes to nodes of {network.chain_id}; nothing was signed"
        text = f"{'; '.join(wrong)}; configured {network.chain_id}"
        return Judgement(Verdict.FAIL, text, remedy, CONFIGURATION)
    return Judgement(Verdict.OK, f"{network.chain_id}, as configured")


def judge_binding(network: Network, blocks: Sequence[BoundBlock], indexer: Heard, node: Heard | None) -> Judgement:
    """Return whether the Indexer is on the node's chain, and how far one of them trails the other.

    Not comparable is unknown: no contradiction, but a failure that may pass (75). `indexer` and `node` are the newest
    blocks of both, `node` None where none is known.
    """
    wrong = "; ".join(f"{one.source}: {reason}" for one in blocks for reason in _contradictions(network, one))
    if wrong:
        remedy = f"Indexer and nodes of [networks.{network.name}] must be of one chain; trust no figure until they are"
        return Judgement(Verdict.FAIL, wrong, remedy, CONFIGURATION)
    told = ", ".join(f"#{height:,}" for height in sorted({one.height for one in blocks}))
    judged = Judgement(Verdict.OK, f"same block time as the node at {told}")
    if any(one.binding.state is not BindingState.BOUND for one in blocks):
        text = f"unknown: no node has {told} to compare"
        if node is not None and _is_far(indexer, node):
            text += f"; the node is at {_height(node.head)} now, which looks like another chain"
        judged = Judgement(Verdict.FAIL, text, "try again; nothing is sent before the two were compared", TEMPORARY)
    return judged if node is None else _joined(judged, _lag(indexer, node))


def judge_stream(url: str, heard: Heard | VenueError) -> Judgement:
    """Return whether the stream can be subscribed to."""
    return (
        judge_fault(heard) if isinstance(heard, VenueError) else Judgement(Verdict.OK, f"{url}  {_height(heard.head)}")
    )


def judge_clock(clock: VenueClock, node: Heard | None) -> Judgement:
    """Return whether this machine's clock is right: against the Indexer's, with the node's block time as arbiter.

    Where ours agrees with the blocks and the Indexer's does not, it is the Indexer's that is wrong, which only warns.
    """
    ahead_s = (clock.utc - clock.venue_time).total_seconds()
    block_age_s = None if node is None else (node.utc - node.head.time).total_seconds()
    text = f"this machine is {_apart(ahead_s)} the Indexer's clock"
    if abs(ahead_s) <= SKEWED_S:
        return _judge_block_time(text, block_age_s)
    is_ours_right = block_age_s is not None and -SKEWED_S <= block_age_s <= LATE_S
    if is_ours_right and abs(ahead_s) > LATE_S + SKEWED_S:  # nearer than that, blocks would agree with either
        return Judgement(Verdict.WARN, f"{text}, and agrees with the node's blocks", "the Indexer's clock is wrong")
    remedy = "set this machine's clock (NTP); orders carry its time"
    if abs(ahead_s) > VOID_S:
        return Judgement(Verdict.FAIL, text, remedy, CONFIGURATION)
    return Judgement(Verdict.WARN, text, remedy)


def judge_account(
    network: Network, address: str, parent: int, parents: tuple[int, ...] | VenueError, *, read_only: bool
) -> Judgement:
    """Return whether the account exists on this network; one without funds can be watched, not traded with."""
    if isinstance(parents, VenueError):
        return judge_fault(parents)
    who = short_address(address)
    if parent in parents:
        return Judgement(Verdict.OK, f"{who}  parent {parent} of {len(parents)} funded")
    text = f"{who} was never funded on {network.name} ({network.chain_id})"
    if parents:
        text = f"{who}  parent {parent} was never funded on {network.name}; funded: {', '.join(map(str, parents))}"
    remedy = "is it the address, the network, that you mean?" + _funding(network)
    if read_only:
        return Judgement(Verdict.WARN, text, remedy)
    return Judgement(Verdict.FAIL, text, remedy, CONFIGURATION)


def judge_compliance(screened: Compliance | VenueError) -> Judgement:
    """Return what the venue's screening of the address allows."""
    if isinstance(screened, VenueError):
        return judge_fault(screened)
    text = screened.status if screened.reason is None else f"{screened.status}: {screened.reason}"
    if screened.status == "COMPLIANT":
        return Judgement(Verdict.OK, text)
    if screened.status == "BLOCKED":
        return Judgement(Verdict.FAIL, text, "the venue serves this address no more", REJECTED)
    return Judgement(Verdict.WARN, text, "the venue restricts this address, perhaps to closing positions")


def judge_files(facts: Sequence[FileFacts], user: int) -> Judgement:
    """Return whether nobody but `user` (and root) may write to the console's files and where they lie."""
    judged = [judgement for fact in facts for judgement in _file(fact, user)]
    if judged:
        first, *others = judged
        for other in others:
            first = _joined(first, other)
        return first
    there = list(dict.fromkeys(fact.what for fact in facts if fact.mode is not None))
    return Judgement(Verdict.OK, f"only you may write: {', '.join(there)}" if there else "there is no file yet")


def _no_node(faults: Sequence[VenueError]) -> Judgement:
    judged = judge_fault(faults[0])
    others = "".join(f"; {fault.endpoint}: {fault.text}" for fault in faults[1:])
    return Judgement(judged.verdict, judged.text + others, judged.remedy, judged.exit_code)


def _node_troubles(one: EndpointSeen) -> Iterable[str]:
    if one.syncing is True:
        yield "it is catching up"
    if isinstance(one.syncing, VenueError):
        yield f"it does not say whether it is catching up ({one.syncing.text})"
    if isinstance(one.head, VenueError):
        yield f"it does not tell its newest block ({one.head.text})"


def _other_chains(chain_id: str, one: EndpointSeen) -> Iterable[str]:
    if not isinstance(one.info, VenueError) and one.info.chain_id != chain_id:
        yield f"{one.endpoint} reports {one.info.chain_id}"
    elif isinstance(one.head, Heard) and one.head.head.chain_id not in (None, chain_id):
        yield f"{one.endpoint} has blocks of {one.head.head.chain_id}"


def _contradictions(network: Network, one: BoundBlock) -> Iterable[str]:
    if one.binding.state is BindingState.MISMATCH:
        yield one.binding.reason
    elif one.binding.state is BindingState.BOUND and one.binding.chain_id != network.chain_id:
        yield f"the node's block is of {one.binding.chain_id}, configured {network.chain_id}"


def _behind_s(indexer: Heard, node: Heard) -> float:
    """Return how many seconds of chain the Indexer trails, as if both had been heard at one moment."""
    return (node.head.time - indexer.head.time).total_seconds() - (node.at - indexer.at)


def _is_far(indexer: Heard, node: Heard) -> bool:
    return abs(node.head.height - indexer.head.height) > FAR_BLOCKS and abs(_behind_s(indexer, node)) <= USELESS_S


def _lag(indexer: Heard, node: Heard) -> Judgement:
    behind_s = _behind_s(indexer, node)
    blocks = abs(node.head.height - indexer.head.height)
    late, other = ("Indexer", "node") if behind_s > 0 else ("node", "Indexer")
    text = f"the {late} is {blocks:,} blocks ({_spoken(abs(behind_s))}) behind the {other}"
    remedy = f"wait until the {late} has caught up, or use another"
    if abs(behind_s) > USELESS_S:
        return Judgement(Verdict.FAIL, text, remedy, UNREACHABLE)
    if abs(behind_s) > LATE_S:
        return Judgement(Verdict.WARN, text, remedy)
    return Judgement(Verdict.OK, "")


def _judge_block_time(text: str, block_age_s: float | None) -> Judgement:
    if block_age_s is not None and block_age_s > USELESS_S:
        text += f"; the node's newest block is {_spoken(block_age_s)} old"
        return Judgement(Verdict.WARN, text, "the chain stands still, or the node is far behind")
    if block_age_s is not None and block_age_s < -SKEWED_S:
        text += f"; the node's newest block is {_spoken(-block_age_s)} in the future"
        return Judgement(Verdict.WARN, text, "both clocks may be wrong; compare with a third (NTP)")
    return Judgement(Verdict.OK, text)


def _funding(network: Network) -> str:
    if network.faucet is not None:
        return f" test funds: {network.faucet}"
    return " it is funded by a deposit" if network.policy_kind == MAINNET else ""


def _file(fact: FileFacts, user: int) -> Iterable[Judgement]:
    where = f"{fact.what} {fact.path}"
    if fact.trouble is not None:
        yield Judgement(Verdict.WARN, f"{where}: cannot be looked at: {fact.trouble}", "make it readable for you")
    if fact.mode is None:
        return
    if fact.owner not in (user, 0):
        remedy = f"take it over or choose another place: chown {fact.path}"
        yield Judgement(Verdict.FAIL, f"{where}: belongs to another user", remedy, CONFIGURATION)
    is_folder = stat.S_ISDIR(fact.mode)
    if is_folder and fact.mode & stat.S_ISVTX:
        return
    remedy = f"make it yours alone: chmod go-w {fact.path}"
    if fact.mode & stat.S_IWOTH or (fact.mode & stat.S_IWGRP and not is_folder):
        yield Judgement(Verdict.FAIL, f"{where}: others may write to it", remedy, CONFIGURATION)
    elif fact.mode & stat.S_IWGRP:
        # many systems give each user a group of their own, so a folder open to the group is often open to nobody else
        yield Judgement(Verdict.WARN, f"{where}: its group may write to it", remedy)


def _joined(one: Judgement, other: Judgement) -> Judgement:
    """Return two findings of one check as one: the graver's verdict, code and remedy, the texts of both."""
    graver = min(one, other, key=_gravity)
    texts = (text for text in (one.text, other.text) if text)
    return Judgement(graver.verdict, "; ".join(texts), graver.remedy, graver.exit_code)


def _gravity(judged: Judgement) -> tuple[int, int]:
    verdicts = (Verdict.FAIL, Verdict.WARN, Verdict.OK, Verdict.SKIP)
    place = EXIT_ORDER.index(judged.exit_code) if judged.exit_code in EXIT_ORDER else len(EXIT_ORDER)
    return verdicts.index(judged.verdict), place


def _age_s(head: Heard, clock: VenueClock) -> float:
    """Return how old the newest block is, by the Indexer's clock or by ours.

    The smaller one counts: where the two differ, one of the clocks is wrong, which is for another check to say.
    """
    by_theirs = clock.venue_time + timedelta(seconds=head.at - clock.monotonic) - head.head.time
    return min((by_theirs.total_seconds(), (head.utc - head.head.time).total_seconds()), key=abs)


def _height(head: BlockHead) -> str:
    return f"#{head.height:,}"


def _apart(ahead_s: float) -> str:
    if abs(ahead_s) < 0.05:
        return "level with"
    return f"{_spoken(abs(ahead_s))} {'ahead of' if ahead_s > 0 else 'behind'}"


def _spoken(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5_400 else f"{seconds / 3_600:.1f} h"
