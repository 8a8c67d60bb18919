"""Lambda functions as processes: one warm process an execution environment, as on AWS."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from localstack import config
from localstack.services.lambda_.invocation.lambda_models import FunctionVersion, InvocationResult
from localstack.services.lambda_.invocation.runtime_executor import RuntimeExecutor

from local_account.bootstrap import CALLS

BOOTSTRAP = Path(__file__).with_name("bootstrap.py")


class ProcessRuntimeExecutor(RuntimeExecutor):
    """Runs the handler in a Python process in the function's unzipped code folder."""

    def __init__(self, id: str, function_version: FunctionVersion) -> None:  # noqa: A002  its base class's name
        super().__init__(id, function_version)
        self._environment: dict[str, str] = {}
        self._process: subprocess.Popen[str] | None = None
        self._log_path = Path(tempfile.gettempdir(), f"lambda-{id}.log")
        self._lock = threading.Lock()

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        if function_version.config.code:
            function_version.config.code.prepare_for_execution()

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        """Leave the code where it is: the version that follows a change of settings runs the same code."""

    def get_address(self) -> str:
        return "127.0.0.1"

    def get_endpoint_from_executor(self) -> str:
        return "127.0.0.1"

    def get_runtime_endpoint(self) -> str:
        return f"http://127.0.0.1:{config.GATEWAY_LISTEN[0].port}/_localstack_lambda/{self.id}"

    def get_logs(self) -> str:
        return self._log_path.read_text(errors="replace") if self._log_path.exists() else ""

    def start(self, env_vars: dict[str, Any]) -> None:
        # A function sees its own environment alone; of the machine's only what Python needs to run.
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self._environment = kept | {name: str(value) for name, value in env_vars.items()}
        self._environment["LAMBDA_TASK_ROOT"] = str(self._code_folder())

    def stop(self) -> None:
        process, self._process = self._process, None
        if process:
            _end(process)
        self._log_path.unlink(missing_ok=True)

    def invoke(self, payload: dict[str, str]) -> InvocationResult:
        request_id = payload["invoke-id"]
        timeout = self.function_version.config.timeout
        with self._lock:
            process = self._running_process()
            log_start = self._log_path.stat().st_size
            timer = threading.Timer(timeout, _end, [process])
            timer.start()
            answer = _exchange(process, payload)
            timed_out = not timer.is_alive()
            timer.cancel()
        logs = self._report(request_id, log_start)
        if answer is None:
            message = f"Task timed out after {timeout:.2f} seconds" if timed_out else "Runtime exited"
            body: Any = {
                "errorType": "Sandbox.Timedout" if timed_out else "Runtime.ExitError",
                "errorMessage": f"RequestId: {request_id} Error: {message}",
            }
            return InvocationResult(request_id, json.dumps(body).encode(), is_error=True, logs=logs)
        return InvocationResult(request_id, answer["payload"].encode(), is_error=answer["isError"], logs=logs)

    def _running_process(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            with self._log_path.open("a") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-u", str(BOOTSTRAP), str(Path(os.environ["FILESYSTEM_ROOT"], CALLS))],
                    cwd=self._code_folder(),
                    env=self._environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                )
        return self._process

    def _report(self, request_id: str, log_start: int) -> str:
        with self._log_path.open(errors="replace") as log:
            log.seek(log_start)
            written = log.read()
        return f"START RequestId: {request_id}\n{written}END RequestId: {request_id}"

    def _code_folder(self) -> Path:
        code = self.function_version.config.code
        if code is None:
            raise ValueError("this local account runs zip functions only")
        return Path(code.get_unzipped_code_location())


def _exchange(process: subprocess.Popen[str], payload: dict[str, str]) -> dict[str, Any] | None:
    assert process.stdin
    assert process.stdout
    try:
        process.stdin.write(json.dumps(payload) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
    except OSError:
        return None
    return json.loads(line) if line else None


def _end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
