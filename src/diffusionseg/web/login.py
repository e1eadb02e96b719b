"""The page that asks for the token."""

from __future__ import annotations

from html import escape

from fastapi import Response

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1f2933; background: #f6f7f9; display: grid;
  place-items: center; min-height: 100vh; margin: 0 }
form { background: #fff; padding: 2rem; border-radius: .75rem; border: 1px solid #d6dbe1; width: min(24rem, 90vw);
  box-sizing: border-box }
h1 { font-size: 1.3rem; margin: 0 0 1rem }
input, button { font: inherit; width: 100%; box-sizing: border-box; padding: .6rem; margin-top: .4rem }
button { margin-top: 1rem; background: #b23a1e; color: #fff; border: 0; border-radius: .4rem }
p { color: #a11 }
"""


def login_page(problem: str = "") -> Response:
    """Answer 401 with a form; `problem` is plain text."""
    said = f'<p role="alert">{escape(problem)}</p>' if problem else ""
    page = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>diffusionseg: token</title><style>{STYLE}</style></head>
<body><main><form method="post" action="/login"><h1>diffusionseg</h1>{said}
<label>Token<input type="password" name="token" autocomplete="current-password" required autofocus></label>
<button>Go on</button></form></main></body></html>
"""
    return Response(page, 401, media_type="text/html")
