"""Delete what the end-to-end tests left in an account that holds other things too.

    real_account.py STACK     delete the stack and all that the tests made beside it, and say what was deleted

All that the tests make bears the stack's name in front, and nothing else is touched. The name ends with -e2e, so that
no other stack's name begins with it by chance.
"""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import boto3
from botocore.exceptions import ClientError

SAM_STACK = "aws-sam-cli-managed-default"


def check(name: str) -> None:
    """Raise ValueError for a name that other stacks' names may begin with."""
    if not name.endswith("-e2e"):
        raise ValueError(f"{name!r} does not end with -e2e; give the tests a stack of their own (SFN_RESUME_STACK)")


def remove(name: str) -> list[str]:
    """Delete the stack and all that bears its name in front; return what was deleted.

    What cannot be deleted does not keep the rest. Raises ExceptionGroup with what went wrong, and ValueError for a name
    that does not end with -e2e.
    """
    check(name)
    deleted: list[str] = []
    errors: list[Exception] = []
    # The stack first: while the Resumer is there it builds GoToState machines anew.
    for kind in (_stacks, _machines, _functions, _rules, _queues, _roles, _policies, _buckets, _packages):
        try:
            for found, delete in list(kind(name)):
                try:
                    delete()
                    deleted.append(found)
                except Exception as error:  # noqa: BLE001  whatever it is, the rest is to be deleted
                    errors.append(error)
        except Exception as error:  # noqa: BLE001  the same
            errors.append(error)
    if errors:
        raise ExceptionGroup(f"not all of {name} could be deleted; deleted: {', '.join(deleted) or 'nothing'}", errors)
    return deleted


# What was found, in words, and how it is deleted.
type _Found = Iterator[tuple[str, Callable[[], object]]]


def _stacks(name: str) -> _Found:
    client = boto3.client("cloudformation")

    def delete(stack: str) -> None:
        client.delete_stack(StackName=stack)
        client.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig={"Delay": 5, "MaxAttempts": 240})

    for stack in _listed(client, "list_stacks", "StackSummaries"):
        found = stack["StackName"]
        if (found == name or found.startswith(f"{name}-")) and stack["StackStatus"] != "DELETE_COMPLETE":
            yield f"stack {found}", partial(delete, found)


def _machines(name: str) -> _Found:
    client = boto3.client("stepfunctions")
    for machine in _listed(client, "list_state_machines", "stateMachines"):
        if machine["name"].startswith(f"{name}-"):
            arn = machine["stateMachineArn"]
            # What still runs is ended by AWS.
            yield f"state machine {machine['name']}", partial(client.delete_state_machine, stateMachineArn=arn)


def _functions(name: str) -> _Found:
    client = boto3.client("lambda")
    for function in _listed(client, "list_functions", "Functions"):
        if (found := function["FunctionName"]).startswith(f"{name}-"):
            yield f"function {found}", partial(client.delete_function, FunctionName=found)


def _rules(name: str) -> _Found:
    client = boto3.client("events")

    def delete(rule: str) -> None:
        targets = client.list_targets_by_rule(Rule=rule)["Targets"]
        if targets:
            client.remove_targets(Rule=rule, Ids=[target["Id"] for target in targets])
        client.delete_rule(Name=rule)

    for rule in _listed(client, "list_rules", "Rules", NamePrefix=f"{name}-"):
        yield f"rule {rule['Name']}", partial(delete, rule["Name"])


def _queues(name: str) -> _Found:
    client = boto3.client("sqs")
    for url in _listed(client, "list_queues", "QueueUrls", QueueNamePrefix=f"{name}-"):
        yield f"queue {url.rpartition('/')[2]}", partial(client.delete_queue, QueueUrl=url)


def _roles(name: str) -> _Found:
    client = boto3.client("iam")

    def delete(role: str) -> None:
        for policy in client.list_role_policies(RoleName=role)["PolicyNames"]:
            client.delete_role_policy(RoleName=role, PolicyName=policy)
        client.delete_role(RoleName=role)

    for role in _listed(client, "list_roles", "Roles"):
        if role["RoleName"].startswith(f"{name}-"):
            yield f"role {role['RoleName']}", partial(delete, role["RoleName"])


def _policies(name: str) -> _Found:
    client = boto3.client("iam")
    for policy in _listed(client, "list_policies", "Policies", Scope="Local"):
        if policy["PolicyName"].startswith(f"{name}-"):
            yield f"policy {policy['PolicyName']}", partial(client.delete_policy, PolicyArn=policy["Arn"])


def _buckets(name: str) -> _Found:
    client = boto3.client("s3")

    def delete(bucket: str) -> None:
        for _, delete_object in list(_objects(bucket, "")):
            delete_object()
        client.delete_bucket(Bucket=bucket)

    for bucket in _listed(client, "list_buckets", "Buckets"):
        if bucket["Name"].startswith(f"{name}-"):
            yield f"bucket {bucket['Name']}", partial(delete, bucket["Name"])


def _packages(name: str) -> _Found:
    """Yield what was uploaded for the stack: the bucket is shared by all stacks of the SAM CLI, so it stays."""
    sam_stack = _describe(boto3.client("cloudformation"), SAM_STACK)
    if sam_stack is None:
        return
    outputs = {output["OutputKey"]: output["OutputValue"] for output in sam_stack["Outputs"]}
    yield from _objects(outputs["SourceBucket"], f"{name}/")


def _objects(bucket: str, prefix: str) -> _Found:
    client = boto3.client("s3")
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        for found in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
            which = {"Key": found["Key"], "VersionId": found["VersionId"]}
            yield f"object {found['Key']}", partial(client.delete_object, Bucket=bucket, **which)


def _listed(client: Any, operation: str, key: str, **request: str) -> Iterator[Any]:
    for page in client.get_paginator(operation).paginate(**request):
        yield from page.get(key, [])


def _describe(client: Any, name: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = client.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return found


if __name__ == "__main__":
    for each in remove(sys.argv[1]):
        print(f"deleted {each}")
