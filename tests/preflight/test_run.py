"""The whole run over a node and an Indexer that do what a test says: order, outcomes, what is skipped, deadlines."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from builders import ADDRESS
from preflight.fakes import (
    CHAIN,
    FIRST,
    NOW,
    OTHER_CHAIN,
    PLAN,
    SECOND,
    SILENCE,
    TIP,
    FakeIndexer,
    FakeNode,
    LoopClock,
    Machine,
    VirtualLoop,
    block,
    clock,
    fault,
    venue_clock,
)

from dydx_console.domain.chain import BlockHead
from dydx_console.domain.preflight import CheckResult, Report, Verdict
from dydx_console.ports.faults import FaultKind
from dydx_console.ports.probe import Compliance
from dydx_console.preflight.plan import Judgement, PreflightPlan, WatchedFile
from dydx_console.preflight.run import CHECKS, run_preflight, step_deadline_s

OK, WARN, FAIL, SKIP = Verdict.OK, Verdict.WARN, Verdict.FAIL, Verdict.SKIP
KEYS = ("key", "key encrypted", "key permissions")

Change = Callable[[FakeIndexer, FakeNode], object]


async def checked(
    plan: PreflightPlan = PLAN,
    node: FakeNode | None = None,
    indexer: FakeIndexer | None = None,
    *,
    off_s: float = 0.0,
    timeout_s: float = 5.0,
) -> Report:
    indexer = indexer or FakeIndexer()
    return await run_preflight(plan, node or FakeNode(), indexer, clock(off_s), timeout_s=timeout_s)


def named(report: Report, name: str) -> CheckResult:
    return next(check for check in report.checks if check.name == name)


def verdicts(report: Report) -> dict[str, Verdict]:
    return {check.name: check.verdict for check in report.checks}


async def test_all_is_well_and_told_in_the_fixed_order() -> None:
    told: list[CheckResult] = []
    indexer = FakeIndexer()
    report = await run_preflight(PLAN, FakeNode(), indexer, clock(), on_result=told.append)
    assert [check.name for check in report.checks] == [
        "environment", "config", "policy", "urls", "indexer", "node", "chain id", "binding", "stream", "clock",
        "account", "compliance", "key", "key encrypted", "key permissions", "files",
    ]  # fmt: skip
    assert tuple(check.name for check in report.checks) == CHECKS
    assert verdicts(report) == {name: SKIP if name in KEYS else OK for name in CHECKS}
    assert report.exit_code == 0
    assert tuple(told) == report.checks
    assert sorted(indexer.asked) == ["clock", f"compliance {ADDRESS}", "head", f"parents {ADDRESS}", "streams"]
    assert {named(report, name).text for name in KEYS} == {"no key store yet"}


async def test_what_is_known_is_told_while_a_later_check_still_waits() -> None:
    told: list[str] = []
    account = asyncio.Event()

    def take(result: CheckResult) -> None:
        told.append(result.name)
        if result.name == "account":
            account.set()

    indexer = FakeIndexer(screened=SILENCE)
    running = asyncio.ensure_future(run_preflight(PLAN, FakeNode(), indexer, clock(), timeout_s=60.0, on_result=take))
    await asyncio.wait_for(account.wait(), 10.0)
    assert tuple(told) == CHECKS[:11]
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


def broken(machine: str, **answers: object) -> Change:
    return lambda _indexer, node: node.machines.update({machine: replace(node.machines[machine], **answers)})


def both(**answers: object) -> Change:
    return lambda _indexer, node: node.machines.update({name: Machine(**answers) for name in (FIRST, SECOND)})


def said(**answers: object) -> Change:
    return lambda indexer, _node: [setattr(indexer, name, value) for name, value in answers.items()]


F = FaultKind
OUTCOMES: tuple[tuple[str, Change, str, Verdict, int, str], ...] = (
    ("nothing listens", said(head_is=fault()), "indexer", FAIL, 69, "host.example: no luck"),
    ("no time", said(clock_is=fault(F.TIMEOUT)), "indexer", FAIL, 69, "no luck"),
    ("bad certificate", said(head_is=fault(F.TLS)), "indexer", FAIL, 69, "no luck"),
    ("429", said(head_is=fault(F.RATE_LIMITED)), "indexer", FAIL, 75, "no luck"),
    ("403", said(head_is=fault(F.GEO_BLOCKED)), "indexer", FAIL, 76, "no luck"),
    ("no such path", said(head_is=fault(F.NOT_FOUND)), "indexer", FAIL, 78, "no luck"),
    ("a refusal", said(head_is=fault(F.REJECTED)), "indexer", FAIL, 76, "no luck"),
    ("5xx", said(head_is=fault(F.SERVER)), "indexer", FAIL, 69, "no luck"),
    ("html", said(head_is=fault(F.BAD_ANSWER)), "indexer", FAIL, 69, "no luck"),
    ("a late Indexer", said(head_is=block(TIP - 8)), "indexer", WARN, 0, "which is 8.5 s old"),
    ("a useless Indexer", said(head_is=block(TIP - 40)), "indexer", FAIL, 69, "which is 40 s old"),
    ("no node", both(info_is=fault()), "node", FAIL, 69, "no luck"),
    ("a fall-back is dead", broken(SECOND, info_is=fault(endpoint=SECOND)), "node", WARN, 0, "1 of 2 endpoints"),
    ("the first is dead", broken(FIRST, info_is=fault(endpoint=FIRST)), "node", WARN, 0, f"{SECOND}  {CHAIN}"),
    ("catching up", broken(FIRST, syncing_is=True), "node", WARN, 0, "it is catching up"),
    ("perhaps catching up", broken(FIRST, syncing_is=fault()), "node", WARN, 0, "does not say whether"),
    ("no newest block", broken(FIRST, head_is=fault()), "node", WARN, 0, "does not tell its newest block"),
    ("wrong chain", both(info_is=OTHER_CHAIN), "chain id", FAIL, 78, f"{FIRST} reports {OTHER_CHAIN}"),
    ("wrong fall-back", broken(SECOND, info_is=OTHER_CHAIN), "chain id", FAIL, 78, f"{SECOND} reports {OTHER_CHAIN}"),
    (
        "blocks of another chain",
        broken(FIRST, head_is=block(chain_id=OTHER_CHAIN)),
        "chain id", FAIL, 78, f"has blocks of {OTHER_CHAIN}",
    ),
    (
        "another time at the same height",
        both(blocks={TIP: block(chain_id=CHAIN, late_s=0.001)}),
        "binding", FAIL, 78, "1 ms apart",
    ),
    (
        "the block names another chain",
        both(blocks={TIP: block(chain_id=OTHER_CHAIN)}),
        "binding", FAIL, 78, f"the node's block is of {OTHER_CHAIN}",
    ),
    ("the stream is elsewhere", said(stream_is=block(late_s=3.0)), "binding", FAIL, 78, "3,000 ms apart"),
    ("REST is elsewhere", said(head_is=block(late_s=3.0)), "binding", FAIL, 78, "3,000 ms apart"),
    ("pruned everywhere", both(lowest=TIP + 1), "binding", FAIL, 75, "unknown: no node has #61,004,112"),
    ("pruned at first", broken(FIRST, lowest=TIP + 1), "binding", OK, 0, "same block time"),
    ("not there yet", both(comes_after=2), "binding", OK, 0, "same block time"),
    ("no block", both(blocks={TIP: fault(F.SERVER)}), "binding", FAIL, 75, "unknown"),
    ("no block in time", both(blocks={TIP: SILENCE}), "binding", FAIL, 75, "unknown"),
    (
        "a trailing Indexer",
        said(head_is=block(TIP - 8), stream_is=block(TIP - 8)),
        "binding", WARN, 0, "the Indexer is 8 blocks (8.0 s) behind the node",
    ),
    (
        "a hopeless Indexer",
        said(head_is=block(TIP - 45), stream_is=block(TIP - 45)),
        "binding", FAIL, 69, "the Indexer is 45 blocks (45 s) behind the node",
    ),
    (
        "a trailing node",
        both(head_is=block(TIP - 12, chain_id=CHAIN)),
        "binding", WARN, 0, "the node is 12 blocks (12 s) behind the Indexer",
    ),
    (
        "heights of two chains",
        both(head_is=replace(block(chain_id=CHAIN), height=TIP - 9_000_000), lowest=TIP + 1),
        "binding", FAIL, 75, "looks like another chain",
    ),
    ("no stream", said(stream_is=fault()), "stream", FAIL, 69, "no luck"),
    ("a stream that refuses", said(stream_is=fault(F.RATE_LIMITED)), "stream", FAIL, 75, "no luck"),
    ("never funded", said(parents_are=()), "account", WARN, 0, f"never funded on testnet ({CHAIN})"),
    ("another parent", said(parents_are=(2, 5)), "account", WARN, 0, "funded: 2, 5"),
    ("blocked account", said(parents_are=fault(F.GEO_BLOCKED)), "account", FAIL, 76, "no luck"),
    ("restricted", said(screened=Compliance("CLOSE_ONLY", "US_GEO")), "compliance", WARN, 0, "CLOSE_ONLY: US_GEO"),
    ("blocked", said(screened=Compliance("BLOCKED", None)), "compliance", FAIL, 76, "BLOCKED"),
    ("a new word", said(screened=Compliance("ODD", None)), "compliance", WARN, 0, "ODD"),
    ("screening limited", said(screened=fault(F.RATE_LIMITED)), "compliance", FAIL, 75, "no luck"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("_what", "change", "name", "verdict", "code", "words"), OUTCOMES, ids=[o[0] for o in OUTCOMES]
)
async def test_every_outcome_has_its_verdict_words_remedy_and_exit_code(
    _what: str, change: Change, name: str, verdict: Verdict, code: int, words: str
) -> None:
    indexer, node = FakeIndexer(), FakeNode()
    change(indexer, node)
    report = await checked(PLAN, node, indexer, timeout_s=2.5)
    result = named(report, name)
    assert (result.verdict, result.exit_code) == (verdict, code), result
    assert words in result.text
    assert (result.remedy is None) == (verdict is OK)
    assert report.exit_code == code
    assert [check.name for check in report.checks] == list(CHECKS)


@pytest.mark.parametrize(
    ("off_s", "verdict", "code", "words"),
    [
        (0.0, OK, 0, "level with"),
        (1.9, OK, 0, "1.9 s ahead of"),
        (2.1, WARN, 0, "2.1 s ahead of the Indexer's clock"),
        (-1.9, OK, 0, "1.9 s behind"),
        (-2.1, WARN, 0, "2.1 s behind"),
        (9.0, WARN, 0, "9.0 s ahead of"),
        (-29.9, WARN, 0, "30 s behind"),
        (30.1, FAIL, 78, "30 s ahead of"),
        (-30.1, FAIL, 78, "30 s behind"),
        (7_200.0, FAIL, 78, "2.0 h ahead of"),
        (-7_200.0, FAIL, 78, "2.0 h behind"),
    ],
)
async def test_a_clock_that_is_off(off_s: float, verdict: Verdict, code: int, words: str) -> None:
    """Our clock is off, the Indexer's and the blocks' are right; a block is half a second old."""
    report = await checked(indexer=FakeIndexer(clock_is=venue_clock(off_s)), off_s=off_s)
    result = named(report, "clock")
    assert (result.verdict, result.exit_code, report.exit_code) == (verdict, code, code)
    assert words in result.text
    assert "agrees" not in result.text
    assert verdict is OK or "this machine's clock" in (result.remedy or "")
    assert named(report, "indexer").verdict is OK


async def test_where_the_blocks_agree_with_us_it_is_the_indexers_clock_that_is_wrong() -> None:
    there = replace(venue_clock(), venue_time=NOW + timedelta(hours=2))
    report = await checked(indexer=FakeIndexer(clock_is=there))
    assert named(report, "clock").verdict is WARN
    assert "agrees with the node's blocks" in named(report, "clock").text
    assert report.exit_code == 0


async def test_a_chain_that_stands_still_is_told() -> None:
    old, standing = block(TIP - 600), block(TIP - 600, chain_id=CHAIN)
    node = FakeNode({FIRST: Machine(head_is=standing)})
    report = await checked(node=node, indexer=FakeIndexer(head_is=old, stream_is=old))
    assert "newest block is 10 min old" in named(report, "clock").text
    assert named(report, "clock").verdict is WARN
    assert "behind" not in named(report, "binding").text
    assert report.exit_code == 69


@pytest.mark.parametrize(
    ("change", "skipped"),
    [
        (said(head_is=fault()), {"account", "compliance"}),
        (said(clock_is=fault()), {"clock"}),
        (said(head_is=fault(), stream_is=fault()), {"account", "compliance", "binding"}),
        (both(info_is=fault()), {"chain id", "binding"}),
        (both(info_is=OTHER_CHAIN), {"binding"}),
        (broken(SECOND, info_is=OTHER_CHAIN), {"binding"}),
    ],
)
async def test_what_rests_on_a_failed_check_is_skipped_with_the_reason(change: Change, skipped: set[str]) -> None:
    indexer, node = FakeIndexer(), FakeNode()
    change(indexer, node)
    report = await checked(PLAN, node, indexer)
    assert {check.name for check in report.checks if check.verdict is SKIP} - set(KEYS) == skipped
    assert all(check.text and check.exit_code == 0 for check in report.checks if check.verdict is SKIP)


async def test_the_stream_alone_can_bind_where_rest_fails() -> None:
    report = await checked(indexer=FakeIndexer(head_is=fault(FaultKind.SERVER)))
    assert named(report, "binding").verdict is OK


async def test_a_pruned_block_is_asked_of_the_next_node_once_and_without_waiting() -> None:
    old = TIP - 20
    node = FakeNode({FIRST: Machine(lowest=TIP), SECOND: Machine()})
    await checked(node=node, indexer=FakeIndexer(head_is=block(old), stream_is=block(old)))
    assert set(node.machines[FIRST].asked) == set(node.machines[SECOND].asked) == {old}
    hopeless = FakeNode({FIRST: Machine(lowest=TIP)})
    report = await checked(node=hopeless, indexer=FakeIndexer(head_is=block(old), stream_is=block(old)))
    assert len(hopeless.machines[FIRST].asked) == 2
    assert named(report, "binding").exit_code == 75


async def test_a_network_without_nodes_proves_nothing_but_can_be_watched() -> None:
    for node in (None, FakeNode({})):
        report = await run_preflight(PLAN, node, FakeIndexer(), clock())
        assert named(report, "node").verdict is WARN
        assert verdicts(report)["chain id"] is verdicts(report)["binding"] is SKIP
        assert report.exit_code == 0


async def test_without_an_address_nothing_is_asked_about_one() -> None:
    indexer = FakeIndexer()
    report = await checked(replace(PLAN, address=None), indexer=indexer)
    assert verdicts(report)["account"] is verdicts(report)["compliance"] is SKIP
    assert sorted(indexer.asked) == ["clock", "head", "streams"]
    assert report.exit_code == 0


async def test_an_account_without_funds_cannot_trade() -> None:
    report = await checked(replace(PLAN, read_only=False), indexer=FakeIndexer(parents_are=()))
    assert (named(report, "account").verdict, report.exit_code) == (FAIL, 78)
    assert "https://faucet.example" in (named(report, "account").remedy or "")


@pytest.mark.parametrize(
    ("name", "code"), [("environment", 78), ("config", 78), ("policy", 77), ("urls", 78), ("config", 2)]
)
async def test_where_the_configuration_refuses_nobody_is_asked(name: str, code: int) -> None:
    indexer, node = FakeIndexer(), FakeNode()
    plan = replace(PLAN, **{name: Judgement(FAIL, "not so", "do otherwise", code)})
    report = await checked(plan, node, indexer)
    assert indexer.asked == []
    assert {check.name for check in report.checks if check.verdict is SKIP} == {*CHECKS[4:12], *KEYS}
    assert f"{name} refuses" in named(report, "indexer").text
    assert report.exit_code == code


async def test_without_a_network_nobody_is_asked() -> None:
    indexer = FakeIndexer()
    report = await run_preflight(replace(PLAN, network=None), None, indexer, clock())
    assert indexer.asked == []
    assert report.exit_code == 0
    assert all(verdicts(report)[name] is SKIP for name in CHECKS[4:15])


async def test_a_warning_of_the_policy_stops_nothing() -> None:
    report = await checked(replace(PLAN, policy=Judgement(WARN, "needs confirmation", "have it at hand")))
    assert report.exit_code == 0
    assert named(report, "indexer").verdict is OK


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (said(head_is=fault(F.RATE_LIMITED), stream_is=fault()), 69),
        (said(stream_is=fault(F.RATE_LIMITED), screened=Compliance("BLOCKED", None)), 75),
        (said(screened=Compliance("BLOCKED", None)), 76),
    ],
)
async def test_the_gravest_kind_of_refusal_is_the_exit_code(change: Change, code: int) -> None:
    indexer, node = FakeIndexer(), FakeNode()
    change(indexer, node)
    assert (await checked(PLAN, node, indexer)).exit_code == code
    both(info_is=OTHER_CHAIN)(indexer, node)
    assert (await checked(PLAN, node, indexer)).exit_code == 78


def virtually(node: FakeNode, indexer: FakeIndexer, timeout_s: float) -> Report:
    """Run under a time that jumps, so that what a run takes is exact and costs nothing."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(run_preflight(PLAN, node, indexer, LoopClock(), timeout_s=timeout_s))


@pytest.mark.parametrize("timeout_s", [0.5, 5.0, 60.0])
def test_when_everything_hangs_the_report_still_comes_in_time(timeout_s: float) -> None:
    hung = Machine(info_is=SILENCE, syncing_is=SILENCE, head_is=SILENCE, blocks={TIP: SILENCE})
    indexer = FakeIndexer(SILENCE, SILENCE, SILENCE, SILENCE, SILENCE)
    report = virtually(FakeNode({FIRST: hung, SECOND: hung}), indexer, timeout_s)
    assert report.took_ms <= timeout_s * 1_000
    assert report.exit_code == 69
    assert {check.name for check in report.checks if check.verdict is FAIL} == {"indexer", "node", "stream"}
    silent = f"no answer within {step_deadline_s(timeout_s):g} s"
    assert all(silent in check.text for check in report.checks if check.verdict is FAIL)


@pytest.mark.parametrize("timeout_s", [0.5, 5.0, 60.0])
def test_the_longest_chain_of_waits_stays_within_the_time_given(timeout_s: float) -> None:
    """Everything that others wait for comes at the last moment, and what waited for it never."""

    class Slow(FakeIndexer):
        async def head(self) -> BlockHead:
            await asyncio.sleep(step_deadline_s(timeout_s) * 0.99)
            return block()

    hung = Machine(blocks={TIP: SILENCE})
    report = virtually(FakeNode({FIRST: hung}), Slow(parents_are=SILENCE, screened=SILENCE), timeout_s)
    assert report.took_ms <= timeout_s * 1_000
    late = {check.name for check in report.checks if check.verdict is FAIL}
    assert late >= {"binding", "account", "compliance"}
    assert named(report, "account").took_ms == pytest.approx(step_deadline_s(timeout_s) * 1_000)


def test_a_single_question_may_take_two_seconds_of_the_default_five() -> None:
    assert step_deadline_s() == 2.0


async def test_hostile_words_of_the_configuration_are_cleaned() -> None:
    report = await checked(replace(PLAN, environment=Judgement(WARN, "a\x1b[31mb\u202e", "c\x07\nd")))
    assert (report.checks[0].text, report.checks[0].remedy) == ("a[31mb", "c d")


@pytest.mark.parametrize(
    ("mode", "folder_mode", "verdict", "words"),
    [
        (0o600, 0o700, OK, "only you may write"),
        (0o644, 0o755, OK, "only you may write"),
        (0o620, 0o700, FAIL, "others may write to it"),
        (0o602, 0o700, FAIL, "others may write to it"),
        (0o600, 0o777, FAIL, "folder of the config"),
        (0o600, 0o770, WARN, "its group may write to it"),
        (0o600, 0o1777, OK, "only you may write"),
    ],
)
async def test_a_config_that_others_can_write_to(
    tmp_path: Path, mode: int, folder_mode: int, verdict: Verdict, words: str
) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    path = folder / "config.toml"
    path.write_text("", encoding="utf-8")
    path.chmod(mode)
    folder.chmod(folder_mode)
    report = await checked(replace(PLAN, files=(WatchedFile("config", path), WatchedFile("log", tmp_path / "none"))))
    result = named(report, "files")
    assert (result.verdict, report.exit_code) == (verdict, 78 if verdict is FAIL else 0)
    assert words in result.text
    assert (verdict is OK) == (result.remedy is None)
    assert verdict is OK or "chmod go-w" in (result.remedy or "")


async def test_a_link_is_judged_by_what_it_leads_to_and_by_where_it_lies(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
    target, link = there / "config.toml", here / "config.toml"
    target.write_text("", encoding="utf-8")
    link.symlink_to(target)
    plan = replace(PLAN, files=(WatchedFile("config", link),))
    assert named(await checked(plan), "files").verdict is OK
    for open_to_all in (here, there):
        open_to_all.chmod(0o777)
        assert str(open_to_all) in named(await checked(plan), "files").text
        open_to_all.chmod(0o700)


async def test_files_are_looked_at_even_where_nobody_is_asked(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    journal.touch()
    journal.chmod(0o666)
    plan = replace(PLAN, policy=Judgement(FAIL, "no", "yes", 77), files=(WatchedFile("journal", journal),))
    report = await checked(plan)
    assert (named(report, "files").verdict, report.exit_code) == (FAIL, 78)
