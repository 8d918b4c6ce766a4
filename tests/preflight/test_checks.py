"""Judgements that a whole run cannot easily bring about: files of other users, answers that came far apart."""

import stat
from datetime import timedelta

import pytest
from preflight.fakes import CHAIN, NETWORK, NOW, TIP, block

from dydx_console.domain.preflight import Verdict
from dydx_console.preflight.checks import judge_binding, judge_files
from dydx_console.preflight.evidence import BoundBlock, FileFacts, Heard
from dydx_console.safety.grants import bind

ME = 1_000


@pytest.mark.parametrize(
    ("owner", "mode", "verdict", "words"),
    [
        (ME, stat.S_IFREG | 0o600, Verdict.OK, "only you may write: log"),
        (0, stat.S_IFREG | 0o644, Verdict.OK, "only you may write: log"),
        (1_001, stat.S_IFREG | 0o600, Verdict.FAIL, "belongs to another user"),
        (1_001, stat.S_IFDIR | 0o1777, Verdict.FAIL, "belongs to another user"),
        (0, stat.S_IFDIR | 0o1777, Verdict.OK, "only you may write: log"),
        (ME, stat.S_IFDIR | 0o770, Verdict.WARN, "its group may write"),
        (1_001, stat.S_IFREG | 0o666, Verdict.FAIL, "belongs to another user; log /x: others may write to it"),
    ],
)
def test_a_files_owner_and_mode(owner: int, mode: int, verdict: Verdict, words: str) -> None:
    judged = judge_files((FileFacts("log", "/x", mode, owner), FileFacts("journal", "/none")), ME)
    assert judged.verdict is verdict
    assert words in judged.text
    assert judged.exit_code == (78 if verdict is Verdict.FAIL else 0)


def test_a_file_that_cannot_be_looked_at_is_told() -> None:
    judged = judge_files((FileFacts("log", "/x", trouble="Permission denied"),), ME)
    assert judged.verdict is Verdict.WARN
    assert "Permission denied" in judged.text


def test_without_a_file_there_is_nothing_to_open() -> None:
    assert judge_files((), ME).text == "there is no file yet"


@pytest.mark.parametrize(
    ("apart_s", "verdict"), [(0, Verdict.WARN), (3, Verdict.OK), (8, Verdict.OK), (20, Verdict.WARN)]
)
def test_an_answer_that_came_later_is_newer_without_the_other_being_late(apart_s: int, verdict: Verdict) -> None:
    """The node's head is eight blocks of a second above the Indexer's, and was heard of so many seconds later."""
    indexer = Heard(block(TIP), 100.0, NOW)
    node = Heard(block(TIP + 8, chain_id=CHAIN), 100.0 + apart_s, NOW + timedelta(seconds=apart_s))
    bound = BoundBlock("indexer.example", TIP, bind((block(TIP),), block(TIP, chain_id=CHAIN)))
    assert judge_binding(NETWORK, (bound,), indexer, node).verdict is verdict
