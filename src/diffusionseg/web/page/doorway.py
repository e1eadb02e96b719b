"""Which of Gradio's addresses the page needs. All others, such as those that read and fetch files, are closed."""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import parse_qs

EXACT = {
    ("GET", "/"),
    ("HEAD", "/"),
    ("GET", "/config"),
    ("GET", "/theme.css"),
    ("GET", "/favicon.ico"),
    ("GET", "/manifest.json"),
    ("GET", "/gradio_api/startup-events"),
    ("GET", "/gradio_api/queue/data"),
    ("POST", "/gradio_api/queue/join"),
    ("POST", "/gradio_api/cancel"),
    ("POST", "/gradio_api/reset"),
}
BELOW = ("/assets/", "/static/", "/svelte/", "/gradio_api/heartbeat/", "/page/")
FILES = {"path", "url", "meta", "orig_name"}
"""Keys by which Gradio knows a file in what a browser sends. The page sends none."""


def page_passes(scope: MutableMapping[str, Any], body: bytes) -> bool:
    """Whether a request goes through to the page's own addresses or to the part of Gradio that it uses."""
    path, method = scope["path"], scope["method"]
    if ".." in path or "\\" in path or "\0" in path:
        return False
    if (method, path) in EXACT:
        # A deep link names a file with the state of another visit.
        fields = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        return "deep_link" not in fields and (path != "/gradio_api/queue/join" or not _names_files(body))
    return method in ("GET", "POST") and path.startswith(BELOW)


def _names_files(body: bytes) -> bool:
    """Whether JSON holds anything that Gradio would take for a file; what cannot be read might."""
    try:
        waiting = [json.loads(body)]
    except (ValueError, RecursionError):
        return True
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if FILES & value.keys():
                return True
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return False
