"""Reports in a headless browser: no error, no request, sortable, nothing wider than a phone. Skipped without one."""

import json
import re
import shutil
import subprocess
from html import unescape

import pytest

from molfound.training.report import write_report
from molfound.training.report.comparison import write_comparison
from tests.training.invented_run import write_run

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
PHONE = 360

# Runs in the page after its own script; what it finds is left in the title.
PROBE = """
<script>
const found = { wide: [], errors: window.errors };
document.body.style.width = "PHONEpx";
for (const element of document.querySelectorAll("main *")) {
  const boxed = element.closest(".scroll, pre, details:not([open])");
  const right = element.getBoundingClientRect().right;
  if ((!boxed || boxed === element) && right > PHONE + 1) found.wide.push(element.outerHTML.slice(0, 80));
}
const order = (table) => [...table.tBodies[0].rows].map((row) => row.cells[2].textContent);
const table = document.querySelector("table.sortable");
if (table) {
  table.querySelectorAll("th button")[2].click();
  found.ascending = order(table);
  found.sort = table.querySelectorAll("th")[2].getAttribute("aria-sort");
  table.querySelectorAll("th button")[2].click();
  found.descending = order(table);
}
const reached = [...document.querySelectorAll(".scroll, th button, summary, a")].filter((one) => one.tabIndex < 0);
found.unreachable = reached.length;
found.requests = performance.getEntriesByType("resource").map((entry) => entry.name);
found.overlapping = [...document.querySelectorAll("svg.plot:not(.sample)")].filter((plot) => {
  const boxes = [...plot.querySelectorAll("text")].map((text) => text.getBoundingClientRect());
  return boxes.some((a, i) => boxes.slice(i + 1).some((b) =>
    a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1));
}).map((plot) => plot.getAttribute("aria-label"));
document.title = JSON.stringify(found);
</script>
""".replace("PHONE", str(PHONE))
WATCH = """<script>window.errors = [];
window.addEventListener("error", (event) => window.errors.push(String(event.message)));
document.addEventListener("securitypolicyviolation", (event) => window.errors.push(event.violatedDirective));
</script>"""


def opened(path, folder):
    """What the probe finds on a page, and what the browser says on its console."""
    html = path.read_text(encoding="utf-8")
    copy = folder / "probed.html"
    copy.write_text(html.replace("<title>", f"{WATCH}<title>", 1).replace("</body>", f"{PROBE}</body>"))
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"]
    done = subprocess.run(
        [*command, f"--user-data-dir={folder / 'profile'}", copy.as_uri()], capture_output=True, text=True, timeout=120
    )
    found = json.loads(unescape(re.search(r"<title>(.*?)</title>", done.stdout, re.S)[1]))
    return found, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.skipif(BROWSER is None, reason=f"no browser is installed ({', '.join(NAMES)})")
@pytest.mark.parametrize("kind", ["report", "comparison"])
def test_a_browser_shows_it_without_errors_and_without_requests(tmp_path, kind):
    runs = [write_run(tmp_path / name, seed=number) for number, name in enumerate(["narrow", "wide"])]
    path = write_report(runs[0]) if kind == "report" else write_comparison(runs, tmp_path / "comparison.html")
    found, console = opened(path, tmp_path)
    assert console == []
    assert found["errors"] == []
    assert found["requests"] == []
    assert found["wide"] == []
    assert found["unreachable"] == 0
    assert found["overlapping"] == []
    if kind == "report":
        figures = [float(text) for text in found["ascending"] if text != "—"]
        assert figures == sorted(figures)
        assert found["ascending"][-1] == found["descending"][-1] == "—"
        assert [float(text) for text in found["descending"] if text != "—"] == figures[::-1]
        assert found["sort"] == "ascending"
