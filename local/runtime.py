"""The Lambda runtime on this machine: a built function under AWS's Runtime Interface Emulator, no container.

The emulator comes in the SAM CLI's package, the runtime's client (awslambdaric) from PyPI.
"""

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from account import any_free_port

ROOT = Path(__file__).resolve().parent.parent
BUILT = ROOT / ".aws-sam" / "build"
_INVOKE = "2015-03-31/functions/function/invocations"
_INIT = re.compile(r"INIT REPORT\(durationMs: ([\d.]+)\)")
START_SECONDS = 20


@dataclass
class RunningFunction:
    """A function under the emulator."""

    port: int
    log: Path

    def invoke(self, event: Any) -> Any:
        """Invoke it; errors and time-outs of the function come back as bodies too, as with the emulator on AWS."""
        body = json.dumps(event).encode()
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{_INVOKE}", body, timeout=60) as response:
                    return json.load(response)
            except urllib.error.HTTPError:
                # It was invoked; once more would do its work again.
                raise
            except urllib.error.URLError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    @property
    def init_ms(self) -> float:
        """Milliseconds that the first invocation spent on starting the function."""
        found = _INIT.search(self.log.read_text(errors="replace"))
        if not found:
            raise ValueError(f"no INIT REPORT in the emulator's log:\n{self.log.read_text(errors='replace')}")
        return float(found[1])


@contextmanager
def running(folder: Path, handler: str, environment: dict[str, str] | None = None) -> Iterator[RunningFunction]:
    """Run the function in a folder under the emulator while the block runs."""
    architecture = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
    (emulator,) = (ROOT / ".venv-sam").glob(
        f"lib/python*/site-packages/samcli/local/rapid/aws-lambda-rie-{architecture}"
    )
    port, api_port = any_free_port(), any_free_port()
    module = handler.rpartition(".")[0]
    with tempfile.TemporaryDirectory() as scratch:
        # The package is mounted as it comes, without the mark that it may be run.
        runnable = Path(scratch, "aws-lambda-rie")
        runnable.write_bytes(emulator.read_bytes())
        runnable.chmod(0o755)
        log = Path(scratch, "log")
        variables = {
            "PATH": os.environ["PATH"],
            "HOME": scratch,
            "LAMBDA_TASK_ROOT": str(folder),
            "_HANDLER": handler,
            "PYTHONPATH": str(folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "AWS_LAMBDA_FUNCTION_NAME": module,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_LAMBDA_FUNCTION_TIMEOUT": "30",
            "AWS_REGION": "eu-west-1",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            **(environment or {}),
        }
        command = [
            str(runnable),
            *("--runtime-interface-emulator-address", f"127.0.0.1:{port}"),
            *("--runtime-api-address", f"127.0.0.1:{api_port}"),
            *(sys.executable, "-m", "awslambdaric", handler),
        ]
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, cwd=folder, env=variables, stdout=output, stderr=output, start_new_session=True
            )
        try:
            yield RunningFunction(port, log)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            process.wait()
