"""What LocalStack loads of ours; each one is named under an entry point in ../pyproject.toml."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from localstack.runtime import hooks
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from localstack.services.plugins import Service, aws_provider


class ProcessRuntimeExecutorPlugin(RuntimeExecutorPlugin):
    """Run Lambda functions as processes (LAMBDA_RUNTIME_EXECUTOR=process)."""

    name = "process"

    def load(self, *args: object, **kwargs: object) -> type:
        from local_account.process_executor import ProcessRuntimeExecutor

        return ProcessRuntimeExecutor


@hooks.on_infra_start()
def evaluate_jsonata_in_python() -> None:
    """Evaluate JSONata with jsonata-python: LocalStack's own engine is a Java one that it downloads."""
    from localstack.services.stepfunctions.asl.jsonata import jsonata

    from local_account.jsonata_engine import evaluate

    jsonata._eval_jsonata = evaluate  # noqa: SLF001  the one place to put another engine in


@aws_provider(api="dynamodb", name="moto")
def dynamodb_moto() -> Service:
    """Serve DynamoDB from moto (PROVIDER_OVERRIDE_DYNAMODB=moto): LocalStack's own is a Java download."""
    from localstack.aws.api.dynamodb import DynamodbApi
    from localstack.services.moto import MotoFallbackDispatcher

    return Service.for_provider(DynamodbApi(), dispatch_table_factory=MotoFallbackDispatcher)


@hooks.on_infra_start()
def tag_state_machines_of_stacks() -> None:
    """Give state machines the tags that their template says: LocalStack's CloudFormation leaves them out."""
    from localstack.services.stepfunctions.resource_providers import aws_stepfunctions_statemachine as resource

    provider = resource.StepFunctionsStateMachineProvider

    def tagging(change: Callable[..., Any]) -> Callable[..., Any]:
        def change_and_tag(self: Any, request: Any) -> Any:
            event = change(self, request)
            tags = [{"key": tag["Key"], "value": tag["Value"]} for tag in request.desired_state.get("Tags") or []]
            if tags:
                client = request.aws_client_factory.stepfunctions
                client.tag_resource(resourceArn=event.resource_model["Arn"], tags=tags)
            return event

        return change_and_tag

    provider.create = tagging(provider.create)
    provider.update = tagging(provider.update)


@hooks.on_infra_start()
def substitute_numbers() -> None:
    """Take numbers as DefinitionSubstitutions, as AWS does: LocalStack takes texts alone."""
    from localstack.services.stepfunctions.resource_providers import aws_stepfunctions_statemachine as resource

    apply = resource._apply_substitutions  # noqa: SLF001  where the texts are put in

    def apply_texts(definition: str, substitutions: dict[str, Any]) -> str:
        return str(apply(definition, {name: str(value) for name, value in substitutions.items()}))

    resource._apply_substitutions = apply_texts  # noqa: SLF001  the same


@hooks.on_infra_start()
def log_where_functions_say() -> None:
    """Write a function's log to the log group of its LoggingConfig: LocalStack writes to the default one."""
    from localstack.services.lambda_.invocation.execution_environment import ExecutionEnvironment

    default = ExecutionEnvironment.get_log_group_name

    def log_group_name(self: ExecutionEnvironment) -> str:
        return str((self.function_version.config.logging_config or {}).get("LogGroup") or default(self))

    ExecutionEnvironment.get_log_group_name = log_group_name


@hooks.on_infra_start()
def tell_when_a_revision_was_made() -> None:
    """Give DescribeStateMachineForExecution the time of the revision: LocalStack gives that of the creation."""
    from localstack.services.stepfunctions.backend.execution import Execution
    from localstack.services.stepfunctions.backend.state_machine import StateMachineRevision

    revise, describe = StateMachineRevision.create_revision, Execution.to_describe_state_machine_for_execution_output

    def create_revision(self: StateMachineRevision, *args: Any, **kwargs: Any) -> Any:
        revision_id = revise(self, *args, **kwargs)
        if revision_id:
            self.revision_date = datetime.now(tz=UTC)
        return revision_id

    def described(self: Execution) -> Any:
        answer = describe(self)
        answer["updateDate"] = getattr(self.state_machine, "revision_date", answer["updateDate"])
        return answer

    StateMachineRevision.create_revision = create_revision
    Execution.to_describe_state_machine_for_execution_output = described


@hooks.on_infra_start()
def end_histories_where_they_were_aborted() -> None:
    """Let a branch or iteration that was aborted leave no state any more, as AWS does.

    LocalStack goes on for a moment, skips what it has not computed yet, and writes StateExited with what is left.
    """
    from localstack.services.stepfunctions.asl.eval.environment import Environment
    from localstack.services.stepfunctions.asl.eval.event.event_manager import EventManager
    from localstack.services.stepfunctions.asl.eval.program_state import (
        ProgramError,
        ProgramRunning,
        ProgramStopped,
        ProgramTimedOut,
    )

    add, set_ended = EventManager.add_event, Environment.set_ended

    def known(open_frame: Callable[..., Environment]) -> Callable[..., Environment]:
        def opened(self: Environment, *args: Any, **kwargs: Any) -> Environment:
            frame = open_frame(self, *args, **kwargs)
            frame.event_history_context.frame = frame
            return frame

        return opened

    def ended(self: Environment) -> None:
        # A state that fails ends what still runs inside it as if that had come to its own end.
        _abandon(self, ProgramRunning)
        set_ended(self)

    def add_unless_aborted(self: EventManager, context: Any, event_type: Any, *args: Any, **kwargs: Any) -> int:
        frame = getattr(context, "frame", None)
        state = frame._program_state if frame else None  # noqa: SLF001  the other way to it makes a deep copy
        is_abandoned = getattr(frame, "is_abandoned", False)
        is_aborted = is_abandoned or isinstance(state, ProgramError | ProgramStopped | ProgramTimedOut)
        # What it enters and calls in that moment it does call.
        if is_aborted and str(event_type).endswith(("Exited", "Succeeded")):
            return int(context.last_published_event_id)
        return int(add(self, context, event_type, *args, **kwargs))

    Environment.set_ended = ended
    Environment.open_frame = known(Environment.open_frame)
    Environment.open_inner_frame = known(Environment.open_inner_frame)
    EventManager.add_event = add_unless_aborted


@hooks.on_infra_start()
def find_state_machines_by_their_tags() -> None:
    """Answer GetResources for state machines: moto, which does it here, knows its own and not LocalStack's."""
    from localstack.services.stepfunctions.backend.state_machine import StateMachineRevision
    from localstack.services.stepfunctions.backend.store import sfn_stores
    from moto.resourcegroupstaggingapi.models import ResourceGroupsTaggingAPIBackend

    others = ResourceGroupsTaggingAPIBackend._get_resources_generator  # noqa: SLF001  where each service is asked

    def resources(self: Any, tag_filters: Any = None, resource_type_filters: Any = None) -> Any:
        yield from others(self, tag_filters, resource_type_filters)
        if "states:stateMachine" not in (resource_type_filters or ()):
            return
        wanted = {found["Key"] for found in tag_filters or ()}
        for arn, machine in list(sfn_stores[self.account_id][self.region_name].state_machines.items()):
            if isinstance(machine, StateMachineRevision):
                tags = {tag["key"]: tag["value"] for tag in machine.tag_manager.to_tag_list()}
                if wanted <= set(tags):
                    yield {"ResourceARN": arn, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    backend: Any = ResourceGroupsTaggingAPIBackend
    backend._get_resources_generator = resources  # noqa: SLF001  the same


def _abandon(frame: Any, running: type) -> None:
    """Mark all frames that run inside one as ended from outside."""
    if isinstance(frame._program_state, running):  # noqa: SLF001
        for inner in frame._frames:  # noqa: SLF001
            if isinstance(inner._program_state, running):  # noqa: SLF001
                inner.is_abandoned = True
            _abandon(inner, running)
