"""Start, stop and use the AWS account on this machine.

    account.py up                 start it and leave it running (LOCAL_AWS_PORT, default 4566)
    account.py down               stop what `up` started
    account.py using -- COMMAND   run COMMAND against what `up` started
    account.py run -- COMMAND     start one on a free port, run COMMAND against it, stop it (--accounts N: several)

COMMAND finds it through AWS_ENDPOINT_URL and the other AWS_ variables, as it would find any account.
Exit code 1 with a message when it cannot start; `run` exits with the command's code.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / ".venv-local" / "bin" / "python"
STATE = ROOT / ".local"
HOST = "127.0.0.1"
DEFAULT_PORT = 4566
# The variable that names the endpoints of all accounts of a run, with spaces between.
ENDPOINTS = "LOCAL_AWS_ENDPOINTS"
START_SECONDS = 120
STOP_SECONDS = 20


class AccountError(Exception):
    """The local account cannot be started or stopped; the message says what to do."""


def main() -> int:
    parser = argparse.ArgumentParser(description="The AWS account on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start it and leave it running")
    commands.add_parser("down", help="stop it")
    for name, text in (
        ("using", "run a command against the running account"),
        ("run", "start it, run a command against it, stop it"),
    ):
        command = commands.add_parser(name, help=text)
        if name == "run":
            command.add_argument("--accounts", metavar="N", type=int, default=1, help="start so many")
            command.add_argument("--beside", metavar="COMMAND", help="run this while it starts")
        command.add_argument("arguments", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    options = parser.parse_args()
    # make passes these on to its children and not always to their children: end what we started.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        if options.command == "up":
            return up(port_from_environment() or DEFAULT_PORT)
        if options.command == "down":
            return down(port_from_environment() or DEFAULT_PORT)
        arguments = options.arguments[1:] if options.arguments[:1] == ["--"] else options.arguments
        if not arguments:
            parser.error(f"{options.command} needs a command: account.py {options.command} -- COMMAND")
        if options.command == "using":
            return use(arguments)
        return run_command(arguments, options.accounts, options.beside)
    except AccountError as error:
        print(f"local account: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def up(port: int) -> int:
    """Start the account and leave it running."""
    if _pid_file(port).exists() and _answers(port):
        print(f"local account: runs already on {url(port)}")
        return 0
    if not _is_free(port):
        raise AccountError(
            f"port {port} is taken by another program; choose one with LOCAL_AWS_PORT=PORT make local-up"
        )
    process = start(port)
    _pid_file(port).write_text(str(process.pid))
    print(f"local account: runs on {url(port)}; its log is {_log(port)}\nUse it with:")
    for name, value in environment(port).items():
        print(f"  export {name}={value}")
    return 0


def down(port: int) -> int:
    """Stop the account that `up` started."""
    pid_file = _pid_file(port)
    if not pid_file.exists():
        print(f"local account: none was started on port {port}")
        return 0
    pid = int(pid_file.read_text())
    if _is_ours(pid):
        _end_group(pid)
    pid_file.unlink()
    shutil.rmtree(STATE / str(port), ignore_errors=True)
    print("local account: stopped")
    return 0


def use(arguments: list[str]) -> int:
    """Run a command against the account that `up` started and return its exit code."""
    port = port_from_environment() or DEFAULT_PORT
    if not _answers(port):
        raise AccountError(f"none runs on port {port}; start it with make local-up")
    return subprocess.call(arguments, env=os.environ | environment(port), cwd=ROOT)


def run_command(arguments: list[str], number: int = 1, beside: str | None = None) -> int:
    """Run a command against accounts of its own and return its exit code.

    number: how many; the command finds the first as any account, and all of them in the variable ENDPOINTS.
    beside: a command line that runs while they start. Raises AccountError with its output when it fails.
    """
    with _beside(beside) as done, accounts(number) as ports:
        done()
        variables = {**environment(ports[0]), ENDPOINTS: " ".join(map(url, ports))}
        child = subprocess.Popen(arguments, env=os.environ | variables, cwd=ROOT)
        try:
            return child.wait()
        except KeyboardInterrupt:
            child.terminate()
            child.wait()
            raise


@contextmanager
def _beside(command: str | None) -> Iterator[Callable[[], None]]:
    """Run a command line in the block; yields what waits for its end."""
    if command is None:
        yield lambda: None
        return
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, shell=True, cwd=ROOT, stdout=output, stderr=output)  # noqa: S602  ours

        def done() -> None:
            if process.wait():
                output.seek(0)
                raise AccountError(f"{command} failed:\n{output.read()}")

        try:
            yield done
        finally:
            process.terminate()
            process.wait()


@contextmanager
def accounts(number: int) -> Iterator[list[int]]:
    """Run accounts on free ports while the block runs; yields the ports."""
    first = port_from_environment() or (DEFAULT_PORT if _is_free(DEFAULT_PORT) else any_free_port())
    if not _is_free(first):
        raise AccountError(f"port {first} is taken by another program; choose another with LOCAL_AWS_PORT")
    if first != DEFAULT_PORT:
        print(f"local account: using port {first}", file=sys.stderr)
    with ExitStack() as stack:
        yield [stack.enter_context(_account(port)) for port in (first, *(any_free_port() for _ in range(number - 1)))]


def endpoints() -> list[str]:
    """Return the endpoints of all accounts of this run; none where `run` did not start it."""
    return os.environ.get(ENDPOINTS, "").split()


def claim() -> str | None:
    """Return the endpoint of an account that no other process of this run uses; None where there is none."""
    for endpoint in endpoints():
        with suppress(FileExistsError):
            Path(STATE, endpoint.rpartition(":")[2], "claimed").touch(exist_ok=False)
            return endpoint
    return None


@contextmanager
def _account(port: int) -> Iterator[int]:
    process = start(port)
    try:
        yield port
    finally:
        _end_group(process.pid)
        process.wait()
        shutil.rmtree(STATE / str(port), ignore_errors=True)


def start(port: int) -> "subprocess.Popen[bytes]":
    """Start the account and wait until it answers."""
    if not PYTHON.exists():
        raise AccountError("it is not installed; run make setup")
    folder = STATE / str(port)
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "tmp").mkdir(parents=True)
    with _log(port).open("wb") as log:
        process = subprocess.Popen(
            [str(PYTHON), "-m", "localstack.runtime.main"],
            cwd=folder,
            env=_server_environment(port, folder),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # A group of its own, so that its functions' processes end with it and Ctrl-C reaches us first.
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    try:
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise AccountError(
                    f"it did not start; its log's end is:\n{_log(port).read_text(errors='replace')[-2000:]}"
                )
            time.sleep(0.2)
    except BaseException:
        _end_group(process.pid)
        raise
    return process


def environment(port: int) -> dict[str, str]:
    """Return the variables by which every AWS tool finds the account; its credentials are made up."""
    return {
        "AWS_ENDPOINT_URL": url(port),
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }


def url(port: int) -> str:
    """Return the account's endpoint."""
    return f"http://{HOST}:{port}"


def port_from_environment() -> int | None:
    """Return LOCAL_AWS_PORT; None if it is not set. Raises AccountError when it is no port."""
    text = os.environ.get("LOCAL_AWS_PORT")
    if not text:
        return None
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise AccountError(f"LOCAL_AWS_PORT is {text!r}; give a port from 1 to 65535")
    return int(text)


def _server_environment(port: int, folder: Path) -> dict[str, str]:
    # Credentials and endpoints of the user must not reach it, so only what a process needs goes along.
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "SSL_CERT_FILE") if name in os.environ}
    return kept | {
        "GATEWAY_LISTEN": f"{HOST}:{port}",
        # The default server listens on all interfaces, whatever GATEWAY_LISTEN says.
        "GATEWAY_SERVER": "hypercorn",
        "LOCALSTACK_HOST": f"{HOST}:{port}",
        "FILESYSTEM_ROOT": str(folder),
        "TMPDIR": str(folder / "tmp"),
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DISABLE_EVENTS": "1",
        "DNS_ADDRESS": "0",
        "LAMBDA_RUNTIME_EXECUTOR": "process",
        "CONTAINER_RUNTIME": "process",
        "PROVIDER_OVERRIDE_DYNAMODB": "moto",
        # Lambda polls a queue all the time; the emulator once a second.
        "LAMBDA_EVENT_SOURCE_MAPPING_POLL_INTERVAL_SEC": "0.1",
        "LAMBDA_EVENT_SOURCE_MAPPING_MAX_BACKOFF_ON_EMPTY_POLL_SEC": "0.2",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"{url(port)}/_localstack/health", timeout=2) as response:
            return "services" in json.load(response)
    except (OSError, ValueError, urllib.error.URLError):
        return False


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def any_free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


def _end_group(pid: int) -> None:
    """End the account's process group: politely, then for good."""
    for number, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, STOP_SECONDS)):
        try:
            os.killpg(pid, number)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and _group_runs(pid):
            time.sleep(0.1)


def _group_runs(pid: int) -> bool:
    # A child of ours stays a zombie, and its group with it, until somebody waits for it.
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _is_ours(pid: int) -> bool:
    """Tell whether the process is an account of ours: its id may belong to another program by now."""
    listing = subprocess.run(["ps", "-p", str(pid), "-o", "args="], capture_output=True, text=True, check=False)
    return "localstack.runtime.main" in listing.stdout


def _pid_file(port: int) -> Path:
    return STATE / f"{port}.pid"


def _log(port: int) -> Path:
    return STATE / f"{port}.log"


if __name__ == "__main__":
    sys.exit(main())
