"""The report's page: small pieces of HTML, everything from outside escaped."""

from __future__ import annotations

import html
from collections.abc import Sequence

CSS = """
:root { color-scheme: light dark; --ink: #1c2024; --soft: #60656c; --line: #d9dde2; --page: #fff; --panel: #f5f7f9;
        --alarm: #b00020; --warn: #8a5a00; --good: #1b6e3c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --soft: #a0a6ae; --line: #363b42; --page: #14171a;
        --panel: #1d2125; --alarm: #d3213f; --warn: #e0a33a; --good: #58c283; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1rem; background: var(--page); color: var(--ink);
       font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: 0.5rem 0 0; } h2 { font-size: 1.15rem; margin: 2rem 0 0.5rem; }
p { margin: 0.4rem 0; } .soft { color: var(--soft); font-size: 0.9rem; }
.banner { padding: 0.9rem 1rem; margin: 0.8rem 0; border-radius: 0.4rem; font-weight: 600; }
.alarm { background: var(--alarm); color: #fff; font-size: 1.1rem; }
.warn { border: 2px solid var(--warn); color: var(--warn); }
.verdict { border-left: 4px solid var(--line); padding: 0.3rem 0.9rem; font-size: 1.1rem; }
.scroll { overflow-x: auto; margin: 0.4rem 0; }
.row { display: flex; flex-wrap: wrap; gap: 1rem; } figure { margin: 0; flex: 1 1 20rem; max-width: var(--width); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.93rem; }
th, td { text-align: left; padding: 0.3rem 0.9rem 0.3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
.figures td, .figures th { white-space: nowrap; }
td.figure, th.figure { text-align: right; } th { color: var(--soft); font-weight: 600; }
svg { display: block; width: 100%; height: auto; }
code { font: 0.85em ui-monospace, monospace; background: var(--panel); padding: 0.1em 0.3em; border-radius: 0.2rem; }
.failed { color: var(--alarm); font-weight: 600; }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def page(title: str, sections: Sequence[str]) -> str:
    """A whole document that fetches nothing: its own policy forbids it."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n"
        + "\n".join(section for section in sections if section)
        + "\n</body>\n</html>\n"
    )


def text(value: object) -> str:
    """Anything as text that HTML cannot mistake for its own."""
    return html.escape(str(value))


def section(title: str, *parts: str) -> str:
    """A headed part of the page; nothing where it would be empty."""
    content = "\n".join(part for part in parts if part)
    return f"<section>\n<h2>{text(title)}</h2>\n{content}\n</section>" if content else ""


def paragraph(words: str, kind: str = "") -> str:
    """A paragraph of plain words."""
    name = f' class="{kind}"' if kind else ""
    return f"<p{name}>{text(words)}</p>"


def banner(words: str, kind: str) -> str:
    """What nobody may overlook: kind "alarm" or "warn"."""
    return f'<div class="banner {kind}" role="alert">{text(words)}</div>'


def figure(svg: str, width: str) -> str:
    """An SVG of ours, no wider than `width`."""
    return f'<figure style="--width: {width}">{svg}</figure>'


def row(*figures: str) -> str:
    """Figures beside each other, below each other on a narrow screen."""
    return f'<div class="row">{"".join(figures)}</div>' if any(figures) else ""


def table(head: Sequence[str], rows: Sequence[Sequence[object]], *, figures: bool = True) -> str:
    """A table that scrolls on its own on a narrow screen.

    Args:
        head: Column titles; empty for a table without a head.
        rows: Cells as plain values.
        figures: All columns but the first are figures, set to the right.
    """

    def cells(values: Sequence[object], tag: str) -> str:
        kinds = (' class="figure"' if figures and column else "" for column in range(len(values)))
        return "".join(f"<{tag}{kind}>{text(value)}</{tag}>" for kind, value in zip(kinds, values, strict=True))

    titles = f"<thead><tr>{cells(head, 'th')}</tr></thead>" if head else ""
    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    kind = ' class="figures"' if figures else ""
    return f'<div class="scroll"><table{kind}>{titles}<tbody>{body}</tbody></table></div>' if rows else ""
