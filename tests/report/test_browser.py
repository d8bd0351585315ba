"""The pages as people see them: in Debian's Chromium, light and dark, at a desk and on a phone."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imagekit.report.bench_page import bench_page
from imagekit.report.image_page import image_page
from imagekit.report.page import html
from imagekit.report.picture import pictured
from imagekit.report.results import read_results
from tests.report.documents import everything, image

pytestmark = pytest.mark.browser
RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
OPEN = "for (const each of document.querySelectorAll('details')) each.open = true"
# Words of charts that are cut, stand beyond their chart, are too small to read, or lie on other words. A layer's name
# may be cut in its rectangle: it stands whole in the table.
BADLY_SET = """
() => {
  const bad = [];
  for (const svg of document.querySelectorAll('svg')) {
    const frame = svg.getBoundingClientRect();
    if (!frame.width) continue;
    const scale = frame.width / svg.viewBox.baseVal.width;
    const isMap = svg.closest('figure')?.querySelector('h3').textContent === 'Layers by size';
    const boxes = [];
    for (const text of svg.querySelectorAll('text')) {
      const box = text.getBoundingClientRect();
      if (!text.textContent.trim() || !box.width) continue;
      if (!isMap && text.textContent.includes('…')) bad.push('cut: ' + text.textContent);
      if (parseFloat(getComputedStyle(text).fontSize) * scale < 11) bad.push('small: ' + text.textContent);
      if (box.left < frame.left - 2 || box.right > frame.right + 2 || box.bottom > frame.bottom + 2)
        bad.push('cut off: ' + text.textContent);
      for (const [words, other] of boxes)
        if (box.left < other.right - 1 && other.left < box.right - 1
            && box.top < other.bottom - 4 && other.top < box.bottom - 4)
          bad.push('on each other: ' + words + ' / ' + text.textContent);
      boxes.push([text.textContent, box]);
    }
  }
  return bad;
}
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium")
    assert program, "apt-get install chromium"
    with sync_playwright() as playwright:
        # Root's browser has no sandbox of its own.
        yield playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])


def pages() -> dict[str, str]:
    kept = [read_results(path.read_text(), path.name) for path in sorted(RESULTS.glob("reference*.json"))]
    return {
        "everything": html(bench_page([read_results(json.dumps(everything()), "made")])),
        "kept": html(bench_page(kept)),
        "image": html(image_page(pictured(image()))),
    }


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("pages")
    for name, text in pages().items():
        (directory / f"{name}.html").write_text(text, "utf-8")
    return directory


@pytest.mark.parametrize("name", ["everything", "kept", "image"])
@pytest.mark.parametrize("width", [1200, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_is_legible(browser: Any, written: Path, name: str, width: int, scheme: Any) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = browser.new_page(viewport={"width": width, "height": 850}, color_scheme=scheme)
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto((written / f"{name}.html").as_uri())
    shown = Path(os.environ.get("SCREENSHOTS") or written)
    shown.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=shown / f"{name}-{width}-{scheme}.png", full_page=True)

    assert asked == [(written / f"{name}.html").as_uri()]
    assert said == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(19, 22, 27)"}[scheme]
    assert page.evaluate(BADLY_SET) == []
    page.evaluate(OPEN)
    # WCAG's rules as far as a program can hold a page to them: contrast, headings, names, tables.
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    page.close()
