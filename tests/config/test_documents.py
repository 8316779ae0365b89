import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from molfound.config.documents import MAX_DEPTH, read_mapping, read_text, read_value, write_text
from molfound.errors import MolfoundError

CORE_SCALARS: list[tuple[str, Any]] = [
    ("1e-3", 0.001),
    ("1E5", 100000.0),
    ("-.5", -0.5),
    ("5.", 5.0),
    ("012", 12),
    ("-7", -7),
    ("0o14", 12),
    ("0x1F", 31),
    ("1_000", "1_000"),
    ("0b1", "0b1"),
    ("no", "no"),
    ("on", "on"),
    ("yes", "yes"),
    ("y", "y"),
    ("12:30", "12:30"),
    ("2020-01-01", "2020-01-01"),
    ("=", "="),
    ("true", True),
    ("TRUE", True),
    ("False", False),
    ("tRUE", "tRUE"),
    ("null", None),
    ("~", None),
    ("nULL", "nULL"),
    ("-.INF", float("-inf")),
    ("1e", "1e"),
    ("0o8", "0o8"),
]


@pytest.mark.parametrize(("text", "value"), CORE_SCALARS)
def test_plain_scalars_follow_the_core_schema(text: str, value: Any) -> None:
    for read in (read_text(f"key: {text}", "here")["key"], read_value(text, "here")):
        assert read == value
        assert type(read) is type(value)


@pytest.mark.parametrize("text", [text for text, _ in CORE_SCALARS])
def test_quoted_scalars_are_text(text: str) -> None:
    assert read_text(f"[{text!r}]", "here") == [text]


def test_nan_is_read() -> None:
    value = read_value(".nan", "here")
    assert value != value


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
DOCUMENTS = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10)


@settings(deadline=None)
@given(DOCUMENTS)
def test_what_is_written_reads_back_equal(document: Any) -> None:
    assert read_text(write_text(document), "here") == document


@pytest.mark.parametrize(
    "text", [*(text for text, _ in CORE_SCALARS), "<<", "", " a", "a: b", "# c", "${x}", "é", "\x85"]
)
def test_written_text_is_text_for_a_yaml_1_1_reader_too(text: str) -> None:
    assert yaml.safe_load(write_text({"key": text})) == {"key": text}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3\n", "here, line 3: the key 'a' stands twice"),
        ("a: 1\nb: !!python/object/apply:os.system [ls]\n", "here, line 2: tags are not allowed"),
        ("!!str 3", "tags are not allowed"),
        ("! 3", "tags are not allowed"),
        ("1: a", "here, line 1: a key must be text, not 1"),
        ("? [a]\n: b", "a key must be text, not a list"),
        ("a: &x 1\nb:\n  <<: *x\n", "line 3: merge keys"),
        ("a: *x", "no anchor '&x'"),
        ("&x [*x]", "'*x' stands inside what it names"),
        ("--- a\n--- b\n", "line 2: a second document"),
        ("a: [1, 2", "line 1: not YAML"),
        ("a: b: c", "line 1: not YAML"),
        ("a: \x00", "not YAML"),
        ("\t- a: @", "not YAML"),
        ("a: " + "9" * 5000, "a number of 5000 digits"),
        ("[" * 100 + "]" * 100, f"nested deeper than {MAX_DEPTH} levels"),
        ("a: " + "x" * 1_000_001, "larger than 1,000,000"),
        ("[&x a, " + ", ".join(["*x"] * 101) + "]", "more than 100 aliases"),
    ],
)
def test_unsafe_text_is_refused_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(MolfoundError, match=re.escape(problem)):
        read_text(text, "here")


def laughs(levels: int, width: int) -> str:
    lines = ["a0: &a0 [" + ", ".join(["lol"] * width) + "]"]
    lines += [f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * width) + "]" for n in range(1, levels)]
    return "\n".join(lines)


def test_a_billion_laughs_is_refused_at_once() -> None:
    started = time.process_time()
    with pytest.raises(MolfoundError, match="larger than 20,000 values, aliases expanded"):
        read_text(laughs(9, 10), "here")
    assert time.process_time() - started < 5


def test_aliases_cannot_go_round_the_depth_limit() -> None:
    nested = ["a0: &a0 " + "[" * 20 + "]" * 20]
    nested += [f"a{n}: &a{n} " + "[" * 20 + f"*a{n - 1}" + "]" * 20 for n in range(1, 4)]
    with pytest.raises(MolfoundError, match="line 2: nested deeper"):
        read_text("\n".join(nested), "here")


def test_a_few_aliases_are_welcome() -> None:
    assert read_text("{a: &x {b: [1]}, c: *x}", "here") == {"a": {"b": [1]}, "c": {"b": [1]}}


@pytest.mark.parametrize("text", ["a: b", "#3", "x #y", "@x", "-", "a, b", "C:\\x", "${name}/x", "% x"])
def test_an_override_value_is_text_as_it_stands(text: str) -> None:
    assert read_value(text, "here") == text


def test_an_override_value_may_be_a_collection() -> None:
    assert read_value(" {a: [1, no], b: 'x'} ", "here") == {"a": [1, "no"], "b": "x"}
    with pytest.raises(MolfoundError, match="tags are not allowed"):
        read_value("!!python/name:os.system", "here")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the file is empty"),
        (b"# nothing\n", "the file is empty"),
        (b"- a\n", "should be a mapping of keys to values, not a list"),
        (b"word", "should be a mapping of keys to values, not 'word'"),
        (b"a: \xff\n", r"not UTF-8 text \(byte 3\)"),
        (b"a: " + b"x" * 1_000_000, "larger than 1,000,000 bytes"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    with pytest.raises(MolfoundError, match=problem) as caught:
        read_mapping(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(MolfoundError, match=r"no file '.*none\.yaml'"):
        read_mapping(tmp_path / "none.yaml")
    with pytest.raises(MolfoundError, match="cannot be read"):
        read_mapping(tmp_path)


def test_a_byte_order_mark_and_carriage_returns_are_read(tmp_path: Path) -> None:
    path = tmp_path / "windows.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: x\r\n")
    assert read_mapping(path) == {"a": 1, "b": "x"}
