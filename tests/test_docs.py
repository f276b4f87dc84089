"""The documentation says what the code does, and builds as a site without warnings."""

import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from scripts import reference
from service import errors
from service.cards import Catalogue
from service.settings import ZOO, Settings

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
CONFIG = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
PAGES = [*sorted(DOCS.glob("*.md")), *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"))]

OUT_OF_DATE = "a page is out of date: python -m scripts.reference"

over_pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly from a copy, so that the build leaves nothing in the tree."""
    folder = tmp_path_factory.mktemp("docs")
    shutil.copytree(DOCS, folder / "docs")
    for name in ("mkdocs.yml", "README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, folder)
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder / "site"


def test_the_site_has_a_page_for_each_page_and_asks_no_other_host(site):
    assert {page.stem for page in DOCS.glob("*.md")} - {"index"} <= {page.name for page in site.iterdir()}
    for page in site.rglob("*.html"):
        loaded = re.findall(r"<(?:script|img|iframe)[^>]+src=\"([^\"]+)|<link[^>]+href=\"([^\"]+)", page.read_text())
        assert [url for pair in loaded for url in pair if url.startswith(("http", "//"))] == []


def test_the_navigation_lists_each_page_once():
    assert sorted(listed(CONFIG["nav"])) == sorted(page.name for page in DOCS.glob("*.md"))


def listed(nav: list[dict]) -> Iterator[str]:
    for entry in nav:
        (target,) = entry.values()
        yield from [target] if isinstance(target, str) else listed(target)


@over_pages
def test_each_link_and_image_of_a_page_exists(page):
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    assert [each for each in targets if "://" not in each and not (page.parent / each).exists()] == []


def test_the_reference_pages_are_generated_from_the_code():
    assert reference.SETTINGS_PAGE.read_text() == reference.settings_page(), OUT_OF_DATE
    page = reference.API_PAGE.read_text()
    assert page == reference.api_page(page), OUT_OF_DATE


def test_the_contract_of_the_api_is_written_down():
    """A change of the contract shows in docs/openapi.json, and needs a line in CHANGELOG.md."""
    assert reference.OPENAPI.read_text() == reference.openapi(), OUT_OF_DATE


def test_the_reference_has_every_setting_and_error():
    for name in Settings.model_fields:
        assert f"| `HANDFUL_{name.upper()}` |" in reference.settings_page()
    for error in (errors.HandfulError, errors.UnknownClient, errors.StoreFull):
        assert f"| {error.status} | `{error.code}` |" in reference.API_PAGE.read_text()


def test_the_readme_is_a_landing_page():
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 100
    assert "make run " in "".join(lines)
    assert "make test " in "".join(lines)


def test_the_readme_counts_the_models_right():
    waves = [card for card in Catalogue(ZOO).values() if getattr(card.input, "length", 1) == 1]
    kinds = Counter(card.input.type for card in waves)
    rows = re.findall(r"^\| .*`(?:\w|-)+`.* and (\d+) more methods", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert rows == [str(kinds["drawing"] - 3), str(kinds["vector"] - 1)]


def test_continuous_integration_runs_the_commands_of_the_pages():
    commands = re.findall(r"^make (\S+)$", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    assert commands == ["lint", "test"]
    for command in commands:
        assert f"make {command}" in (ROOT / "CONTRIBUTING.md").read_text()


def test_each_make_target_named_in_a_page_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for page in PAGES for name in re.findall(r"`?make ([a-z][a-z-]+)\b", code_of(page.read_text()))}
    assert named <= targets


def code_of(text: str) -> str:
    """What stands in code spans and blocks."""
    return "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL))


def test_the_first_release_is_in_the_changelog():
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased"
    version = re.search(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version
    assert any(heading.startswith(f"{version[1]} (20") for heading in headings)
