"""The docs are true: generated parts are up to date, every filter has its page, and the code on the pages runs."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from filters import registry
from pipelines import recipe
from tests.support import ROOT

DOCS = ROOT / "docs"


def test_generated_parts_are_up_to_date():
    made = subprocess.run(
        [sys.executable, DOCS / "generate.py", "--check"], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stdout


@pytest.mark.parametrize("name", registry.BUILT_IN)
def test_every_filter_has_a_page_with_its_options(name):
    page = (DOCS / "filters" / f"{name}.md").read_text("utf-8")
    assert "<!-- generated: options -->" in page
    for heading in ("what it checks", "why it matters", "known misses", "figures"):
        assert heading in page.lower()


@pytest.mark.parametrize("name", registry.BUILT_IN)
def test_every_filter_declares_what_it_must(name):
    found = registry.load(name)
    assert found.name == name
    assert found.reasons
    assert found.scores
    for code in found.reasons:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", code)


def test_reason_codes_are_not_used_twice():
    codes = [code for name in registry.BUILT_IN for code in registry.load(name).reasons]
    assert len(codes) == len(set(codes))


def test_the_page_on_writing_a_filter_runs(tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "writing-a-filter.md").read_text("utf-8"), re.DOTALL)
    module, trial = blocks
    (tmp_path / "apologies.py").write_text(module, "utf-8")
    (tmp_path / "trial.py").write_text(
        f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(tmp_path)!r}]\n{trial}", "utf-8"
    )
    subprocess.run([sys.executable, tmp_path / "trial.py"], check=True, cwd=tmp_path)


def test_recipes_on_pages_load():
    for page in (DOCS / "recipes.md", DOCS / "quickstart.md"):
        for block in re.findall(r"```yaml\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
            recipe.from_document(recipe._parse(block, page.name))


def test_links_between_pages_lead_somewhere():
    for page in [ROOT / "README.md", *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_test_that_the_threat_model_names_exists():
    """And every line of its tables names one."""
    page = (DOCS / "security.md").read_text("utf-8")
    for file, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page):
        assert re.search(rf"^def {name}\(", (ROOT / file).read_text("utf-8"), re.MULTILINE), f"{file}::{name}"
    threats = [
        line for line in page.splitlines() if line.count("|") == 4 and not line.startswith(("|---", "| what is tried"))
    ]
    assert len(threats) > 25
    assert [line for line in threats if "`tests/" not in line] == []
