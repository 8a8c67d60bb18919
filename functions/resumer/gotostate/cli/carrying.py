"""Carrying out a bulk resume: the canaries first, then the others, then watching what becomes of them."""

import sys
from collections.abc import Sequence

from gotostate import many
from gotostate.cli.bar import Bar
from gotostate.cli.canaries import Canary, look_once, see_to_the_end
from gotostate.cli.handover import What, by_resumer, from_here
from gotostate.cli.preparing import Prepared
from gotostate.cli.results import Results, told
from gotostate.cli.watching import Seen, Watch
from gotostate.many import Item


def carry_out(prepared: Prepared, results: Results, *, watches: bool) -> None:
    """Resume the canaries, and the others only if all of them succeed; keeps in `results` what was done so far.

    watches: whether to look until all have ended. Raises what AWS denies, and StackError.
    """
    items = prepared.preview.done
    if prepared.preview.canaries:
        results.stopped = "the canaries have not all succeeded"
        results.stopped = _try(prepared, results, prepared.preview.canaries)
        if results.stopped:
            return
    others = [item for item in items if item.execution not in results.done.by]
    _hand_over(prepared, results, others)
    if watches:
        _watch(prepared, results, others)


def _try(prepared: Prepared, results: Results, count: int) -> str | None:
    """Resume so many first, and wait for their ends; in place of one that goes on already comes another.

    Returns why the others are not to follow, if they are not.
    """
    items, memory = prepared.preview.done, prepared.memory
    with Bar("canaries", min(count, len(items))) as bar:
        for item in from_here(memory, prepared.gatherer, many.canaries(items, len(items)), results.done):
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


def _hand_over(prepared: Prepared, results: Results, items: Sequence[Item]) -> None:
    from_queue = [item for item in items if item.in_queue]
    others = [item for item in items if not item.in_queue]
    so_far = 0
    with Bar("resuming", len(items)) as bar:
        if prepared.stack:
            for batch in by_resumer(prepared.stack, from_queue, prepared.asked, results.done):
                so_far += len(batch)
                bar.show(so_far, f"asked for {len(batch)}")
        for _ in from_here(prepared.memory, prepared.gatherer, others, results.done):
            so_far += 1
            bar.show(so_far)


def _watch(prepared: Prepared, results: Results, items: Sequence[Item]) -> None:
    done = results.done
    begin = [item for item in items if done.by[item.execution] is not What.FAILED and item.execution not in done.left]
    watch = Watch(prepared.memory, begin, prepared.since)
    with Bar("ended", len(begin)) as bar:

        def note(seen: Seen) -> None:
            results.seen = seen
            bar.show(seen.ended, told(seen))

        try:
            if sys.stderr.isatty():
                print("All was handed over: Ctrl-C ends the watching and nothing else.", file=sys.stderr)
            results.seen = watch.to_the_end(prepared.stack, note)
            results.missing = watch.wanted - results.seen.begun
        except KeyboardInterrupt:
            results.was_left = True
            print("\ngotostate: all of it was handed over and goes on without you", file=sys.stderr)
