"""The report, the documentation and the demos in a real browser; run by ``make browse``, after ``make verify docs``.

Screenshots go to the folder ``screenshots``, to be looked at.
"""

import re
import shutil
import subprocess
import sys
import threading
import time
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from rltheory.demos import demo_names

ROOT = Path(__file__).parents[2]
SCREENSHOTS = ROOT / "screenshots"
REPORT, DOCS = "report/index.html", "docs/_build/html"
DOCUMENTS = "index", "theorems/index", "theorems/games", "theorems/nash-mp", "gallery/index"
PAGES = [REPORT, *(f"{DOCS}/{page}.html" for page in DOCUMENTS)]
WIDTHS, SCHEMES = (1280, 400), ("light", "dark")
FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


def browser_file():
    """A Chromium of the system; where there is none, one is installed."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    if shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "--quiet"], check=True)
        subprocess.run(["apt-get", "install", "--yes", "--quiet", "chromium"], check=True)
        return shutil.which("chromium")
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)
    return None  # Playwright finds its own


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        instance = playwright.chromium.launch(executable_path=browser_file(), args=FLAGS)
        yield instance
        instance.close()


@pytest.fixture(scope="session")
def site():
    """Address of the repository's files."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=ROOT)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def demos():
    """Address of the demos, which the command serves."""
    line = [sys.executable, "-m", "rltheory", "demo", "--no-browser"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as command:
        yield re.search(r"http://[^ ]*(?=/ )", command.stdout.readline())[0]
        command.terminate()


@pytest.fixture(params=SCHEMES)
def scheme(request):
    return request.param


@pytest.fixture(params=WIDTHS)
def page(request, browser, scheme):
    """An empty page of some width, light or dark; what goes wrong on it fails the test."""
    context = browser.new_context(viewport={"width": request.param, "height": 900}, color_scheme=scheme)
    opened, wrong = context.new_page(), []
    opened.on("pageerror", lambda error: wrong.append(f"error {error}"))
    opened.on("requestfailed", lambda call: wrong.append(f"no answer from {call.url}"))
    opened.on(
        "request",
        lambda call: (
            None if "//127.0.0.1" in call.url or call.url[:5] in ("data:", "blob:") else wrong.append(call.url)
        ),
    )
    yield opened
    context.close()
    assert not wrong, "pages must need nothing but this machine"


def fits(page):
    """Whether nothing reaches beyond the sides."""
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def shoot(page, scheme, name):
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}-{page.viewport_size['width']}-{scheme}.png")


def barriers(page, *rules):
    """What keeps people out, by the rules of axe."""
    found = Axe().run(page, options={"runOnly": list(rules)}).response["violations"]
    return [(rule["id"], node["html"][:200], node["failureSummary"]) for rule in found for node in rule["nodes"]]


@pytest.mark.parametrize("path", PAGES)
def test_page_fits_and_can_be_read(page, site, scheme, path):
    page.goto(f"{site}/{path}", wait_until="load")
    shoot(page, scheme, path.removeprefix(DOCS).removesuffix(".html").strip("/").replace("/", "-"))
    assert fits(page), "the page is wider than the screen"
    told = "image => image.alt || image.closest('.sphx-glr-thumbcontainer')"  # the title stands beside a thumbnail
    assert page.evaluate(f"[...document.images].every({told})"), "a picture without a text"
    assert not barriers(page, "color-contrast", "image-alt", "link-name", "label", "html-has-lang", "document-title")


@pytest.mark.parametrize("path", PAGES)
def test_links_within_lead_somewhere(browser, site, path):
    page = browser.new_page()
    page.goto(f"{site}/{path}", wait_until="load")
    links = page.evaluate("[...document.querySelectorAll('a[href]')].map(link => link.href.split('#')[0])")
    for link in sorted({link for link in links if link.startswith(site)}):
        assert page.request.get(link).ok, f"{path} links to {link}"
    page.close()


class Anchors(HTMLParser):
    """Where a page leads, and the places in it to which others can lead."""

    def __init__(self, path):
        super().__init__()
        self.links, self.places = [], {""}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.places.update(values[key] for key in ("id", "name") if values.get(key))
        if tag == "a" and values.get("href"):
            self.links.append(urlsplit(values["href"]))


def test_links_of_the_documentation_lead_to_places_that_are_there():
    folder = ROOT / DOCS
    pages = {path: Anchors(path) for path in folder.rglob("*.html")}
    broken = []
    for path, page in pages.items():
        for link in page.links:
            if link.scheme or link.netloc:
                continue
            target = (path.parent / unquote(link.path)).resolve() if link.path else path
            if not target.exists() or (target in pages and unquote(link.fragment) not in pages[target].places):
                broken.append(f"{path.relative_to(folder)}: {link.geturl()}")
    assert len(pages) > 500
    assert broken == []


def test_report_opens_its_settings_by_keyboard(browser, site):
    page = browser.new_page()
    page.goto(f"{site}/{REPORT}")
    closed = page.locator("details:not([open])").first
    table = closed.locator("table").element_handle()
    assert not table.is_visible()
    closed.locator("summary").focus()
    page.keyboard.press("Enter")
    assert table.is_visible()
    page.close()


def test_gallery_shows_proofs_and_controls(browser, site):
    page = browser.new_page()
    page.goto(f"{site}/{DOCS}/theorems/nash-mp.html")
    for title in ("What this theorem refutes", "Proof in"):
        page.locator("summary", has_text=title).first.focus()
        page.keyboard.press("Enter")
    assert page.locator("details[open] table").first.is_visible()
    assert page.locator("details[open] ol").first.is_visible()
    page.close()


@pytest.mark.parametrize("name", demo_names())
def test_demo_follows_its_sliders(page, demos, scheme, name, capsys):
    page.goto(f"{demos}/{name}/")
    page.wait_for_selector("figure.picture", timeout=180_000)
    sliders = page.get_by_role("slider")
    assert sliders.count() >= 3
    waits = []
    pictures = page.locator("figure.picture")
    for key in ("ArrowRight", "ArrowLeft") * 3:
        seen = [(picture.get_attribute("aria-label"), picture.inner_html()) for picture in pictures.all()]
        sliders.first.focus()
        began = time.perf_counter()
        page.keyboard.press(key)
        for place, (label, drawing) in enumerate(seen):
            page.wait_for_function(
                "([place, old]) => (document.querySelectorAll('figure.picture')[place]?.innerHTML ?? old) !== old",
                arg=[place, drawing],
                timeout=60_000,
            )
            if place == 0:
                waits.append(time.perf_counter() - began)
            assert pictures.nth(place).get_attribute("aria-label") != label, "the text tells the old picture"
    with capsys.disabled():
        print(f"\n{name}: milliseconds to the next picture:", *(f"{1000 * wait:.0f}" for wait in waits), end="")
    shoot(page, scheme, f"demo-{name}")
    assert fits(page), "the page is wider than the screen"
    assert not barriers(page, "color-contrast", "image-alt", "label", "html-has-lang", "document-title", "role-img-alt")


def test_home_page_lists_the_demos(page, demos, scheme):
    page.goto(demos)
    for name in demo_names():
        page.wait_for_selector(f"a[href$='/{name}']", timeout=60_000)
    shoot(page, scheme, "demos")
