"""A run's report is one file that needs nothing else."""

import re
from html.parser import HTMLParser
from pathlib import Path

import yaml


class Page(HTMLParser):
    """Collects the text of a page, what it refers to, and its curves."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.text = ""
        self.curves = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]
        self.curves += tag == "polyline"

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_report_holds_curves_pictures_metrics_configuration_and_environment(trained: Path) -> None:
    page = Page()
    page.feed((trained / "report.html").read_text(encoding="utf-8"))
    assert page.curves >= 4  # l1, psnr, ssim and a loss
    pictures = [source for source in page.sources if source.startswith("data:image/png;base64,")]
    assert len(pictures) == len(page.sources) == len(list((trained / "samples").glob("*.png")))
    assert re.search(r"psnr \(higher is better\)\s*\d", page.text)
    assert "l1 (lower is better)" in page.text
    assert re.search(r"Step 2 of 2(; the best model is of step \d)?\.", page.text)
    assert "input | output | right output" in page.text
    config = yaml.safe_load((trained / "config.yaml").read_text())
    for words in (config["facts"]["torch"], config["facts"]["data_fingerprint"], "l1_weight", "batch_size: 2"):
        assert str(words) in page.text
    assert str(trained.parent) not in page.text
