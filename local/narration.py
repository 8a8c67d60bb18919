"""What the demonstration prints: titles, steps and their times, commands and their output, a table; its promises."""

import os
import pty
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

SLOW_STEP_SECONDS = 5

Row = tuple[str, str, str, str]


class PromiseBrokenError(Exception):
    """Something that the demonstration promises did not come true."""


def print_table(rows: list[Row]) -> None:
    table = [("MACHINE", "EXECUTION", "STATUS", "FROM STATE"), *rows]
    widths = [max(len(line[column]) for line in table) for column in range(4)]
    print()
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    print()


def title(text: str) -> None:
    print(f"\n{text}")


def promise(kept: bool, what: str) -> None:
    if not kept:
        raise PromiseBrokenError(f"promised and not kept: {what}")


@contextmanager
def step(text: str) -> Iterator[None]:
    """Say what is waited for, that it goes on, and how long it took."""
    print(f"  ... {text}", end="", flush=True)
    began = time.monotonic()
    done = threading.Event()

    def tick() -> None:
        while not done.wait(SLOW_STEP_SECONDS):
            print(".", end="", flush=True)

    ticker = threading.Thread(target=tick, daemon=True)
    ticker.start()
    try:
        yield
    finally:
        done.set()
        ticker.join()
        print(f" {time.monotonic() - began:.1f}s")


def gotostate(*arguments: str, has_bar: bool = False) -> None:
    """Run the gotostate command and show it with its output.

    has_bar: it draws a progress bar, which is shown as it moves; where this is no terminal, as it was last.
    """
    shown = [f"'{argument}'" if set("{ ") & set(argument) else argument for argument in arguments]
    print(f"  $ gotostate {' '.join(shown)}", flush=True)
    done = _with_bar(arguments) if has_bar else _run(arguments, subprocess.PIPE)
    for line in (done.stdout + (done.stderr or "")).splitlines():
        print(f"    {line}")
    promise(done.returncode == 0, f"gotostate {arguments[0]} succeeds")


def _run(arguments: Sequence[str], stderr: int) -> "subprocess.CompletedProcess[str]":
    # Names of the demonstration are long.
    wide = {**os.environ, "COLUMNS": "130", "TERM": "xterm"}
    command = ["gotostate", *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=stderr, text=True, check=False, env=wide)


def _with_bar(arguments: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    ours, theirs = pty.openpty()
    drawn = bytearray()
    reader = threading.Thread(target=_follow, args=(ours, drawn))
    reader.start()
    try:
        done = _run(arguments, theirs)
    finally:
        os.close(theirs)
        reader.join()
        os.close(ours)
    bars = [line.rstrip() for line in drawn.decode().replace("\n", "\r").split("\r") if line.strip()]
    last = {bar.partition("[")[0]: bar for bar in bars}
    if not sys.stdout.isatty():
        print("".join(f"    {bar}\n" for bar in last.values()), end="")
    return done


def _follow(terminal: int, drawn: bytearray) -> None:
    """Read what is drawn until the command has closed its end, and draw it here where this is a terminal."""
    with suppress(OSError):
        while drawing := os.read(terminal, 4096):
            drawn += drawing
            if sys.stdout.isatty():
                os.write(sys.stdout.fileno(), drawing)
