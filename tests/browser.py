"""A real browser for the tests, and a program that sees to it that there is one: python tests/browser.py --install.

Pages are opened in Debian's Chromium through Playwright; what a page asks of other hosts, and every error in its
console, is kept for the test to look at.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGES = ("chromium", "fonts-dejavu-core")
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
LOCAL = ("file:", "data:", "blob:", "about:")


@dataclass
class Visit:
    """An open page, the errors that it raised and the requests that would have left the machine's files."""

    page: Any
    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)


def path() -> str | None:
    """Where a browser is, or None."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def running() -> Iterator[Any]:
    """A Playwright browser; skips the test where no browser can be had."""
    import pytest

    executable = path()
    if executable is None:
        pytest.skip("no Chromium on this machine: python tests/browser.py --install")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
        yield browser
        browser.close()


@contextmanager
def visit(
    browser: Any, url: str, *, width: int = 1200, height: int = 900, dark: bool = False, touch: bool = False
) -> Iterator[Visit]:
    """Open a page at a width in CSS pixels, in light or dark, and watch what it does."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        has_touch=touch,
        is_mobile=touch,
        device_scale_factor=2 if touch else 1,
    )
    seen = watched(context.new_page())
    seen.page.goto(url, wait_until="load")
    try:
        yield seen
    finally:
        context.close()


def watched(page: Any) -> Visit:
    """Watch what a new page will do."""
    seen = Visit(page)
    page.on("console", lambda m: seen.errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: seen.errors.append(str(e)))
    page.on("request", lambda r: None if r.url.startswith(LOCAL) else seen.outside.append(r.url))
    return seen


def install() -> str:
    """See to it that there is a browser, by Debian's own package where that can be done; returns what happened."""
    if path():
        return f"A browser is there: {path()}."
    if not shutil.which("apt-get"):
        return "No browser, and no apt-get to install one with: the tests that need one will be skipped."
    if os.geteuid() != 0:
        return (
            f"No browser. Install one as root: apt-get install {' '.join(PACKAGES)}. Until then its tests are skipped."
        )
    for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", *PACKAGES]):
        print("$", " ".join(command), flush=True)
        done = subprocess.run(command, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, check=False)
        if done.returncode:
            return f"'{' '.join(command)}' ended with {done.returncode}: the tests that need a browser will be skipped."
    return f"Installed: {path()}."


if __name__ == "__main__":
    if sys.argv[1:] != ["--install"]:
        sys.exit("usage: python tests/browser.py --install")
    print(install())
