"""HTML for a CloudWatch custom widget: every text is escaped for the place where it stands.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/add_custom_widget_dashboard_interactivity.html
"""

import json
from collections.abc import Mapping
from html import escape
from typing import Any

from gotostate.plain import printable

LONGEST_CONFIRMATION = 1_500

# What is markup in HTML, and stands in no name of a machine or execution. AWS does not say whether CloudWatch shows a
# confirmation as text or as HTML: so nothing is in it that would be another thing in either.
_LOOKALIKES = str.maketrans({"<": "\u2039", ">": "\u203a", "&": "\uff06"})
# JSON whose text is the same whether CloudWatch reads it as text or as the HTML that it stands in.
_JSON_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def text(value: str) -> str:
    """Escape a text for HTML, between tags and in attributes; control characters are written out."""
    return escape(printable(value), quote=True)


def tag(name: str, content: str = "", /, **attributes: str | None) -> str:
    """Write an element. content: HTML. attributes: texts, which are escaped; None leaves one out.

    A trailing underscore in an attribute's name is dropped (class_), the others become hyphens.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{written}>{content}</{name}>"


def link(label: str, url: str, **attributes: str | None) -> str:
    """Write a link that opens beside the dashboard. label: a text; url: one of our own making."""
    return tag("a", text(label), href=url, target="_blank", rel="noopener noreferrer", **attributes)


def call(endpoint: str, parameters: Mapping[str, Any], *, confirmation: str | None = None) -> str:
    """Write what CloudWatch does when the element before this one is chosen: call a function, show its answer.

    endpoint: ARN of the function. parameters: its event, to which CloudWatch adds widgetContext.
    confirmation: a text that is asked first.
    """
    body = json.dumps(parameters, ensure_ascii=True, separators=(",", ":")).translate(_JSON_ESCAPES)
    return tag(
        "cwdb-action",
        body,
        action="call",
        display="popup",
        endpoint=endpoint,
        confirmation=confirmation and _in_both(confirmation),
    )


def _in_both(value: str) -> str:
    plain = printable(value).translate(_LOOKALIKES)
    return plain if len(plain) <= LONGEST_CONFIRMATION else plain[: LONGEST_CONFIRMATION - 1] + "…"
