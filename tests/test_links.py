"""Links of the README lead to files; Sphinx and the browser tests follow those of the documentation."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_links_of_the_readme_lead_to_files():
    targets = re.findall(r"\]\(([^)\s#]+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert targets
    assert [target for target in targets if "://" not in target and not (ROOT / target).exists()] == []
