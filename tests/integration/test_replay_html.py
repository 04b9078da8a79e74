"""``lamina replay --html`` with the installed parts, looked at in a browser."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

import lamina
from lamina_command_replay import _command
from lamina_command_replay._texts import last_word

HOSTILE = "</script><script>window.hit=1</script><img src=x onerror=window.hit=1> \u202e\u2028 ]]> --> {{x}} ${x} \x00"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
BUDGET = 900
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()


class Browser:
    """Chromium, driven from a thread of its own: Playwright leaves an event loop running where it is started.

    A page stays open for all tests that look at it.
    """

    def __init__(self, pool, chromium):
        self._pool, self._chromium, self._pages = pool, chromium, {}

    def look(self, path, see, *, width=1280, scheme="light", media="screen", scripts=True):
        """What ``see(page)`` gives; fails where the page complained, or asked for anything but itself."""
        return self._pool.submit(self._look, path.as_uri(), see, width, scheme, media, scripts).result()

    def _look(self, url, see, width, scheme, media, scripts):
        if (url, scripts) not in self._pages:
            page = self._chromium.new_page(java_script_enabled=scripts)
            complaints, asked = [], []
            page.on("console", lambda message: complaints.append(message.text))
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("dialog", lambda dialog: complaints.append(dialog.message))
            page.on("request", lambda request: asked.append(request.url))
            page.goto(url)
            self._pages[url, scripts] = page, complaints, asked
        page, complaints, asked = self._pages[url, scripts]
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(media=media, color_scheme=scheme)
        seen = see(page)
        assert complaints == []
        assert asked == [url]
        return seen


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    with ThreadPoolExecutor(1) as pool:
        driver = sync_playwright()
        play = pool.submit(driver.start).result()
        chromium = pool.submit(lambda: play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)).result()
        yield Browser(pool, chromium)
        pool.submit(chromium.close).result()
        pool.submit(play.stop).result()


def replay(*arguments):
    parser = argparse.ArgumentParser()
    _command.configure(parser)
    assert _command.run(parser.parse_args([str(argument) for argument in arguments])) == 0


def data_in(path):
    return json.loads(re.search(r'id="data">(.*?)</script>', path.read_text("utf-8"), re.S).group(1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two configurations, and a home of its own."""
    folder = tmp_path_factory.mktemp("html")
    (folder / "keep.toml").write_text('[window]\npager = "keep-last"\n')
    (folder / "lean.toml").write_text('[window]\npager = "compact"\n')
    (folder / "plain.jsonl").write_text(json.dumps({"id": "plain", "messages": chat(20)}) + "\n")
    before = os.environ.get("LAMINA_HOME")
    os.environ["LAMINA_HOME"] = str(folder / "home")
    yield folder
    if before is None:
        del os.environ["LAMINA_HOME"]
    else:
        os.environ["LAMINA_HOME"] = before


def chat(turns, spice=""):
    """A conversation whose messages cite each other."""
    messages = [{"role": "system", "content": f"Answer with marks. {spice}"}]
    for turn in range(turns):
        words = f"mark_{len(messages):03}_x {spice} " + "please go on with it " * 10
        messages.append({"role": "user", "content": words})
        call = {"id": f"c{turn}", "type": "function"}
        call["function"] = {"name": f"look{spice}", "arguments": json.dumps({"at": f"row_{turn}", spice: spice})}
        messages.append({"role": "assistant", "content": "", "tool_calls": [call]})
        found = f"row_{turn} {spice} \x1b[31m" + "something was found there\n" * 12
        messages.append({"role": "tool", "tool_call_id": f"c{turn}", "content": found})
        messages.append({"role": "assistant", "content": f"mark_001_x and row_{turn // 3}, row_{turn // 2} {spice}"})
    return messages


@pytest.fixture(scope="module")
def compared(folder):
    """The report on a conversation under two configurations, and its figures as JSON."""
    out, figures = folder / "compared.html", folder / "compared.json"
    with figures.open("w") as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", file)
        configs = ("--config", folder / "keep.toml", "--config", folder / "lean.toml")
        replay(folder / "plain.jsonl", "--budget", BUDGET, *configs, "--html", out, "--json")
    return out, json.loads(figures.read_text())["configurations"]


@pytest.fixture(scope="module")
def hostile(folder):
    """The report on sessions whose every text tries to get out of its place."""
    sessions = {f"{HOSTILE}{n}": chat(8 + n, HOSTILE) for n in range(3)}
    path = folder / f"{'</title><img src=x onerror=hit>'.replace('/', '_')}.jsonl"
    path.write_text("".join(json.dumps({"id": id, "messages": said}) + "\n" for id, said in sessions.items()))
    config = folder / "<img src=x onerror=hit>.toml"
    config.write_text('[window]\npager = "compact"\n')
    out = folder / "hostile.html"
    replay(path, "--budget", 1500, "--config", config, "--html", out)
    return out


@pytest.fixture(scope="module")
def forgetful(folder):
    """The report on work that outlasts the window, under a pager that promises nothing and one that does."""
    plan = [{"content": "Rename the parser to reader", "status": "pending"}]
    said = [{"role": "user", "content": "Rename the parser to reader. Never push to main!"}]
    for turn in range(14):
        name, given = ("Read", {"path": f"src/part_{turn}.py"}) if turn else ("TodoWrite", {"todos": plan})
        call = {"id": f"c{turn}", "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
        said.append({"role": "assistant", "content": "", "tool_calls": [call]})
        said.append({"role": "tool", "tool_call_id": f"c{turn}", "content": f"line_{turn} of it\n" * 30})
    said.append({"role": "assistant", "content": "line_1 is in src/part_1.py"})
    (folder / "work.jsonl").write_text(json.dumps({"id": "work", "messages": said}) + "\n")
    nothing = "".join(f"{what}_share = 0.0\n" for what in ("said", "rules", "plan", "state", "answers"))
    (folder / "newest.toml").write_text(f'[window]\npager = "keep-last"\n[pagers.keep-last]\n{nothing}')
    out, configs = folder / "work.html", ("--config", folder / "newest.toml", "--config", folder / "keep.toml")
    replay(folder / "work.jsonl", "--budget", BUDGET, *configs, "--html", out)
    return out


def test_a_step_at_which_the_request_was_lost_is_marked(browser, forgetful):
    [forgets, keeps] = data_in(forgetful)["sessions"][0]["traces"]
    lost = [at + 1 for at, one in enumerate(forgets["asked"]) if one and one[0] < one[1]]
    assert lost == list(range(lost[0], len(forgets["asked"]) + 1))
    assert not [one for one in keeps["asked"] if one and one[0] < one[1]]

    def see(page):
        page.click(".lost-steps button")
        told = page.inner_text(".slide .at"), page.inner_text("#told"), page.inner_text(".stands")
        page.focus("#step")
        page.keyboard.press("ArrowLeft")
        before = page.inner_text("#told"), page.inner_text(".stands")
        marks = page.eval_on_selector_all("figure", "all => all.map(f => f.querySelectorAll('.cross').length)")
        drawn = page.eval_on_selector_all("path.lost", "all => all.map(p => p.getAttribute('d').split('H').length - 1)")
        lead, texts = page.inner_text(".lead"), page.locator(".lost-steps").all_inner_texts()
        return told, before, marks, drawn, lead, texts

    (at, told, table), before, marks, drawn, lead, texts = browser.look(forgetful, see)
    assert at.startswith(f"{lost[0]} of ")
    assert told.count("request lost") == 1
    assert re.search(r"newest request message 0\s+0 of 2 lost\s+2 of 2\s", table)
    assert re.search(r"open items of the plan\s+0 of 1\s+1 of 1", table)
    assert "lost" not in before[0] + before[1]
    assert marks == [0, 0, 1, 0, 0, 0, 0]
    assert drawn == [len(lost), 0]
    pressed = sum(forgets["pressed"])
    assert (
        f"lost, wholly or in part, in {len(lost)} of {pressed} windows under newest, 0 of {pressed} windows under keep."
        in lead
    )
    assert f"lost at {len(lost)} of {pressed} steps. From step {lost[0]}–{lost[-1]}" in texts[0]


def test_the_page_says_the_same_figures_as_the_json(browser, compared):
    path, figures = compared
    cells = browser.look(
        path, lambda page: page.eval_on_selector_all("#figures tbody tr", "rows => rows.map(r => r.innerText)")
    )
    for text, one in zip(cells, figures, strict=True):
        asked = [f"{one[key]:.3f}" for key in ("asked", "said", "first")]
        rates = [f"{one[key]:.3f}" for key in ("retention", "context")]
        rates += [*asked, f"{one['todo']:.3f}" if one["planned"] else "–"]
        rates += [f"{one[key]:.3f}" for key in ("far_faults", "bill")]
        counts = [str(one[key]) for key in ("over", "broken", "thin", "steps", "pressed", "needed")]
        assert text.split() == [one["configuration"], *rates, *counts, "0"]


def test_what_is_drawn_adds_up_to_the_figures(compared):
    path, figures = compared
    data = data_in(path)
    cached, fresh = data["price"]
    for at, one in enumerate(figures):
        trace = data["sessions"][0]["traces"][at]
        pressed = [n for n, p in enumerate(trace["pressed"]) if p]
        assert len(trace["pressed"]) == one["steps"]
        assert len(pressed) == one["pressed"]
        spent = sum(cached * trace["cached"][n] + fresh * trace["fresh"][n] for n in pressed)
        whole = sum(
            cached * trace["historyCached"][n] + fresh * (trace["history"][n] - trace["historyCached"][n])
            for n in pressed
        )
        assert spent / whole == pytest.approx(one["bill"], abs=1e-6)
        assert sum(trace["needed"]) == one["needed"]
        assert 1 - sum(trace["lost"]) / one["needed"] == pytest.approx(one["retention"], abs=1e-6)
        assert all(0 < sum(kinds) <= BUDGET for kinds in zip(*trace["kinds"], strict=True))
        asked = [one for one in trace["asked"] if one]
        assert len(asked) == one["requested"] > 0
        assert sum(stands == of for stands, of in asked) == one["asked_whole"]
        for key in ("said", "first", "todo"):
            shares = [counts[0] / counts[1] for counts in trace[key] if counts]
            assert sum(shares) / max(len(shares), 1) == pytest.approx(one[key], abs=1e-6)
        named = sum(at_[at][0] for _, _, _, at_ in data["sessions"][0]["values"])
        assert named + (data["sessions"][0]["more"] > 0) * 10**6 >= sum(trace["lost"])


def test_every_chart_has_as_many_steps_as_the_replay(browser, compared):
    path, figures = compared

    def see(page):
        drawn = page.eval_on_selector_all("path.band", "all => all.map(p => p.getAttribute('d').split('H').length - 1)")
        points = page.eval_on_selector_all(
            "path.line", "all => all.map(p => p.getAttribute('d').split(/[ML]/).length - 1)"
        )
        return drawn, points, page.get_attribute("#step", "max"), page.locator("svg.chart").count()

    bands, points, last, charts = browser.look(path, see)
    steps = figures[0]["steps"]
    # The upper edge of each column, and the lower one.
    assert set(bands) == {2 * steps}
    assert len(bands) >= 8
    assert points == [steps] * 3
    assert last == str(steps)
    assert charts == 7


def test_a_compaction_is_marked_where_it_was(browser, compared):
    path, _ = compared
    marked = browser.look(
        path,
        lambda page: page.eval_on_selector_all(
            "figure svg", "all => all.map(s => s.querySelectorAll('.compaction').length)"
        ),
    )
    assert marked[:2] == [len(trace["compacted"]) for trace in data_in(path)["sessions"][0]["traces"]]
    assert marked[1] > 2


def test_a_missing_value_leads_to_the_page_that_held_it(browser, compared):
    path, _ = compared
    session = data_in(path)["sessions"][0]

    def see(page):
        found = []
        for row in page.locator("#missing ~ .scroll tbody tr").all()[:12]:
            value = row.locator("code").inner_text()
            row.locator("a").click()
            there = page.locator("article:target")
            found.append((value, there.locator("h4").inner_text(), there.locator("mark").all_inner_texts()))
            assert there.locator("h4").evaluate("e => e.getBoundingClientRect().top") < 900
            assert there.evaluate("e => e === document.activeElement")
        return found

    found = browser.look(path, see)
    for (value, title, marked), listed in zip(found, session["values"], strict=False):
        assert (value, title) == (listed[0], f"Page {listed[1]}")
        # Of a page with many values not all fit what is quoted.
        assert value in marked or len([v for v in session["values"] if v[1] == listed[1]]) > 3


def test_a_page_stands_under_the_id_that_expand_takes(folder, compared):
    session = data_in(compared[0])["sessions"][0]

    async def texts():
        async with lamina.open() as context:
            [done] = await context.import_data((folder / "plain.jsonl").read_bytes(), source="plain.jsonl")
            stored = await context.session(done.session)
            return done.session, {page.id: page.text.replace("\\n", "\n") for page in stored.pages}

    id, pages = asyncio.run(texts())
    assert id == session["id"]
    for value, page, *_ in session["values"]:
        assert last_word(pages[page], value) >= 0


def test_hostile_texts_do_nothing(browser, hostile):
    def see(page):
        for number in range(3):
            page.evaluate(f"location.hash = 's{number}'")
            page.wait_for_selector(f"#s{number}")
        hit = page.evaluate("[window.hit, document.querySelectorAll('img, iframe, script:not([id]), link').length]")
        return hit, page.inner_text("body")

    hit, text = browser.look(hostile, see)
    assert hit == [None, 1]
    assert "onerror=window.hit=1" in text
    assert hostile.read_text("utf-8").count("<script") == 2


def test_the_browser_may_run_nothing_but_the_pages_own_script(browser, compared):
    """Whatever text ever got out of its place would still be powerless."""
    path = compared[0].with_name("injected.html")
    body = "<img src=x onerror='window.hit=1'><script>window.hit=1</script><a id=c href='javascript:window.hit=1'>x</a>"
    path.write_text(compared[0].read_text("utf-8").replace("</header>", f"</header>{body}"), encoding="utf-8")

    def see(page):
        page.click("#c")
        assert page.evaluate("window.hit") is None
        seen.append(page.locator("#c").count())

    seen = []
    with pytest.raises(AssertionError, match="violates the following Content Security"):
        browser.look(path, see)
    assert seen == [1]


CONTRAST = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const over = (top, under) => { const a = top[3] ?? 1; return [0, 1, 2].map((i) => top[i] * a + under[i] * (1 - a)); };
  const behind = (node) => {
    if (!node) return [255, 255, 255];
    const colour = parse(getComputedStyle(node).backgroundColor);
    return (colour[3] ?? 1) === 1 ? colour : over(colour, behind(node.parentElement));
  };
  const light = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const bad = []; let seen = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !node.checkVisibility() || node.matches("script, style, title, desc, option")) continue;
    const style = getComputedStyle(node), under = behind(node);
    const ink = over(parse(node.namespaceURI.endsWith("svg") ? style.fill : style.color), under);
    const [a, b] = [light(ink), light(under)].sort((x, y) => y - x);
    seen += 1;
    if ((a + 0.05) / (b + 0.05) < 4.5) bad.push([node.className, walker.currentNode.data.slice(0, 30), (a + 0.05) / (b + 0.05)]);
  }
  return [seen, bad];
}"""


@pytest.fixture(params=["compared", "forgetful"])
def report(request, compared, forgetful):
    return {"compared": compared[0], "forgetful": forgetful}[request.param]


def test_every_text_stands_out_in_light_and_in_dark(browser, report):
    pictures = []
    for scheme in ("light", "dark"):

        def see(page):
            pictures.append(page.screenshot())
            return page.evaluate(CONTRAST), page.evaluate("getComputedStyle(document.body).backgroundColor")

        (seen, bad), background = browser.look(report, see, scheme=scheme)
        assert seen > 150
        assert bad == []
        assert (sum(map(int, re.findall(r"\d+", background))) > 700) is (scheme == "light")
    assert pictures[0] != pictures[1]


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_wider_than_the_window_and_no_label_covers_another(browser, report, width):
    overlaps = """() => [...document.querySelectorAll("svg.chart")].flatMap((chart) => {
      const boxes = [...chart.querySelectorAll("text, .cross")].map((text) => [text.textContent, text.getBoundingClientRect()]);
      return boxes.flatMap(([a, p], at) => boxes.slice(at + 1).filter(([, q]) =>
        p.left < q.right - 1 && q.left < p.right - 1 && p.top < q.bottom - 3 && q.top < p.bottom - 3).map(([b]) => [a, b]));
    })"""

    def see(page):
        outside = page.evaluate(
            "[...document.querySelectorAll('svg.chart')].flatMap(c => [...c.querySelectorAll('text')].filter(t => "
            "t.getBoundingClientRect().right > c.getBoundingClientRect().right + 1).map(t => t.textContent))"
        )
        return page.evaluate("document.documentElement.scrollWidth"), page.evaluate(overlaps), outside

    assert browser.look(report, see, width=width) == (width, [], [])


def test_the_keyboard_moves_through_the_steps(browser, compared):
    data = data_in(compared[0])["sessions"][0]

    def see(page):
        page.focus("#step")
        page.keyboard.press("Home")
        first = page.inner_text(".slide .at"), page.inner_text("#told")
        for _ in range(9):
            page.keyboard.press("ArrowRight")
        step = page.inner_text(".slide .at"), page.inner_text(".stands caption"), page.inner_text(".stands")
        marker = page.eval_on_selector_all(".marker", "all => new Set(all.map(m => m.getAttribute('x'))).size")
        return first, step, marker

    first, (at, caption, table), markers = browser.look(compared[0], see)
    assert first[0].startswith("1 of ")
    assert at.startswith("10 of ")
    assert caption == "Step 10, in tokens"
    sums = [sum(kind[9] for kind in trace["kinds"]) for trace in data["traces"]]
    assert re.search(r"window\s+" + r"\s+".join(f"{one:,}" for one in sums), table)
    assert markers == 1


def test_a_picture_says_in_words_what_it_shows(browser, compared):
    def see(page):
        return page.eval_on_selector_all(
            "svg.chart",
            "all => all.map(s => s.getAttribute('aria-labelledby').split(' ').map(id => document.getElementById(id).textContent))",
        )

    for title, text in browser.look(compared[0], see):
        assert title
        assert re.search(r"\d", text)


def test_another_session_is_chosen_by_list_link_and_arrow(browser, hostile):
    def see(page):
        page.select_option("#choose", "2")
        page.wait_for_selector("#s2")
        page.click("text=→")
        page.wait_for_selector("#s0")
        page.click("#row1 a")
        page.wait_for_selector("#s1")
        return page.locator("tr[aria-current]").get_attribute("id")

    assert browser.look(hostile, see) == "row1"


def test_sessions_can_be_put_in_order_by_each_column(browser, hostile):
    def see(page):
        found = []
        for name in ("steps", "session", "missing"):
            page.click(f"#sessions button:text-is('{name}')")
            column = {"steps": 1, "session": 0, "missing": 5, "requests lost": 6}[name]
            cells = "rows => rows.map(r => [r.id, r.children[COLUMN].innerText])".replace("COLUMN", str(column))
            found.append(page.eval_on_selector_all("#sessions tbody tr", cells))
        return found, page.get_attribute("#sessions [aria-sort]", "aria-sort")

    (steps, session, missing), sorted_ = browser.look(hostile, see)
    assert [int(one) for _, one in steps] == [20, 18, 16]
    assert [id for id, _ in session] == ["row0", "row1", "row2"]
    assert [int(one) for _, one in missing] == sorted((int(one) for _, one in missing), reverse=True)
    assert sorted_ == "descending"


def test_paper_is_white_and_has_no_controls(browser, compared):
    def see(page):
        shown = page.evaluate(
            "[document.querySelector('.reader').checkVisibility(), getComputedStyle(document.body).color]"
        )
        return shown, page.evaluate(CONTRAST)[1]

    (reader, ink), bad = browser.look(compared[0], see, scheme="dark", media="print")
    assert not reader
    assert sum(map(int, re.findall(r"\d+", ink))) < 150
    assert bad == []


def test_without_its_script_the_page_still_has_the_figures(browser, compared):
    text = browser.look(compared[0], lambda page: page.inner_text("body"), scripts=False)
    assert f"{compared[1][0]['retention']:.3f}" in text
    assert "switched off" in text


def test_the_report_is_the_same_whatever_the_hash_seed(folder, compared):
    arguments = ["plain.jsonl", "--budget", str(BUDGET), "--config", "keep.toml", "--html"]
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    command = [sys.executable, "-m", "lamina_cli", "replay", *arguments, "there.html"]
    subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONHASHSEED": seed}, check=True, capture_output=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        replay(*arguments, "here.html")
    assert (folder / "here.html").read_bytes() == (folder / "there.html").read_bytes()
    assert data_in(folder / "here.html")["sessions"][0]["values"]


def test_a_report_changes_no_figure(folder, compared, capsys):
    configs = ("--config", folder / "keep.toml", "--config", folder / "lean.toml")
    replay(folder / "plain.jsonl", "--budget", BUDGET, *configs, "--json")
    plain = json.loads(capsys.readouterr().out)["configurations"]
    for one in (*plain, *compared[1]):
        for figures in (one, *one["sessions"]):
            figures.pop("window_ms", None)
    assert plain == compared[1]
