"""The writer that never waits, and the private parts of Textual that it relies on."""

import inspect
import os
import time

from textual.app import App
from textual.drivers import linux_driver
from textual.drivers._writer_thread import WriterThread
from textual.drivers.linux_driver import LinuxDriver

from dydx_console.tui.driver import SHORTEST_FRAME, Writer


def test_textual_still_has_the_shape_that_the_driver_replaces() -> None:
    start = inspect.getsource(LinuxDriver.start_application_mode)
    assert "self._writer_thread = WriterThread(self._file)" in start
    assert "self._writer_thread.start()" in start
    assert "self._writer_thread = None" in inspect.getsource(LinuxDriver.__init__) or (
        "self._writer_thread: WriterThread | None = None" in inspect.getsource(LinuxDriver.__init__)
    )
    assert "self._writer_thread.write(data)" in inspect.getsource(LinuxDriver.write)
    assert "self._writer_thread.stop()" in inspect.getsource(LinuxDriver.close)
    assert linux_driver.WriterThread is WriterThread
    used = {name for name in vars(WriterThread) if not name.startswith("_")}
    assert used <= {"write", "isatty", "fileno", "flush", "run", "stop"}


def test_textual_still_reports_crashes_where_the_app_listens() -> None:
    source = inspect.getsource(App._handle_exception)
    assert "self._return_code = 1" in source
    assert "self._fatal_error()" in source
    assert "self.panic(error)" in source
    assert list(inspect.signature(App._handle_exception).parameters) == ["self", "error"]
    assert "_close_messages_no_wait" in inspect.getsource(App._fatal_error)


def test_everything_arrives_in_order() -> None:
    reader, writer = os.pipe()
    thread = Writer(writer)
    thread.start()
    for number in range(200):
        thread.write(f"{number},")
    thread.stop()
    assert os.read(reader, 65536).decode() == "".join(f"{number}," for number in range(200))
    assert thread.backlog == 0
    os.close(reader)
    os.close(writer)


def test_a_reader_that_stalls_blocks_nobody_and_is_counted() -> None:
    reader, writer = os.pipe()
    thread = Writer(writer)
    thread.start()
    frame = "x" * 100_000
    started = time.monotonic()
    for _ in range(10):
        thread.write(frame)
    thread.write("\x1b[0m")
    assert time.monotonic() - started < 0.5
    assert thread.backlog == 10
    thread.discard()
    assert thread.backlog == 0
    started = time.monotonic()
    thread.stop()
    assert time.monotonic() - started < 3.0
    os.close(reader)
    time.sleep(0.05)
    os.close(writer)


def test_control_sequences_are_no_frames() -> None:
    thread = Writer(1)
    thread.write("x" * (SHORTEST_FRAME - 1))
    assert thread.backlog == 0
    thread.write("x" * SHORTEST_FRAME)
    assert thread.backlog == 1
    assert thread.isatty()
    assert thread.fileno() == 1
