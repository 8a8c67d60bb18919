"""Chromium, and a console that shows the widget as CloudWatch does, on 127.0.0.1."""

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


class PageError(AssertionError):
    """The page does not do what a test waits for."""


class Page:
    """One page of Chromium; a call of a method is carried out by playwright's method of the same name."""

    def __init__(self, chromium: str) -> None:
        command = ["node", str(HERE / "driver.mjs"), chromium]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)

    def open(self, url: str, width: int, height: int = 900) -> None:
        """Show a page in a browser that knows nothing of the pages before."""
        self._ask({"open": {"url": url, "width": width, "height": height}})

    def call(self, method: str, *arguments: Any) -> Any:
        """Call a method of playwright's page: https://playwright.dev/docs/api/class-page ."""
        return self._ask({"call": method, "with": arguments})

    def run(self, script: str) -> Any:
        """Return the value of an expression in the page."""
        return self.call("evaluate", script)

    def events(self) -> list[str]:
        """Return what the page did unasked: dialogs, errors, requests of other hosts."""
        found: list[str] = self.call("events")
        return found

    def close(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def _ask(self, command: dict[str, Any]) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise PageError("Chromium or its driver has ended; it says why above")
        said = json.loads(line)
        if "error" in said:
            raise PageError(said["error"])
        return said["answer"]


@dataclass
class Console:
    """What CloudWatch knows of a widget, and the calls that it made.

    functions: what answers, by ARN. start: the widget's function, parameters and widgetContext.
    """

    functions: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    start: dict[str, Any] = field(default_factory=dict)
    calls: list[tuple[str, Any]] = field(default_factory=list)
    url: str = ""
    account: Any = None

    def answer(self, asked: Any) -> Any:
        self.calls.append((asked["endpoint"], asked["event"]))
        return self.functions[asked["endpoint"]](asked["event"])


class Handler(BaseHTTPRequestHandler):
    def __init__(self, console: Console, *arguments: Any) -> None:
        self.console = console
        super().__init__(*arguments)

    def do_GET(self) -> None:
        if self.path == "/start":
            self._say("application/json", json.dumps(self.console.start))
        elif self.path.partition("?")[0] == "/":
            self._say("text/html; charset=utf-8", (HERE / "cloudwatch.html").read_text())
        else:
            self._say("text/plain", "")

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        # As the runtime of Lambda writes it: a text that is no UTF-8 would fail here.
        self._say("application/json", json.dumps(self.console.answer(asked), ensure_ascii=False))

    def _say(self, kind: str, text: str) -> None:
        data = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  the base class calls it so
        """Say nothing."""


@pytest.fixture(scope="session")
def page() -> Iterator[Page]:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        said = "Chromium is missing: install it (apt-get install chromium), or name one with CHROMIUM=/path/to/chromium"
        if os.environ.get("CI"):
            pytest.fail(said)
        pytest.skip(said)
    page = Page(chromium)
    yield page
    page.close()


@pytest.fixture
def console() -> Iterator[Console]:
    console = Console()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, console))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    console.url = f"http://127.0.0.1:{server.server_address[1]}/"
    yield console
    server.shutdown()
    thread.join()
    server.server_close()
