"""An execution that succeeded, read so that a person may run it again from a state; automation never does."""

from gotostate import history, reading, resumption
from gotostate.executions import Execution
from gotostate.failure import Failure
from gotostate.memory import Memory
from gotostate.report import Report
from gotostate.resumption import ExecutionArn


def read(memory: Memory, execution: Execution) -> Failure:
    """Read an execution that succeeded, as though it were a failure; changes nothing.

    Its point says that there is nothing to resume: a person names the state. The id of its ExecutionSucceeded event
    determines the name of the new execution, so that the same run is started once. Whether a parent waited for it does
    not matter, as the parent already has its result.
    """
    arn = ExecutionArn.parse(execution.arn)
    report = Report(
        execution.arn,
        input=execution.input,
        redrives=execution.redrive_count,
        started=execution.started,
        stopped=execution.stopped,
        version=execution.version,
        on_plain_arn=execution.on_plain_arn,
    )
    ran = memory.machine_that_ran(report)
    resumed = ran.definition.is_gotostate
    chain = resumption.chain_of(arn.text, execution.input, resumed=resumed)
    tags = reading.tags_if_any(memory, arn.machine_arn)
    source_arn = arn.machine_arn
    if resumed:
        source_arn = resumption.source_of(tags, arn.machine_arn) or ExecutionArn.parse(chain.original).machine_arn
    point = history.success(memory.aws.events(arn.text), ran.definition)
    source = memory.source_of(ran.definition)
    return Failure(
        arn, ran, source, source_arn, tags, chain, point, redrives=execution.redrive_count, has_succeeded=True
    )
