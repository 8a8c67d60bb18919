"""What the widget and its button answer besides the list: what happens next, or what is wrong. Pure: HTML out."""

from gotostate.awserrors import is_denied
from gotostate.dashboard.markup import tag, text
from gotostate.dashboard.panel import MOST_CALLS, execution, message, name_of
from gotostate.planning import Plan
from gotostate.policy import Action


def asked_for(plan: Plan) -> str:
    """Say that a resume was asked for, what runs again, and where it will be seen."""
    failure = plan.failure
    title = tag("h2", text(f"Requested: {name_of(failure.chain.original)} is resumed from {plan.state}"))
    if plan.decision.action is Action.REDRIVE:
        follows = text("The Resumer redrives it as soon as it comes to the request: ") + execution(failure.arn.text)
    else:
        follows = text("The Resumer starts it as soon as it comes to the request: ") + execution(failure.resumed_arn)
    waits = text("This usually takes seconds, and longer while AWS throttles or the Resumer is held. ")
    seen = text("Pressing the button again starts nothing more. Refresh the widget to see the progress.")
    calls = plan.calls
    again = "".join(tag("li", tag("span", text(str(one)), class_="gs-name")) for one in calls[:MOST_CALLS])
    more = len(calls) - MOST_CALLS
    rest = tag("li", text(f"and {more} more")) if more > 0 else ""
    listed = tag("h3", "Runs again, or for the first time") + tag("ul", again + rest, class_="gs-list") if calls else ""
    note = tag("div", title + tag("p", follows) + tag("p", waits + seen), class_="gs-note gs-done")
    return note + tag("div", listed, class_="gs-also") if listed else note


def none_opted_in(pattern: str) -> str:
    """Say that there is nothing to list. pattern: of the names of state machines."""
    which = "No state machine" if pattern == "*" else f"No state machine named {pattern}"
    return message(f"{which} has opted in", "Tag one with gotostate=resume or gotostate=prepare.", "held")


def failed(error: Exception, function: str, request: str) -> str:
    """Say that a function failed. function, request: its name and the id under which its log has the rest."""
    why = "A permission is missing" if is_denied(error) else "The function failed"
    return message(why, f"The log of {function} says more, under the request {request}.")


def not_asked_for(why: str) -> str:
    """Say why nothing was asked for."""
    return message("Nothing was requested", why, "held")
