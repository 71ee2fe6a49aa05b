"""The page that sections stand in: one file, no script, nothing that could be fetched."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files

from pipelines.report.markup import Section, plain, text


def page(title: str, kicker: str, heading: str, opening: str, sections: Sequence[Section], foot: str) -> str:
    """The whole document. title: for the window; heading: of the page, any text; kicker, opening and foot: markup."""
    style = files("pipelines.report").joinpath("report.css").read_text("utf-8").strip()
    shown = [s for s in sections if s.body]
    links = "".join(f'<li><a href="#{s.name}">{s.title}</a></li>' for s in shown)
    body = "\n".join(
        f'<section id="{s.name}" aria-labelledby="{s.name}-title"><h2 id="{s.name}-title">{s.title}</h2>\n{s.body}</section>'
        for s in shown
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_policy(style)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{plain(title)}</title>
<style>{style}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header class="top"><div class="wide">
<p class="kicker">{kicker}</p>
<h1>{text(heading)}</h1>
{opening}
</div></header>
<div class="wide frame">
<nav aria-label="Parts of this page"><h2 class="unseen">Parts of this page</h2><ul>{links}</ul></nav>
<main id="main" tabindex="-1">
{body}
</main>
</div>
<footer><div class="wide">{foot}</div></footer>
</body>
</html>
"""


def _policy(style: str) -> str:
    """Nothing may be loaded, run or sent; the one style sheet is allowed by its hash, so not even a style attribute works."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
