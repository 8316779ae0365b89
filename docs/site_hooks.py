"""What mkdocs asks of us while it builds the site: pages from the files of the root, and fences that it understands."""

import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "LICENSE": "LICENSE.txt",
}
LINK = re.compile(r"\]\((?P<target>[^)\s#:]+)(?P<anchor>#[^)\s]*)?\)")
FENCE = re.compile(r"^```(?P<language>\w+) (?P<marks>.+)$", re.MULTILINE)
ROW = re.compile(r"^\|.*\|$", re.MULTILINE)
CODE = re.compile(r"`[^`]+`")
FETCHED = re.compile(r"<(?:script|link|img|iframe)\b[^>]*?\b(?:src|href)=[\"']?(?P<address>(?:https?:)?//[^\"'\s>]+)")
LESS_SOUGHT = ("design/", "contributing.md", "changelog.md")  # a search shows them after the guides


def on_files(files: Files, config: Any) -> Files:
    """Add the pages whose text lies in the root of the repository."""
    for name, page in PAGES.items():
        files.append(File.generated(config, page, content=as_page((ROOT / name).read_text())))
    return files


def as_page(text: str) -> str:
    """Return a text of the root with its links as they are seen from the documentation's folder.

    >>> as_page("[guide](docs/guide/metrics.md#memory), [licence](LICENSE), [elsewhere](https://example.org)")
    '[guide](guide/metrics.md#memory), [licence](LICENSE.txt), [elsewhere](https://example.org)'
    """

    def seen(link: re.Match[str]) -> str:
        target = PAGES.get(link["target"], link["target"].removeprefix("docs/"))
        return f"]({target}{link['anchor'] or ''})"

    return LINK.sub(seen, text)


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Return a page's text as Python-Markdown reads it."""
    if page.file.src_uri.startswith(LESS_SOUGHT):
        page.meta.setdefault("search", {"boost": 0.5})
    return ROW.sub(unescaped, FENCE.sub(titled, markdown))


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Refuse a page that fetches something from elsewhere when it is read."""
    foreign = FETCHED.search(output)
    if foreign:
        raise PluginError(f"{page.file.src_uri} fetches {foreign['address']}: the site is to be read without a network")
    return output


def titled(fence: re.Match[str]) -> str:
    """Return the first line of a fence with the file that it is as its title, without what only the tests read.

    >>> FENCE.sub(titled, "```sh norun"), FENCE.sub(titled, "```yaml file=a.yaml")
    ('```sh', '```yaml title="a.yaml"')
    """
    file = re.search(r"\bfile=(\S+)", fence["marks"])
    return f"```{fence['language']}" + (f' title="{file[1]}"' if file else "")


def unescaped(row: re.Match[str]) -> str:
    r"""Return a row of a table with bare bars in its code, which GitHub wants escaped and Python-Markdown shows so.

    >>> ROW.sub(unescaped, r"| `FILE\|SMILES` | a \| b |")
    '| `FILE|SMILES` | a \\| b |'
    """
    return CODE.sub(lambda code: code[0].replace("\\|", "|"), row[0])
