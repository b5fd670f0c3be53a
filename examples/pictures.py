"""Takes the pictures of the explorer in docs/pictures/: python -m examples.pictures

Needs Chromium and playwright (`python tests/browser.py --install` sees to the first).
"""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isoloss.web.app import create_app
from isoloss.web.serving import listen

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "pictures"
NAMES = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True)
class View:
    """One picture: the link it shows, how wide and in which colours, and what it is scrolled to."""

    name: str
    link: str = ""
    width: int = 1280
    height: int = 900
    dark: bool = False
    at: str = ""
    opens: str = ""


VIEWS = (
    View("explorer", "#flops=3e15"),
    View("explorer-dark", "#flops=3e15&view=map", dark=True),
    View("explorer-size", "#flops=3e15&view=size&over=besiroglu2024"),
    View("explorer-compare", "#flops=3e15&without=70,71,72", height=820, at="#moved"),
    View("explorer-plans", "#flops=1e22&unique=2B&served=2T&accelerator=h100-sxm&count=64", height=760, at="#further"),
    View("explorer-law", "#flops=3e15", height=640, at="[aria-labelledby=law-title]"),
    View("explorer-columns", "#flops=3e15", height=700, at="[aria-labelledby=data-title]", opens="#mend"),
    View("explorer-phone", "#flops=3e15", width=390, height=844),
    View("explorer-phone-dark", "#flops=3e15&view=size", width=390, height=844, dark=True, at=".content"),
)


def main() -> None:
    """Take every picture; says how large each became."""
    from playwright.sync_api import sync_playwright

    executable = next((found for name in NAMES if (found := shutil.which(name))), None)
    if executable is None:
        sys.exit("No Chromium on this machine: python tests/browser.py --install")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with serving() as base, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        for view in VIEWS:
            take(chromium, base, view)
            print(f"{view.name}.png: {(FOLDER / f'{view.name}.png').stat().st_size / 1000:.0f} kB")
        chromium.close()


def take(chromium: Any, base: str, view: View) -> None:
    """Open one view, wait until it rests, and write its picture."""
    size: Any = {"width": view.width, "height": view.height}
    page = chromium.new_page(viewport=size, color_scheme="dark" if view.dark else "light")
    page.goto(f"{base}/{view.link}")
    page.wait_for_selector("body[data-ready]", timeout=60_000)
    page.wait_for_timeout(3000)
    if view.opens:
        page.evaluate("(s) => { document.querySelector(s).open = true; }", view.opens)
    if view.at:
        page.evaluate("(s) => { document.querySelector(s).scrollIntoView({ block: 'start' }); }", view.at)
        page.wait_for_timeout(300)
    page.screenshot(path=FOLDER / f"{view.name}.png")
    page.close()


@contextmanager
def serving() -> Iterator[str]:
    """An explorer on a free port while the block runs."""
    import uvicorn

    listening = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(create_app(), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join(20)


if __name__ == "__main__":
    main()
