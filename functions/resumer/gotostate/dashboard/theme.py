"""How the widget looks: its colours, light and dark, and its style sheet.

CloudWatch's own styles are switched off (cwdb-no-default-styles), so that the widget looks the same whatever they
become. The colours are near to those of the console; each text has a contrast of 4.5 to 1 or more.
"""

from enum import StrEnum


class Theme(StrEnum):
    """Of the dashboard, as widgetContext tells it."""

    LIGHT = "light"
    DARK = "dark"


# By role, on light and on dark. back, band: backgrounds; on: the text on a filled button.
PALETTE = {
    "back": ("#ffffff", "#161d26"),
    "band": ("#f4f6f8", "#1e2731"),
    "text": ("#16191f", "#e3e7ec"),
    "dim": ("#566170", "#a2adb9"),
    "line": ("#dfe3e8", "#35404c"),
    "link": ("#075aaa", "#79b8f3"),
    "on": ("#ffffff", "#0f141a"),
    "failed": ("#c1121c", "#ff8080"),
    "held": ("#805500", "#e6c15c"),
    "going": ("#075aaa", "#79b8f3"),
    "done": ("#14742e", "#5cc777"),
    "idle": ("#566170", "#a2adb9"),
}

_RULES = """
.gs{background:{back};color:{text};font:14px/20px "Amazon Ember","Open Sans","Helvetica Neue",Roboto,Arial,sans-serif;
  text-align:left;padding:4px 8px 8px;box-sizing:border-box;overflow-wrap:anywhere}
.gs *{box-sizing:border-box}
.gs a{color:{link};text-decoration:none;cursor:pointer}
.gs a:hover{text-decoration:underline}
.gs p,.gs ol,.gs ul,.gs h2,.gs h3{margin:0;padding:0}
.gs h2{font-size:16px;line-height:22px;font-weight:700}
.gs h3{font-size:12px;line-height:18px;font-weight:700;color:{dim};margin-top:14px}
.gs-name{unicode-bidi:isolate}
.gs-dim{color:{dim}}
.gs-small{font-size:12px;line-height:18px;color:{dim}}
.gs-bar{display:flex;flex-wrap:wrap;gap:4px 18px;align-items:baseline;padding:4px 8px 8px}
.gs-bar .gs-small{margin-left:auto}
.gs-failed{color:{failed}}.gs-held{color:{held}}.gs-going{color:{going}}.gs-done{color:{done}}.gs-idle{color:{idle}}
.gs-status{font-weight:600}
.gs-bar .gs-status{white-space:nowrap}
.gs-status svg{vertical-align:-2px;margin:0 6px 0 0}
.gs td>.gs-status{display:block;padding-left:20px;text-indent:-20px}
.gs td>.gs-status svg{text-indent:0}
.gs td>.gs-status+.gs-small{padding-left:20px}
.gs table{border-collapse:collapse;width:100%;table-layout:fixed;border:0}
.gs th,.gs td{padding:6px 8px;vertical-align:top;text-align:left;font-weight:400;border:0;background:none}
.gs thead th{font-size:12px;line-height:18px;font-weight:700;color:{dim};white-space:nowrap}
.gs td{border-top:1px solid {line}}
.gs .gs-group th{background:{band};border-top:1px solid {line};border-bottom:1px solid {line}}
.gs .gs-group+tr td{border-top:0}
.gs-group .gs-name{font-weight:600}
.gs-group .gs-error{color:{failed}}
.gs-count{float:right;padding-left:12px;color:{dim};font-size:12px}
.gs td.gs-acts{white-space:nowrap;text-align:right}
.gs td .gs-small{max-width:84ch}
.gs a.gs-act{display:inline-block;border:1px solid transparent;border-radius:12px;padding:0 10px;
  font-size:13px;line-height:20px;font-weight:600;color:{link};background:none;white-space:nowrap}
.gs a.gs-main{border-color:{link}}
.gs a.gs-act:hover{background:{link};border-color:{link};color:{on};text-decoration:none}
.gs-note{border-left:3px solid {line};padding:6px 12px;margin:8px}
.gs-note.gs-failed,.gs-note.gs-held,.gs-note.gs-done{border-color:currentColor}
.gs-note p{color:{text}}
.gs-also{margin:0 8px 8px 23px}
.gs code{font:12px/18px Monaco,Menlo,Consolas,"Liberation Mono","Courier New",monospace;color:{text};background:{band};
  padding:2px 4px;border-radius:3px;overflow-wrap:anywhere}
.gs-chain{list-style:none;margin:10px 0 0}
.gs .gs-chain{margin-top:12px}
.gs-chain li{position:relative;padding:0 0 16px 28px;list-style:none}
.gs-chain li:before{content:"";position:absolute;left:7px;top:18px;bottom:-2px;width:2px;background:{line}}
.gs-chain li:last-child{padding-bottom:4px}
.gs-chain li:last-child:before{display:none}
.gs-chain .gs-mark{position:absolute;left:0;top:2px;line-height:0}
.gs p code{display:block}
.gs cwdb-action{display:none}
.gs .gs-list{margin:2px 0 0 18px}
"""
_NARROW = """
.gs thead{display:none}
.gs table,.gs tbody,.gs tr,.gs th,.gs td{display:block}
.gs tr.gs-row{display:grid;grid-template-columns:1fr auto;border-top:1px solid {line};padding:6px 0}
.gs .gs-group+tr.gs-row{border-top:0}
.gs tr.gs-row td{border:0;padding:1px 8px}
.gs tr.gs-row td.gs-what{grid-column:1/3;grid-row:2}
.gs tr.gs-row td.gs-when{grid-column:1/2;grid-row:3}
.gs tr.gs-row td.gs-try{grid-column:2/3;grid-row:3;text-align:right}
.gs-try:before{content:"attempt "}
.gs tr.gs-row td.gs-acts{grid-column:2/3;grid-row:1}
.gs-bar .gs-small{margin-left:0}
"""
NARROW_PIXELS = 620


def style(theme: Theme, width: int) -> str:
    """Write the style element. width: of the widget, in pixels; a narrow one has a row on several lines."""
    rules = _RULES + (_NARROW if width < NARROW_PIXELS else "")
    for role, colours in PALETTE.items():
        rules = rules.replace("{" + role + "}", colours[theme is Theme.DARK])
    return f"<style>{' '.join(rules.split())}</style>"
