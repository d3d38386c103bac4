"""The built site in a browser, and the links that the site's own builder does not see."""

import functools
import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from manual import ROOT

# All pages in frames of one page: the browser starts once. What each shows is written into the document that
# is printed.
HARNESS = """<!doctype html><meta charset="utf-8"><title>harness</title><pre id="found">unfinished</pre><script>
const pages = PAGES, widths = [1280, 390], found = [];
const measure = (page, width) => new Promise(done => {
  const frame = document.createElement("iframe");
  frame.style = `width: ${width}px; height: 900px`;
  frame.onload = () => setTimeout(() => {
    const inside = frame.contentDocument, root = inside.documentElement;
    const requests = frame.contentWindow.performance.getEntriesByType("resource").map(entry => entry.name);
    const broken = [...inside.images].filter(image => !image.naturalWidth).map(image => image.src);
    // Tables and blocks scroll by themselves; the page must not.
    found.push({page, width, title: inside.querySelector("h1")?.innerText, over: root.scrollWidth - root.clientWidth,
      menu: inside.querySelectorAll(".md-nav__link").length, requests, broken});
    frame.remove(); done();
  }, 300);
  frame.src = page;
  document.body.append(frame);
});
(async () => {
  for (const width of widths) for (const page of pages) await measure(page, width);
  document.getElementById("found").textContent = JSON.stringify(found);
})();
</script>"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def site():
    return Path(os.environ["HEDDLE_SITE"])


@pytest.fixture
def served(site):
    """The site below a path, as a web server might have it; `missing` are the paths that were asked for in
    vain."""
    missing = []

    class Handler(Quiet):
        def translate_path(self, path):
            return super().translate_path(path.removeprefix("/some/where"))

        def send_error(self, code, *rest):
            missing.append(self.path)
            super().send_error(code, *rest)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/some/where", missing
    server.shutdown()


def browse(directory, url):
    """What the browser prints, and its log. Headless Chromium now and then hangs: then it is killed and
    started anew."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if not browser:
        pytest.skip("no headless browser on this machine")
    for attempt in range(3):
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={directory}/browser-{attempt}"]
        command += ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
        command += ["--enable-logging=stderr", "--timeout=30000", "--virtual-time-budget=60000", "--dump-dom", url]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
        try:
            return process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    raise AssertionError("the browser does not come to an end")


def test_every_page_in_a_browser(site, served, tmp_path):
    base, missing = served
    pages = sorted(str(path.relative_to(site)) for path in site.rglob("*.html") if path.name != "404.html")
    harness = site / "harness.html"
    harness.write_text(HARNESS.replace("PAGES", json.dumps(pages)))
    try:
        dom, log = browse(tmp_path, f"{base}/harness.html")
    finally:
        harness.unlink()
    found = json.loads(re.search(r'<pre id="found">(.*?)</pre>', dom, re.DOTALL)[1].replace("&amp;", "&"))
    assert len(found) == 2 * len(pages) and len(pages) > 10
    for one in found:
        assert one["title"] and one["menu"] > 10 and not one["broken"], one
        assert one["over"] <= 0, f"{one['page']} is {one['over']} px wider than {one['width']} px"
        assert [url for url in one["requests"] if not url.startswith(f"{base}/")] == [], one["page"]
    assert [line for line in log.splitlines() if "CONSOLE" in line] == []
    assert [path for path in missing if not path.endswith("favicon.ico")] == []


def test_links_of_the_readme():
    text = (ROOT / "README.md").read_text()
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text) + re.findall(r'src="([^"]+)"', text)
    assert targets
    assert [to for to in targets if not re.match(r"https?://", to) and not (ROOT / to).exists()] == []
