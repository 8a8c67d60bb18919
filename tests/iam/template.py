"""The template as CloudFormation would deploy it: its roles, functions and state machines, every value filled in."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from iam.authorization import Place
from iam.simulator import Role

ROOT = Path(__file__).parents[2]
STACK = "sfn-resume"
_NO_VALUE = object()
_SUBSTITUTION = re.compile(r"\$\{([\w.:]+)\}")

# Service and resource of the ARNs that !GetAtt NAME.Arn gives.
_ARNS = {
    "AWS::DynamoDB::Table": ("dynamodb", "table/{}"),
    "AWS::Events::Rule": ("events", "rule/{}"),
    "AWS::Logs::LogGroup": ("logs", "log-group:{}:*"),
    "AWS::SNS::Topic": ("sns", "{}"),
    "AWS::SQS::Queue": ("sqs", "{}"),
    "AWS::Serverless::Function": ("lambda", "function:{}"),
    "AWS::Serverless::StateMachine": ("states", "stateMachine:{}"),
}
_REF_IS_ARN = ("AWS::SNS::Topic", "AWS::Serverless::StateMachine")


@dataclass(frozen=True)
class Function:
    """A Lambda function. environment: its variables; log_group: ARN of its log group, without the :* at its end."""

    name: str
    role: Role
    environment: Mapping[str, str]
    log_group: str


@dataclass(frozen=True)
class StateMachine:
    """A state machine. role: the logical name of its role."""

    name: str
    arn: str
    role: str
    definition: Mapping[str, Any]


class Template:
    """template.yaml, deployed with some parameters as the stack STACK; the others have their defaults."""

    def __init__(self, place: Place, parameters: Mapping[str, str] | None = None) -> None:
        document = yaml.load((ROOT / "template.yaml").read_text(), _Loader)  # noqa: S506  a safe loader, with tags
        self._place = place
        self._conditions: dict[str, Any] = document["Conditions"]
        given = {name: str(found["Default"]) for name, found in document["Parameters"].items()} | dict(parameters or {})
        self._parameters: dict[str, Any] = {
            name: value.split(",") if document["Parameters"][name]["Type"] == "CommaDelimitedList" else value
            for name, value in given.items()
        }
        self._resources: dict[str, Any] = {
            name: resource
            for name, resource in document["Resources"].items()
            if "Condition" not in resource or self._condition(resource["Condition"])
        }

    def _of_type(self, kind: str) -> dict[str, Any]:
        return {
            name: self._resolve(resource["Properties"])
            for name, resource in self._resources.items()
            if resource["Type"] == kind
        }

    @cached_property
    def roles(self) -> dict[str, Role]:
        """The roles, by logical name."""
        found = {}
        for name, properties in self._of_type("AWS::IAM::Role").items():
            assert "ManagedPolicyArns" not in properties, f"{name} has policies that tests/iam/template.py cannot read"
            policies = {policy["PolicyName"]: policy["PolicyDocument"] for policy in properties["Policies"]}
            found[name] = Role(name, self.arn(name), policies)
        return found

    def _role_of(self, properties: Mapping[str, Any]) -> Role:
        return next(role for role in self.roles.values() if role.arn == properties["Role"])

    @cached_property
    def functions(self) -> dict[str, Function]:
        """The functions, by logical name."""
        found = {}
        for name, properties in self._of_type("AWS::Serverless::Function").items():
            environment = properties.get("Environment", {}).get("Variables", {})
            log_group = self._place.arn("logs", f"log-group:{properties['LoggingConfig']['LogGroup']}")
            found[name] = Function(name, self._role_of(properties), environment, log_group)
        return found

    @cached_property
    def machines(self) -> dict[str, StateMachine]:
        """The state machines, by logical name."""
        found = {}
        for name, properties in self._of_type("AWS::Serverless::StateMachine").items():
            assert "Logging" not in properties, f"{name} writes a log: teach tests/iam/integrations.py what that needs"
            assert "Tracing" not in properties, f"{name} is traced: teach tests/iam/integrations.py what that needs"
            text = (ROOT / properties["DefinitionUri"]).read_text()
            for placeholder, value in properties["DefinitionSubstitutions"].items():
                text = text.replace(f"${{{placeholder}}}", str(value))
            found[name] = StateMachine(name, self.arn(name), self._role_of(properties).name, json.loads(text))
        return found

    def _name_of(self, name: str) -> str:
        return str(self._resolve(self._resources[name]["Properties"].get("Name", f"{STACK}-{name}")))

    def arn(self, name: str) -> str:
        """Return what !GetAtt NAME.Arn gives."""
        kind = self._resources[name]["Type"]
        if kind == "AWS::IAM::Role":
            return f"arn:{self._place.partition}:iam::{self._place.account}:role/{self._name_of(name)}"
        service, resource = _ARNS[kind]
        return self._place.arn(service, resource.format(self._name_of(name)))

    def _ref(self, name: str) -> Any:
        pseudo = {
            "AWS::AccountId": self._place.account,
            "AWS::NoValue": _NO_VALUE,
            "AWS::Partition": self._place.partition,
            "AWS::Region": self._place.region,
            "AWS::StackName": STACK,
        }
        for known in (pseudo, self._parameters):
            if name in known:
                return known[name]
        kind = self._resources[name]["Type"]
        if kind == "AWS::SQS::Queue":
            return f"https://sqs.{self._place.region}.amazonaws.com/{self._place.account}/{self._name_of(name)}"
        return self.arn(name) if kind in _REF_IS_ARN else self._name_of(name)

    def _get(self, path: str) -> str:
        name, _, attribute = path.partition(".")
        return self.arn(name) if attribute == "Arn" else self._name_of(name)

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [found for found in map(self._resolve, value) if found is not _NO_VALUE]
        if not isinstance(value, dict):
            return value
        name, *others = value
        if name in _INTRINSICS and not others:
            return _INTRINSICS[name](self, value[name])
        assert not name.startswith("Fn::"), f"teach tests/iam/template.py {name}"
        found = {name: self._resolve(item) for name, item in value.items()}
        return {name: item for name, item in found.items() if item is not _NO_VALUE}

    def _sub(self, text: str) -> str:
        return _SUBSTITUTION.sub(lambda found: str((self._get if "." in found[1] else self._ref)(found[1])), text)

    def _if(self, branches: list[Any]) -> Any:
        condition, then, otherwise = branches
        return self._resolve(then if self._condition(condition) else otherwise)

    def _condition(self, name: str) -> bool:
        return bool(self._resolve(self._conditions[name]))


_INTRINSICS: dict[str, Callable[[Template, Any], Any]] = {
    "Condition": lambda template, name: template._condition(name),
    "Fn::Equals": lambda template, pair: template._resolve(pair[0]) == template._resolve(pair[1]),
    "Fn::GetAtt": lambda template, path: template._get(path),
    "Fn::If": lambda template, branches: template._if(branches),
    "Fn::Join": lambda template, joined: joined[0].join(template._resolve(joined[1])),
    "Fn::Not": lambda template, condition: not template._resolve(condition[0]),
    "Fn::Sub": lambda template, text: template._sub(text),
    "Ref": lambda template, name: template._ref(name),
}


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms, read as the long ones."""


def _long_form(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.ScalarNode)
        value = loader.construct_scalar(node)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _long_form)
