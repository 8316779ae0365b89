"""A strict reader of our own HTML pages."""

import re
from html.parser import HTMLParser
from itertools import pairwise

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Document(HTMLParser):
    """Checks that every element is closed in its turn, and collects elements, text, headings and tables."""

    def __init__(self, html):
        super().__init__()
        self.html = html
        self.open, self.elements, self.text, self.headings, self.tables = [], [], [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch(r"h\d", tag):
            self.headings.append((int(tag[1]), ""))
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)
        if {"th", "td"} & set(self.open):
            self.tables[-1][-1][-1] += data
        elif self.open and re.fullmatch(r"h\d", self.open[-1]):
            level, text = self.headings.pop()
            self.headings.append((level, text + data))

    def count(self, tag, style=""):
        return sum(1 for name, attrs in self.elements if name == tag and style in attrs.get("class", "").split(" "))

    def labels(self, tag):
        """The `aria-label` of each element of a kind."""
        return [attrs.get("aria-label") for name, attrs in self.elements if name == tag]


def assert_self_contained(html):
    """Nothing is loaded, and nothing is executed that came from the data."""
    document = Document(html)
    assert "http:" not in html
    assert "https:" not in html
    assert "//" not in re.sub(r"<script>.*?</script>|<code>.*?</code>|aria-label=\"[^\"]*\"", "", html, flags=re.S)
    assert not any({"src", "srcset", "data", "xlink:href"} & attrs.keys() for _, attrs in document.elements)
    assert all(attrs["href"].startswith("#") for _, attrs in document.elements if "href" in attrs)
    assert not {"iframe", "object", "embed", "link", "base", "img"} & {tag for tag, _ in document.elements}
    assert document.count("script") == 1
    assert not any(name.startswith("on") for _, attrs in document.elements for name in attrs)


def assert_accessible(html):
    """The language is told, headings go down by one level at a time, pictures and boxes that scroll have names."""
    document = Document(html)
    assert ("html", {"lang": "en"}) in document.elements
    levels = [level for level, _ in document.headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below <= above + 1 for above, below in pairwise(levels))
    assert all(text.strip() for _, text in document.headings)
    for tag, attrs in document.elements:
        if tag == "svg" and attrs.get("aria-hidden") != "true":
            assert attrs["role"] == "img"
            assert attrs["aria-label"]
        if "scroll" in attrs.get("class", "").split():
            assert attrs["tabindex"] == "0"
            assert attrs["aria-label"]
        if tag == "th":
            assert attrs["scope"] in ("col", "row")
    ids = [attrs["id"] for _, attrs in document.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    links = {attrs["href"][1:] for _, attrs in document.elements if "href" in attrs}
    assert links <= set(ids)
