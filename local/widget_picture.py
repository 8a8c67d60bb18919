"""The dashboard's widget as a picture of its own, for the demonstration and the documents.

    widget_picture.py STEM [MINUTES]     draw the failures of the last MINUTES (60) of the account in the environment

The stack's settings are read from the environment as the function reads them (MAX_ATTEMPTS and the like).
Writes STEM.html, and STEM.png where Chromium is found: CHROMIUM names it, otherwise it is looked for on the PATH.
"""

import os
import shutil
import subprocess
import sys
import time
from html import escape
from pathlib import Path

from gotostate import listing, sources
from gotostate.dashboard.panel import Actions, failures
from gotostate.dashboard.theme import PALETTE, Theme
from gotostate.dashboard.widgetcontext import View, Wanted
from gotostate.memory import Memory
from gotostate.rows import Found
from gotostate.settings import Settings, settings_from
from gotostate.stepfunctions import StepFunctions

HERE = Path(__file__).resolve().parent
TITLE = "Recoveries"
# Around the widget: the dashboard, and the frame that it gives each widget.
_AROUND = {Theme.LIGHT: ("#f2f3f3", "#d5dbdb"), Theme.DARK: ("#0b0f14", "#414d5c")}
_DRAW_SECONDS = 60


def main() -> int:
    """Draw the failures of an account."""
    if not 1 < len(sys.argv) < 4 or not all(given.isdecimal() for given in sys.argv[2:]):
        print(__doc__, file=sys.stderr)
        return 2
    now = time.time()
    minutes = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    wanted = Wanted(now - 60 * minutes, now)
    memory = Memory(StepFunctions(os.environ.get("AWS_DEFAULT_REGION")))
    found = failures_of(memory, wanted, settings_from(os.environ), now=now)
    print(picture(found, wanted, Path(sys.argv[1]), now=now))
    return 0


def failures_of(memory: Memory, wanted: Wanted, settings: Settings, *, now: float) -> Found:
    """Return the failures of the machines that opted in, as the widget shows them. settings: the stack's."""
    machines = sources.opted_in(memory.aws)
    return listing.rows(memory, machines, settings, now=now, since=wanted.since, until=wanted.until, limit=wanted.limit)


def picture(
    found: Found, wanted: Wanted, stem: Path, *, now: float, theme: Theme = Theme.LIGHT, width: int = 1_000
) -> str:
    """Draw failures as the widget shows them, and say where the picture is, or why there is only a page.

    stem: path of the files, without a suffix. now: in seconds since the epoch. width: in pixels.
    """
    # The buttons are drawn, and there is nothing that they would call.
    widget = failures(found, wanted, View(theme, width=width), Actions("none", "none"), now=now)
    page, drawn = stem.with_suffix(".html"), stem.with_suffix(".png")
    page.write_text(_framed(widget, theme, width), encoding="utf-8", errors="backslashreplace")
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        return f"{page} (no picture: Chromium is missing; install it or name it with CHROMIUM)"
    # A browser that does not start is no reason for the demonstration to fail.
    try:
        subprocess.run(
            ["node", str(HERE / "picture.mjs"), chromium, str(page), str(drawn)],
            check=True,
            capture_output=True,
            text=True,
            timeout=_DRAW_SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"{page} (no picture: {str(getattr(error, 'stderr', None) or error).strip()})"
    return str(drawn)


def _framed(widget: str, theme: Theme, width: int) -> str:
    dashboard, border = _AROUND[theme]
    back, text = (PALETTE[role][theme is Theme.DARK] for role in ("back", "text"))
    frame = f"background:{back};color:{text};border:1px solid {border};border-radius:4px;overflow:hidden"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(TITLE)}</title>'
        f'<body style="margin:0;background:{dashboard}"><div id="picture" style="width:{width + 26}px;padding:12px;'
        f'box-sizing:border-box;background:{dashboard}"><div style="{frame}">'
        f"<div style=\"padding:8px 16px 0;font:700 14px/20px 'Open Sans',Arial,sans-serif\">{escape(TITLE)}</div>"
        f"{widget}</div></div></body></html>\n"
    )


if __name__ == "__main__":
    raise SystemExit(main())
