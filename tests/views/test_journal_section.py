"""The document's `journal` section."""

from tui.pictures import NOW, picture

from dydx_console.domain.journal import JournalMode, JournalView
from dydx_console.views.compose import document_of
from dydx_console.views.documents import NetworkSection

NETWORK = NetworkSection(
    name="t", chain_id=None, environment=None, environment_from=None, confirmed=True, read_only=True, warnings=()
)


def test_it_says_what_becomes_of_the_history_without_hostile_characters() -> None:
    view = JournalView(JournalMode.LOOKING, "whose \x1b[31m\u202eit is", NOW, 1234, 1, 2)
    section = document_of(picture(journal=view), NETWORK).model_dump(mode="json")["journal"]
    assert section == {
        "mode": "LOOKING",
        "text": section["text"],
        "since": NOW.isoformat().replace("+00:00", ".000Z"),
        "owner_pid": 1234,
        "missed": 1,
        "rejected": 2,
    }
    assert not set("\x1b\u202e") & set(section["text"])


def test_a_recording_has_none() -> None:
    section = document_of(picture(), NETWORK).model_dump(mode="json")["journal"]
    assert section["mode"] == "NONE"
    assert section["text"] is None
