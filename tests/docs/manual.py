"""The manual's pages, taken apart. The tests here are run by `scripts/docs check`."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")), *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass
class Line:
    """A line of a shell block; continued ones are joined."""

    page: Path
    text: str

    def __str__(self):
        return f"{self.page.relative_to(ROOT)}: {self.text}"


def shell_lines():
    for page in PAGES:
        for language, block in FENCE.findall(page.read_text()):
            if language == "sh":
                for text in block.replace("\\\n", " ").splitlines():
                    if text.strip() and not text.startswith("#"):
                        yield Line(page, text)


def prose(page):
    """A page without its blocks."""
    return FENCE.sub("", page.read_text())
