"""The report in a real browser; skipped where there's none."""

import shutil

import pytest

from tests.traces.small_run import write_small_run
from traces.plots.view import load_view
from traces.report.marked_path import marked_path
from traces.report.page import build_page

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
WIDTHS = (400, 1600)


@pytest.fixture(scope="module")
def page_url(tmp_path_factory):
    run = write_small_run(tmp_path_factory.mktemp("browser") / "run")
    view = load_view(run)
    page = run / "report.html"
    page.write_text(build_page(view, marked_path(view)), encoding="utf-8")
    return page.as_uri()


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as play:
        # Without a sandbox: a test machine may run everything as root, where there's none.
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, page_url):
    """Opens the report at a width and in a colour scheme; what the console says is an error."""
    contexts, said = [], []

    def open_page(width, scheme="light"):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(page_url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert said == []


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_window(opened, width):
    page = opened(width)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    beyond = page.evaluate(
        "[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right"
        " > innerWidth + 0.5).map(e => e.outerHTML.slice(0, 80))"
    )
    assert beyond == []


@pytest.mark.parametrize("width", WIDTHS)
def test_each_picture_is_shown_once_in_the_layout_of_the_width(opened, width):
    shown = opened(width).locator("figure svg:visible")
    assert shown.count() == 7
    natural = {float(box.split()[2]) for box in shown.evaluate_all(
        "all => all.map(e => e.getAttribute('viewBox'))")}  # fmt: skip
    assert natural == {380.0 if width == 400 else 960.0}


def test_a_heading_sorts_the_table_both_ways(opened):
    page = opened(1600)
    cells = page.locator("tbody tr td:nth-child(8)")
    names = page.locator("tbody tr td.name")
    heading = page.get_by_role("button", name="lost cycles")
    assert names.all_inner_texts() == ["conv1", "conv2"]
    heading.click()  # 20 and 30 cycles: the larger first
    assert names.all_inner_texts() == ["conv2", "conv1"]
    assert page.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"
    heading.click()
    assert names.all_inner_texts() == ["conv1", "conv2"]
    page.get_by_role("button", name="largest loss").click()
    assert [text.split()[0] for text in cells.all_inner_texts()] == ["array", "DRAM"]
    assert page.locator("th[aria-sort]").count() == 1


def test_the_page_follows_the_colour_scheme(opened):
    papers, bars = set(), set()
    for scheme in ("light", "dark"):
        page = opened(1600, scheme)
        papers.add(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))
        text = page.locator("figure svg:visible text").first
        bars.add(text.evaluate("e => getComputedStyle(e).fill"))
    assert len(papers) == 2
    assert len(bars) == 2


def test_the_page_prints_on_white_paper(opened):
    page = opened(1600, "dark")
    page.emulate_media(media="print")
    paper = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert paper == "rgb(254, 254, 254)"
    assert page.locator("figure svg:visible").count() == 7
