import time
from typing import Any

import pytest

from molfound.config.interpolation import interpolated
from molfound.errors import MolfoundError


def resolve(data: dict[str, Any]) -> dict[str, Any]:
    return interpolated(data, lambda path: ".".join(map(str, path)))


def test_keys_and_variables_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERE", "/data")
    monkeypatch.delenv("NOWHERE", raising=False)
    resolved = resolve(
        {
            "name": "x",
            "seed": 3,
            "part": {"a": [1, 2]},
            "whole": "${part}",
            "number": "${seed}",
            "text": "runs/${name}-${seed}",
            "chain": "${text}!",
            "set": "${oc.env:HERE}/x",
            "unset": "${oc.env:NOWHERE,some/where-else}",
            "list": ["${name}", {"k": "${part.a}"}],
        }
    )
    assert resolved == {
        "name": "x",
        "seed": 3,
        "part": {"a": [1, 2]},
        "whole": {"a": [1, 2]},
        "number": 3,
        "text": "runs/x-3",
        "chain": "runs/x-3!",
        "set": "/data/x",
        "unset": "some/where-else",
        "list": ["x", {"k": [1, 2]}],
    }


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (
            {"a": {"b": "${nmae}"}, "name": "x"},
            r"a\.b: '\$\{nmae\}' names no key that is set; did you mean '\$\{name\}'",
        ),
        ({"a": "${oc.env:MOLFOUND_NO_SUCH}"}, "a: the environment variable 'MOLFOUND_NO_SUCH' is not set"),
        ({"a": "${oc.decode:3}"}, "a: '.*' is not allowed; only"),
        ({"a": "${oc.create:{}}"}, "a: "),
        ({"a": "${oc.env:HOME,}"}, "a: '.*' is not allowed; only"),
        ({"a": "${oc.env:'X Y'}"}, "a: '.*' is not allowed; only"),
        ({"a": "${a}"}, "a: .*comes back to itself"),
        ({"a": "${b}", "b": {"c": "${a}"}}, "comes back to itself"),
        ({"a": "${${b}}", "b": "c"}, "a: .*none in another"),
        ({"a": "${b", "b": "c"}, "a: .*each closed"),
        ({"a": "${.b}", "b": "c"}, "a: .*a key is written whole"),
        ({"a": "${}"}, "a: .*names no key"),
        ({"a": "${b.c}", "b": "text"}, "a: .*names no key that is set"),
    ],
)
def test_what_cannot_be_replaced_is_named(data: dict[str, Any], problem: str) -> None:
    with pytest.raises(MolfoundError, match=problem):
        resolve(data)


def test_a_variable_cannot_bring_an_interpolation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLY", "${oc.env:HOME}")
    with pytest.raises(MolfoundError, match="'SLY' holds an interpolation"):
        resolve({"a": "${oc.env:SLY}"})


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("form", ["text", "mapping"])
def test_doubling_chains_are_refused_at_once(form: str, reverse: bool) -> None:
    def double(below: str) -> Any:
        reference = "${" + below + "}"
        return reference * 4 if form == "text" else {"one": reference, "two": reference, "three": reference}

    keys = {"a0": "x" * 50, **{f"a{n}": double(f"a{n - 1}") for n in range(1, 19)}}
    started = time.process_time()
    with pytest.raises(MolfoundError, match="expands to more than"):
        resolve(dict(reversed(keys.items())) if reverse else keys)
    assert time.process_time() - started < 5


@pytest.mark.parametrize("reverse", [False, True])
def test_long_chains_are_refused(reverse: bool) -> None:
    keys = {"a0": "x", **{f"a{n}": "${" + f"a{n - 1}" + "}" for n in range(1, 3000)}}
    with pytest.raises(MolfoundError, match="a chain of more than 20"):
        resolve(dict(reversed(keys.items())) if reverse else keys)


def test_many_references_to_one_large_text_are_refused() -> None:
    with pytest.raises(MolfoundError, match="expands to more than"):
        resolve({"large": "x" * 500_000, "many": ["${large}"] * 10})
