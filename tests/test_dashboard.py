"""The page without a browser: what it shows, to whom, and that nothing in a registry can make it do anything."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from dashboards import RUN, Browser, add_product, add_run, served
from jobs import machine

from infra.settings import Settings
from pipelines.backends.protocol import State
from pipelines.dashboard.guard import Guard
from pipelines.dashboard.pages import HERE, MARKS, amounts, percent
from pipelines.registry.registry import Registry

NASTY = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'{{ 7*70401 }}&amp;"
PAGES = (
    "/",
    f"/runs/{RUN}",
    f"/runs/{RUN}/live?seen=0",
    "/live",
    f"/runs/{RUN}/tasks/task/log",
    f"/runs/{RUN}/history",
)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with Registry.open(f"sqlite:///{tmp_path / 'registry.sqlite'}") as opened:
        yield opened


@pytest.fixture
def page(registry: Registry, tmp_path: Path) -> Browser:
    return Browser(registry, Settings(state_dir=tmp_path))


class Elements(HTMLParser):
    """Elements of a page with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))
        self.text += " " if tag in {"td", "th", "dd", "p"} else ""

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.found if name == tag]


def words(text: str) -> str:
    return " ".join(Elements(text).text.split())


# ------------------------------------------------------------------------------------------------ what it shows


def test_an_empty_registry_says_what_to_do(page: Browser) -> None:
    said = words(page.get("/").text)
    assert "No run yet" in said
    for command in ("sarbatch init", "sarbatch run job.yaml", "sarbatch demo", "sarbatch adopt"):
        assert command in said


def test_runs_newest_first_with_state_and_tasks(page: Browser, registry: Registry) -> None:
    add_run(registry, run="20260101-000000-aaaa", job="earlier", tasks={"a": {"believed": State.DONE}})
    registry.end_run("20260101-000000-aaaa", "done")
    add_run(registry, job="newer", tasks={"a": {"believed": State.DONE}, "b": {"progress": 0.5}})
    text = page.get("/").text
    said = words(text)
    assert said.index("newer") < said.index("earlier")
    assert "running newer 20260102-030405-abcd 1 of 2" in said
    assert "done earlier 20260101-000000-aaaa 1 of 1" in said
    assert [bar["value"] for bar in Elements(text).all("progress")] == ["0.25", "0.0"]
    assert f"/runs/{RUN}" in {link.get("href") for link in Elements(text).all("a")}


def test_a_run_that_is_opened_again_is_counted_again(page: Browser, registry: Registry) -> None:
    add_run(registry, tasks={"a": {"believed": State.FAILED}})
    registry.end_run(RUN, "failed")
    assert "0 of 1" in words(page.get("/").text)
    [operation] = registry.operations(run=RUN)
    registry.set_run_state(RUN, "running")
    registry.change(operation, event="polled: done", believed=State.DONE)
    registry.set_run_state(RUN, "done")
    assert "1 of 1" in words(page.get("/").text)


def test_a_task_shows_all_that_is_known_of_it(page: Browser, registry: Registry) -> None:
    usage = {"wall_seconds": 190.0, "core_hours": 2.25, "bytes_written": 5e9, "advanced": 1.0}
    error = {"class": "transient", "message": "a worker died", "remedy": "It is tried again.", "verdict": "later"}
    add_run(registry, tasks={"task": {"progress": 0.429, "error": error, "usage": usage, "engine_state": "processing"}})
    text = page.get(f"/runs/{RUN}").text
    said = words(text)
    for part in (
        "running 42 % on dask, which says processing; attempt 1",
        "transient: a worker died → It is tried again.",
        "wall time 1 min 15 s 3 min 10 s",
        "compute 0.5 core-h 2.2 core-h",
        "read 2.0 MB -",
        "written 3.0 MB 5.0 GB",
        "Why dask it alone can",
    ):
        assert part in said, part
    assert [bar["value"] for bar in Elements(text).all("progress")] == ["0.429"]


def test_attempts_are_listed_where_there_was_more_than_one(page: Browser, registry: Registry) -> None:
    error = {"class": "resource", "message": "out of memory", "remedy": "", "verdict": "again"}
    add_run(registry, tasks={"task": {"believed": State.FAILED, "error": error}})
    assert "Attempts" not in words(page.get(f"/runs/{RUN}").text)
    [first] = registry.operations(run=RUN)
    registry.add_attempt(first, request_id="task-2", event="retry")
    said = words(page.get(f"/runs/{RUN}").text)
    assert "1 failed - - resource: out of memory 2 waiting" in said


def test_a_run_that_is_not_there_says_so(page: Browser) -> None:
    paths = ("/runs/nothing", "/runs/nothing/live", "/runs/nothing/history", "/runs/nothing/tasks/a/log", "/what")
    for path in paths:
        answer = page.get(path)
        assert answer.status_code == 404
        assert "There is no" in words(answer.text) or "There is nothing" in words(answer.text)
    assert "“nothing”" in words(page.get("/runs/nothing").text)


def test_a_task_that_is_not_there_says_so(page: Browser, registry: Registry) -> None:
    add_run(registry)
    answer = page.get(f"/runs/{RUN}/tasks/other/log")
    assert (answer.status_code, "no task “other”" in words(answer.text)) == (404, True)


def test_the_history_is_what_happened(page: Browser, registry: Registry) -> None:
    add_run(registry)
    for progress in (0.1, 0.2, 0.3):
        [operation] = registry.operations(run=RUN)
        registry.change(operation, event="polled: running", progress=progress)
    registry.end_run(RUN, "done")
    assert re.search(
        r"- run-added .* task operation-added .* task polled: running . 3 .* - run-ended",
        words(page.get(f"/runs/{RUN}/history").text),
    )


def test_a_log_that_is_not_there_yet(page: Browser, registry: Registry) -> None:
    add_run(registry)
    assert "not been handed to an engine yet" in words(page.get(f"/runs/{RUN}/tasks/task/log").text)


def test_numbers_are_never_nicer_than_they_are() -> None:
    assert (percent(0.999), percent(1.0), percent(0.0)) == ("99 %", "100 %", "0 %")
    assert amounts({"wall_seconds": 0.0}, None) == []
    assert amounts({}, {"core_hours": 3.0}) == [("compute", "-", "3.0 core-h")]
    assert set(State) <= set(MARKS)


# ------------------------------------------------------------------------------------------------ live


def polled(text: str) -> str | None:
    """Address that a page looks at again."""
    return next((a["hx-get"] for _, a in Elements(text).found if a.get("hx-trigger", "").startswith("every")), None)


def test_a_running_run_is_looked_at_again_and_an_ended_one_is_not(page: Browser, registry: Registry) -> None:
    add_run(registry)
    again = polled(page.get(f"/runs/{RUN}").text)
    assert again is not None
    quiet = page.get(again).text
    assert "hx-swap-oob" not in quiet  # nothing new: only how old the news are
    assert "Last heard of it" in words(quiet)
    [operation] = registry.operations(run=RUN)
    registry.change(operation, event="polled: running", progress=0.75)
    news = page.get(polled(quiet) or "").text
    assert "75 %" in words(news)
    assert {a["id"] for _, a in Elements(news).found if a.get("hx-swap-oob")} == {"head", "task-1-now"}
    registry.end_run(RUN, "done")
    last = page.get(polled(news) or "").text
    assert "It has ended" in words(last)
    assert polled(last) is polled(page.get(f"/runs/{RUN}").text) is None


def test_new_products_arrive_without_a_reload(page: Browser, registry: Registry, tmp_path: Path) -> None:
    add_run(registry, output=tmp_path)
    again = polled(page.get(f"/runs/{RUN}").text) or ""
    address = add_product(registry, tmp_path / "a.png")
    news = page.get(again).text
    assert address in news
    assert 'id="products"' in news
    [operation] = registry.operations(run=RUN)
    registry.change(operation, event="polled: running", progress=0.9)
    assert 'id="products"' not in page.get(polled(news) or "").text  # they have not changed since


def test_the_list_is_left_alone_while_nothing_changes(page: Browser, registry: Registry) -> None:
    add_run(registry)
    again = polled(page.get("/").text) or ""
    assert page.get(again).status_code == 204
    registry.end_run(RUN, "done")
    answer = page.get(again)
    assert (answer.status_code, "done" in words(answer.text)) == (200, True)


# ------------------------------------------------------------------------------------------------ safe


def test_whatever_a_registry_holds_is_shown_as_text(page: Browser, registry: Registry, tmp_path: Path) -> None:
    error = {"class": NASTY, "message": NASTY, "remedy": NASTY, "verdict": "x"}
    task = {"believed": State.FAILED, "error": error, "reason": NASTY, "engine_state": NASTY}
    add_run(registry, job=NASTY, output=tmp_path / NASTY.replace("/", ""), tasks={NASTY: task})
    [first] = registry.operations(run=RUN)
    registry.add_attempt(first, request_id="again", event=NASTY)
    add_product(registry, f"{tmp_path}/x", task=NASTY, name=NASTY, units=NASTY, zone=NASTY)
    name = httpx.URL(path=f"/runs/{RUN}/tasks/{NASTY}/log").raw_path.decode()
    for path in ("/", f"/runs/{RUN}", f"/runs/{RUN}/history", "/live", f"/runs/{RUN}/live", name, f"/runs/{NASTY}"):
        text = page.get(path).text
        elements = Elements(text)
        assert not [src for tag in elements.all("script") if not (src := tag.get("src", "")).startswith("/static/")]
        assert not [image for image in elements.all("img") if image.get("src") == "x"]
        assert not [name for _, attributes in elements.found for name in attributes if name.startswith("on")]
        assert "492807" not in elements.text.replace(NASTY, "")
    assert NASTY in Elements(page.get("/").text).text


@pytest.mark.parametrize("path", [*PAGES, "/static/style.css", "/static/htmx.min.js", "/nothing"])
def test_every_answer_says_strictly_what_a_browser_may_do(page: Browser, registry: Registry, path: str) -> None:
    add_run(registry)
    headers = page.get(path).headers
    rules = dict(rule.strip().split(" ", 1) for rule in headers["content-security-policy"].split(";"))
    assert rules.pop("default-src") == "'none'"
    assert set(rules.values()) <= {"'self'", "'none'"}
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", sorted(path.name for path in (HERE / "templates").iterdir()))
def test_no_template_needs_more_than_that(name: str) -> None:
    text = (HERE / "templates" / name).read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script>|https?://|\|\s*safe", text)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", PAGES)
def test_it_only_reads(page: Browser, registry: Registry, method: str, path: str) -> None:
    add_run(registry)
    assert page.request(method, path).status_code == 405


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
def test_no_page_that_loads_scripts_from_elsewhere(page: Browser, path: str) -> None:
    assert page.get(path).status_code == 404


HOSTS = {
    "127.0.0.1:8765": True,
    "localhost:1": True,
    "LOCALHOST": True,
    "[::1]:8765": True,
    "evil.example": False,
    "localhost.evil.example": False,
    "127.0.0.1.evil.example:8765": False,
    "192.0.2.1": False,
    "": False,
    "localhost@evil.example": False,
}


@pytest.mark.parametrize("host", HOSTS)
def test_it_answers_to_its_own_names_alone(page: Browser, host: str) -> None:
    answer = page.get("/", headers={"host": host})
    assert answer.status_code == (200 if HOSTS[host] else 421)
    assert HOSTS[host] or "--host" in answer.text
    assert "content-security-policy" in answer.headers


def test_the_name_that_was_given_is_answered_to(registry: Registry, tmp_path: Path) -> None:
    named = Browser(registry, Settings(state_dir=tmp_path), host="radar.example")
    assert named.get("/", headers={"host": "radar.example:80"}).status_code == 200
    assert named.get("/", headers={"host": "other.example"}).status_code == 421


def test_where_every_address_is_listened_on_no_name_is_trusted() -> None:
    guard = Guard(inner=lambda *_: None, host="0.0.0.0")  # type: ignore[arg-type, return-value] # never called
    assert guard.answers_to("192.0.2.7")
    assert guard.answers_to("localhost")
    assert not guard.answers_to("evil.example")
    assert not guard.answers_to(None)


# ------------------------------------------------------------------------------------------------ the command


def test_the_command_serves_until_it_is_interrupted(tmp_path: Path) -> None:
    with machine(tmp_path / "state"), served() as url:
        assert "No run yet" in httpx.get(url).text
        raw = httpx.get(url, headers={"host": "evil.example"})
        assert (raw.status_code, raw.headers.get("server")) == (421, None)


def test_a_port_that_is_taken_is_the_users_to_change(tmp_path: Path) -> None:
    with machine(tmp_path / "state"), socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-c", "from pipelines.cli import main; main()", "dashboard", "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert f"127.0.0.1:{port} cannot be listened on" in done.stderr
    assert "--port" in done.stderr


def test_ctrl_c_ends_it_quietly(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from pipelines.cli import main; main()", "dashboard", "--port", "0"]
    with (
        machine(tmp_path / "state"),
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdout is not None
        assert process.stderr is not None
        assert "http://127.0.0.1:" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        assert process.wait(60) == 130
    assert "Traceback" not in said
