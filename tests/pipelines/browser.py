"""A real browser that looks at pages: headless Chromium, where it is on the machine."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--enable-logging=stderr",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip
OWN = ("google.com", "googleapis.com", "gvt1.com")
"""Hosts that Chromium itself asks for, whatever the page."""


def chromium() -> str:
    """Its path; skips the test where there is none."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    return found


def browse(page: Path, home: Path, *flags: str) -> tuple[str, str]:
    """The document after it was loaded, and what the browser wrote to its log."""
    profile = home / "profile"
    done = subprocess.run(
        [chromium(), *FLAGS, f"--user-data-dir={profile}", *flags, "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    shutil.rmtree(profile, ignore_errors=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout, done.stderr


def look(pages: Mapping[str, str], home: Path) -> dict[str, list[str]]:
    """What is wrong with each page at phone and desktop width, light and dark, every detail opened."""
    script = (Path(__file__).parent / "browser.js").read_text("utf-8")
    given = json.dumps(pages).replace("<", "\\u003c")
    harness = home / "harness.html"
    body = f"<body><script>{script}\nall({given});</script></body>"
    harness.write_text(f"<!doctype html><html lang='en'><meta charset='utf-8'>{body}</html>", "utf-8")
    document, log = browse(harness, home, "--virtual-time-budget=60000", "--window-size=1400,1000")
    found = re.search(r'<pre id="found">(.*?)</pre>', document, re.DOTALL)
    assert found, log[-2000:]
    return json.loads(html.unescape(found[1]))


def asked_for(page: Path, home: Path) -> tuple[list[str], list[str]]:
    """Addresses that the page made the browser ask for (nothing leaves the machine), and what stands in the console."""
    log = home / "net.json"
    _, told = browse(page, home, f"--log-net-log={log}")
    events = json.loads(log.read_text("utf-8"))["events"]
    urls = {e["params"]["url"] for e in events if isinstance(e.get("params"), dict) and "url" in e["params"]}
    hosts = {url: urlsplit(url).hostname or "" for url in urls if url.startswith(("http", "ws"))}
    asked = sorted(url for url, host in hosts.items() if not host.endswith(OWN))
    return asked, [line for line in told.splitlines() if "CONSOLE" in line]
