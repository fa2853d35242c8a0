"""The page in a real browser, served by a real process, while a real run goes on: it renews itself and obeys its rules."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dashboards import RUN, add_product, add_run, served
from jobs import machine, opera, sarbatch, statistics, wait_until, write_job

from dask_jobs.simulate import simulate_rtc
from infra.settings import Settings
from pipelines.backends.protocol import State
from pipelines.registry import open_registry

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

CHROMIUM = Path("/usr/bin/chromium")  # Debian's; elsewhere Playwright's own
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SOON = 30_000  # ms; nothing is said about how quick a page is


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        try:
            path = str(CHROMIUM) if CHROMIUM.exists() else None
            started = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        except Error as error:
            pytest.skip(f"there is no Chromium here (`playwright install chromium` brings one): {error}")
        yield started
        started.close()


@dataclass
class Watched:
    """A page, and everything that a page should not do."""

    page: Page
    wrong: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@contextmanager
def watched(browser: Browser, url: str, **context: Any) -> Iterator[Watched]:
    """New page that must ask `url` alone and break no rule."""
    opened = browser.new_context(**{"viewport": {"width": 1400, "height": 900}, **context})
    page = opened.new_page()
    page.set_default_timeout(SOON)
    seen = Watched(page)
    page.on("request", lambda request: seen.asked.append(request.url))
    page.on(
        "console", lambda message: seen.wrong.append(message.text) if message.type in {"error", "warning"} else None
    )
    page.on("pageerror", lambda error: seen.wrong.append(str(error)))
    page.add_init_script(
        "document.addEventListener('securitypolicyviolation',"
        " event => console.error('policy', event.violatedDirective, event.blockedURI))"
    )
    try:
        yield seen
        assert seen.wrong == []
        assert {address.partition("/")[2].partition("/")[2].partition("/")[0] for address in seen.asked} == {
            url.removeprefix("http://")
        }
    finally:
        opened.close()


def keep_picture(page: Page, name: str) -> None:
    """Picture of the whole page for whoever wants to look, in the folder that SCREENSHOTS names."""
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    with machine(tmp_path / "state") as made:
        yield made


def test_a_run_is_seen_from_beginning_to_end_without_a_reload(
    browser: Browser, settings: Settings, tmp_path: Path
) -> None:
    from playwright.sync_api import expect

    simulate_rtc(tmp_path / "simulated-scenes", dates=4, size=96, bursts=1)
    # with films: longer than it takes to find the page
    tasks = {"stack": opera(tmp_path / "simulated-scenes"), "statistics": statistics(figures={"dates": "none"})}
    job = write_job(tmp_path, tasks, name="live")
    with served() as url, watched(browser, url) as seen:
        page = seen.page
        page.goto(url)
        expect(page.get_by_role("heading", name="No run yet")).to_be_visible()
        page.evaluate("window.same = true")  # gone after a reload
        sarbatch("run", str(job), "--detach", "--yes")
        link = page.get_by_role("link", name="live")
        expect(link).to_be_visible(timeout=SOON)
        assert page.evaluate("window.same")

        link.click()
        expect(page.get_by_role("heading", name="live")).to_be_visible(timeout=SOON)
        page.evaluate("window.same = true")
        head = page.locator("#head")
        first = head.inner_text()
        keep_picture(page, "running")
        page.locator("summary", has_text="Log").last.click()
        expect(page.get_by_role("status")).to_have_text("done", timeout=3 * SOON)
        expect(head).to_contain_text("2 of 2", timeout=SOON)
        assert "2 of 2" not in first
        expect(page.locator("#task-2-now")).to_contain_text("100 %", timeout=SOON)
        expect(page.locator("#heard")).to_contain_text("It has ended", timeout=SOON)
        expect(page.locator("pre.log").last).to_contain_text("published", timeout=SOON)
        expect(page.locator("#products figure").first).to_be_visible(timeout=SOON)
        assert page.evaluate("window.same")

        asked = len([address for address in seen.asked if "/live" in address])
        page.wait_for_timeout(2500)
        assert len([address for address in seen.asked if "/live" in address]) == asked  # it looks no more

        page.locator("#products figure").first.scroll_into_view_if_needed()
        picture = page.locator("#products img").first
        wait_until(lambda: picture.evaluate("image => image.naturalWidth") > 50)
        for name, context in LOOKS.items():
            with watched(browser, url, **context) as other:
                other.page.goto(page.url)
                other.page.wait_for_load_state("networkidle")
                assert overflow(other.page) == 0, name
                keep_picture(other.page, f"done-{name}")


LOOKS: dict[str, dict[str, Any]] = {
    "wide": {},
    "phone": {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2},
    "dark": {"color_scheme": "dark"},
}
NASTY = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


def overflow(page: Page) -> int:
    """Pixels that the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def fill(settings: Settings, output: Path) -> None:
    """A registry with a run of every trouble."""
    error = {
        "class": "resource",
        "message": f"out of memory {NASTY} " + "x" * 200,
        "remedy": "Give more.",
        "verdict": "",
    }
    tasks: dict[str, dict[str, Any]] = {
        f"a-{state}": {"believed": state, "progress": 0.4, "error": error if state == State.FAILED else None}
        for state in State
    }
    with open_registry(settings) as registry:
        add_run(registry, job="trouble", output=output, tasks=tasks)
        [failed] = registry.operations(run=RUN, task="a-failed")
        registry.add_attempt(failed, request_id="again", event="retry: later")
        (output / "report.html").write_text(f"<h1>report</h1><script>document.title='owned'</script>{NASTY}")
        add_product(
            registry, output / "report.html", task="a-done", name="report", role="report", media_type="text/html"
        )


def test_troubles_look_like_what_they_are_and_do_nothing(browser: Browser, settings: Settings, tmp_path: Path) -> None:
    fill(settings, tmp_path)
    with served() as url:
        for name, context in LOOKS.items():
            with watched(browser, url, **context) as seen:
                page = seen.page
                page.goto(f"{url}/runs/{RUN}")
                assert page.title() == "trouble · sarbatch"
                assert NASTY in page.locator("#task-7-now .notice").inner_text()
                assert overflow(page) == 0, name
                keep_picture(page, f"trouble-{name}")
                page.goto(url)
                assert overflow(page) == 0, name
                keep_picture(page, f"list-{name}")


def test_a_report_runs_nothing(browser: Browser, settings: Settings, tmp_path: Path) -> None:
    fill(settings, tmp_path)
    with served() as url:
        page = browser.new_page()
        page.goto(f"{url}/runs/{RUN}")
        page.get_by_role("link", name="report").first.click()
        page.wait_for_load_state()
        assert page.locator("h1").inner_text() == "report"
        assert page.title() != "owned"
        page.close()


def test_states_differ_in_shape_and_not_only_in_colour(browser: Browser, settings: Settings, tmp_path: Path) -> None:
    fill(settings, tmp_path)
    with served() as url, watched(browser, url) as seen:
        seen.page.goto(f"{url}/runs/{RUN}")
        shapes = {
            seen.page.locator(f"#task-{i + 1}-now .line .state").inner_text(): seen.page.locator(
                f"#task-{i + 1}-now .line use"
            ).get_attribute("href")
            for i in range(len(State))
        }
    assert len({shapes[name] for name in ("done", "running", "waiting", "cancelled", "lost")}) == 5


def test_it_can_be_used_with_the_keyboard_alone(browser: Browser, settings: Settings, tmp_path: Path) -> None:
    fill(settings, tmp_path)
    with served() as url, watched(browser, url) as seen:
        page = seen.page
        page.goto(url)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        for _ in range(6):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.id").startswith("run-"):
                break
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(f"/runs/{RUN}$"))


def test_a_server_that_is_gone_is_noticed(browser: Browser, settings: Settings, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    fill(settings, tmp_path)
    page = browser.new_page()
    page.set_default_timeout(SOON)
    with served() as url:
        page.goto(f"{url}/runs/{RUN}")
        expect(page.locator("#offline")).to_be_hidden()
    expect(page.locator("#offline")).to_be_visible(timeout=SOON)
    page.close()
