"""Invoke a built function on this machine, under AWS's Runtime Interface Emulator and in no container.

    invoke.py --function ResumerFunction --event events/resumer-failed.json [--stack NAME]

`make invoke` calls it. The function calls AWS as the caller would: with the credentials, region and AWS_ENDPOINT_URL of
the environment. The answer goes to stdout as JSON, the function's log to stderr. Exit code 1 when the function raised,
2 when it could not be invoked.
"""

import argparse
import json
import os
import sys
import urllib.error
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import yaml
from botocore.exceptions import BotoCoreError, ClientError
from runtime import BUILT, ROOT, RunningFunction, running
from stack import StackError, sam

# The emulator is waited for a minute (runtime.py). With so little time the Sweeper begins no deletion of a machine.
MOST_SECONDS = 55
# What a function needs of the caller's environment to reach AWS, apart from region and credentials.
WAYS = ("AWS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
ENDPOINT = "AWS_ENDPOINT_URL"


class InvokeError(Exception):
    """A function cannot be invoked; the message names what was given and what to do."""


@dataclass(frozen=True)
class Function:
    """A built function.

    environment: its variables, as far as the template alone tells them. of_stack: names of the variables that name
    resources of a deployed stack. seconds, memory: its timeout, and its memory in MB.
    """

    name: str
    folder: Path
    handler: str
    environment: Mapping[str, str]
    of_stack: tuple[str, ...]
    seconds: int
    memory: int

    @property
    def given_seconds(self) -> int:
        """The time that it has here."""
        return min(self.seconds, MOST_SECONDS)

    @contextmanager
    def running(self, variables: Mapping[str, str] | None = None) -> Iterator[RunningFunction]:
        """Run it under the emulator while the block runs; variables: added to its environment."""
        given = {
            **self.environment,
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(self.given_seconds),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory),
            **(variables or {}),
        }
        with running(self.folder, self.handler, given) as function:
            yield function


def main() -> int:
    parser = argparse.ArgumentParser(description="Invoke a built function with no container.")
    parser.add_argument("--function", default="", help="its logical name, as ResumerFunction")
    parser.add_argument("--event", default="", help="a file with the event, as events/resumer-failed.json")
    parser.add_argument("--stack", default="", help="a deployed stack, whose environment the function gets")
    options = parser.parse_args()
    try:
        event = read_event(options.event)
        build()
        function = read(options.function)
        session = boto3.session.Session()
        if options.stack:
            function = as_deployed(function, session, options.stack)
        variables = caller(session)
    except (InvokeError, StackError, BotoCoreError) as error:
        print(f"invoke: {error}", file=sys.stderr)
        return 2
    where = variables.get(ENDPOINT, "AWS")
    print(
        f"invoke: {function.name} with {options.event}; it calls {where} in {variables['AWS_REGION']}", file=sys.stderr
    )
    if not variables["AWS_ACCESS_KEY_ID"]:
        print("invoke: there are no AWS credentials, so a call to AWS fails; aws configure sets them", file=sys.stderr)
    if function.of_stack:
        print(
            f"invoke: not set, as they name resources of a deployed stack: {', '.join(function.of_stack)}; "
            "STACK=NAME takes them from one",
            file=sys.stderr,
        )
    return invoke(function, variables, event)


def build() -> None:
    """Build the functions, if something was changed since they were built. Raises StackError."""
    if not is_built():
        print("invoke: sam build", file=sys.stderr)
        sam("build")


def is_built() -> bool:
    """Tell whether nothing was changed since the last build; `sam build` takes its time even then."""
    template = BUILT / "template.yaml"
    if not template.exists():
        return False
    sources = [
        ROOT / "template.yaml",
        *(path for path in (ROOT / "functions").rglob("*") if "__pycache__" not in path.parts),
    ]
    return template.stat().st_mtime > max(path.stat().st_mtime for path in sources)


def invoke(function: Function, variables: Mapping[str, str], event: Any) -> int:
    """Invoke a function, print its log and its answer, and return the exit code."""
    with function.running(variables) as under_emulator:
        try:
            answer = under_emulator.invoke(event)
        except (urllib.error.URLError, TimeoutError, ValueError) as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            # A timeout comes back as a sentence, and not as JSON.
            why = f"its {function.given_seconds} seconds were used up" if isinstance(error, ValueError) else error
            print(f"invoke: {function.name} gave no answer: {why}; its log:", file=sys.stderr)
            return 1
        finally:
            print(own_lines(under_emulator.log.read_text(errors="replace")), end="", file=sys.stderr)
    print(json.dumps(answer, indent=2, ensure_ascii=False))
    return 1 if has_raised(answer) else 0


def own_lines(log: str) -> str:
    """Leave out what the emulator says of itself."""
    return "".join(line for line in log.splitlines(keepends=True) if " (rapid) " not in line)


def has_raised(answer: Any) -> bool:
    """Tell whether an answer is the error of a function; the emulator answers it as any other."""
    return isinstance(answer, dict) and {"errorType", "errorMessage"} <= answer.keys()


def read_event(path: str) -> Any:
    """Read the event in a file. Raises InvokeError."""
    samples = "a sample is one of " + ", ".join(
        str(found.relative_to(ROOT)) for found in sorted(ROOT.glob("events/*.json"))
    )
    if not path:
        raise InvokeError(f"EVENT is not given; {samples}")
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InvokeError(f"EVENT is {path!r}, which cannot be read: {error.strerror}; {samples}") from error
    except ValueError as error:
        raise InvokeError(f"EVENT is {path!r}, which is no JSON: {error}; mend the file") from error


def read(name: str) -> Function:
    """Read a function as `sam build` left it. Raises InvokeError."""
    template = yaml.safe_load((BUILT / "template.yaml").read_text(encoding="utf-8"))
    functions = {
        found: resource["Properties"]
        for found, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    if name not in functions:
        given = f"FUNCTION is {name!r}, which the template does not have" if name else "FUNCTION is not given"
        raise InvokeError(f"{given}; give one of {', '.join(functions)}")
    properties = {**template["Globals"]["Function"], **functions[name]}
    variables = properties.get("Environment", {}).get("Variables", {})
    known = {variable: resolve(value, template) for variable, value in variables.items()}
    return Function(
        name,
        BUILT / properties["CodeUri"],
        properties["Handler"],
        {variable: value for variable, value in known.items() if value is not None},
        tuple(variable for variable, value in known.items() if value is None),
        properties["Timeout"],
        properties["MemorySize"],
    )


def resolve(value: Any, template: Mapping[str, Any]) -> str | None:
    """Return a value of a template as text, with the defaults of its parameters; None where a stack alone tells it."""
    if not isinstance(value, dict):
        return str(value)
    ((function, argument),) = value.items()
    if function == "Ref" and argument in template["Parameters"]:
        return str(template["Parameters"][argument]["Default"])
    if function == "Fn::If":
        condition, then, otherwise = argument
        return resolve(then if holds(template["Conditions"][condition], template) else otherwise, template)
    return None


def holds(condition: Any, template: Mapping[str, Any]) -> bool:
    """Tell whether a condition of a template holds. Raises InvokeError for one that is written in another way."""
    match condition:
        case {"Fn::Not": [inner]}:
            return not holds(inner, template)
        case {"Fn::Equals": [left, right]}:
            return resolve(left, template) == resolve(right, template)
    raise InvokeError(f"the template has the condition {condition}, which is not understood here; give STACK=NAME")


def as_deployed(function: Function, session: boto3.session.Session, stack: str) -> Function:
    """Return a function with the settings that it has in a deployed stack; its code stays the one built here.

    Raises InvokeError when there is no such stack, and what botocore raises.
    """
    try:
        found = session.client("cloudformation").describe_stack_resource(
            StackName=stack, LogicalResourceId=function.name
        )
        deployed = session.client("lambda").get_function_configuration(
            FunctionName=found["StackResourceDetail"]["PhysicalResourceId"]
        )
    except ClientError as error:
        raise InvokeError(
            f"STACK is {stack!r}, of which {function.name} cannot be read: {error}; "
            "to see the stacks: aws cloudformation describe-stacks --query 'Stacks[].StackName'"
        ) from error
    return replace(
        function,
        environment=deployed.get("Environment", {}).get("Variables", {}),
        of_stack=(),
        seconds=deployed["Timeout"],
        memory=deployed["MemorySize"],
    )


def caller(session: boto3.session.Session) -> dict[str, str]:
    """Return the variables by which a function calls AWS as the caller would.

    Credentials that a profile, a login or a role gives are resolved here, as the function does not see the caller's
    home. Without any, AWS_ACCESS_KEY_ID is empty. Raises InvokeError, and what botocore raises.
    """
    if not session.region_name:
        raise InvokeError("no AWS region is set; give one with AWS_DEFAULT_REGION")
    found = session.get_credentials()
    frozen = found.get_frozen_credentials() if found else None
    variables = {name: os.environ[name] for name in os.environ if name in WAYS or name.startswith(ENDPOINT)}
    variables |= {
        "AWS_REGION": session.region_name,
        "AWS_DEFAULT_REGION": session.region_name,
        "AWS_ACCESS_KEY_ID": (frozen and frozen.access_key) or "",
        "AWS_SECRET_ACCESS_KEY": (frozen and frozen.secret_key) or "",
        # Where there are none the function must not look for others.
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    if frozen and frozen.token:
        variables["AWS_SESSION_TOKEN"] = frozen.token
    return variables


if __name__ == "__main__":
    sys.exit(main())
