"""The documentation as a site: all pages in its navigation, all links whole, its references as the code is."""

import doctest
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
OF_THE_ROOT = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
PAGES = [*(ROOT / name for name in OF_THE_ROOT), *sorted(DOCS.rglob("*.md"))]
FENCES = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]+`")
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
DOCUMENTED = re.compile(r"^::: (\S+)$", re.MULTILINE)
HEADING = re.compile(r"^#+ (?P<title>.+)$", re.MULTILINE)


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def leaves(navigation: Any) -> Iterator[str]:
    """Yield the pages of a navigation: a page, a list of parts, or parts by their titles."""
    if isinstance(navigation, str):
        yield navigation
    else:
        for part in navigation.values() if isinstance(navigation, dict) else navigation:
            yield from leaves(part)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page: those of its headings, the same on GitHub, and the names documented there."""
    text = FENCES.sub("", page.read_text())
    titles = [re.sub(r"[^\w\s-]", "", heading["title"]).strip().lower() for heading in HEADING.finditer(text)]
    return {re.sub(r"[\s-]+", "-", title) for title in titles} | set(DOCUMENTED.findall(text))


def test_every_page_is_in_the_navigation_once() -> None:
    listed = sorted(leaves(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    present = [str(page.relative_to(DOCS)) for page in PAGES if page.is_relative_to(DOCS)]
    assert listed == sorted(["index.md", "contributing.md", "changelog.md", *present])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in LINK.finditer(CODE.sub("", FENCES.sub("", page.read_text()))):
        target, _, anchor = link["target"].partition("#")
        if "://" in target:
            continue
        to = page.parent / target if target else page
        assert to.is_file(), f"{page.name}: {link['target']}"
        assert not anchor or anchor in anchors(to), f"{page.name}: {link['target']}"


@pytest.mark.parametrize("name", ["write_configuration", "write_commands"])
def test_reference_is_what_the_code_says(name: str) -> None:
    module = script(name)
    assert module.PAGE.read_text() == module.page(), f"run: python docs/{name}.py"


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.py")), ids=lambda path: path.stem)
def test_examples_of_the_scripts(path: Path) -> None:
    assert doctest.testmod(script(path.stem)).failed == 0
