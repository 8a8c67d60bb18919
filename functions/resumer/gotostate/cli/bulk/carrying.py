"""Carrying out a bulk resume: the canaries first, then the others, then watching what becomes of them."""

import sys
from collections.abc import Sequence

from gotostate.cli.bar import Bar
from gotostate.cli.bulk import items as bulk_items
from gotostate.cli.bulk.canaries import Canary, look_once, see_to_the_end
from gotostate.cli.bulk.handover import What, by_resumer, from_here
from gotostate.cli.bulk.items import Item
from gotostate.cli.bulk.planned import Planned
from gotostate.cli.bulk.results import Results, told
from gotostate.cli.bulk.watching import Seen, Watch


def carry_out(planned: Planned, results: Results, *, watches: bool) -> None:
    """Resume the canaries, and the others only if all of them succeed; records the progress in `results`.

    watches: whether to look until all have ended. Raises what AWS denies, and StackError.
    """
    items = planned.preview.done
    if planned.preview.canaries:
        results.stopped = "the canaries have not all succeeded"
        results.stopped = _try(planned, results, planned.preview.canaries)
        if results.stopped:
            return
    others = [item for item in items if item.execution not in results.done.by]
    _hand_over(planned, results, others)
    if watches:
        _watch(planned, results, others)


def _try(planned: Planned, results: Results, count: int) -> str | None:
    """Resume `count` failures first, and wait for their ends; one that already continues is replaced by another.

    Returns the reason if the others are not to follow.
    """
    items, memory = planned.preview.done, planned.memory
    with Bar("canaries", min(count, len(items))) as bar:
        for item in from_here(memory, planned.gatherer, bulk_items.canaries(items, len(items)), results.done):
            if results.done.why:
                look_once(memory, results.canaries)
                return "a canary could not be resumed"
            if item.execution not in results.done.left:
                results.canaries.append(Canary(item))
            bar.show(0, "starting")
            if len(results.canaries) == count:
                break
        see_to_the_end(memory, results.canaries, bar.show)
    return None if all(canary.has_succeeded for canary in results.canaries) else "a canary did not succeed"


def _hand_over(planned: Planned, results: Results, items: Sequence[Item]) -> None:
    from_queue = [item for item in items if item.in_queue]
    others = [item for item in items if not item.in_queue]
    so_far = 0
    with Bar("resuming", len(items)) as bar:
        if planned.stack:
            for batch in by_resumer(planned.stack, from_queue, planned.asked, results.done):
                so_far += len(batch)
                bar.show(so_far, f"requested {len(batch)}")
        for _ in from_here(planned.memory, planned.gatherer, others, results.done):
            so_far += 1
            bar.show(so_far)


def _watch(planned: Planned, results: Results, items: Sequence[Item]) -> None:
    done = results.done
    begin = [item for item in items if done.by[item.execution] is not What.FAILED and item.execution not in done.left]
    watch = Watch(planned.memory, begin, planned.since)
    with Bar("ended", len(begin)) as bar:

        def note(seen: Seen) -> None:
            results.seen = seen
            bar.show(seen.ended, told(seen))

        try:
            if sys.stderr.isatty():
                print("All of them were started or requested; Ctrl-C stops only this display.", file=sys.stderr)
            results.seen = watch.to_the_end(planned.stack, note)
            results.missing = watch.wanted - results.seen.begun
        except KeyboardInterrupt:
            results.was_left = True
            print("\ngotostate: everything was handed over, and continues without this command", file=sys.stderr)
