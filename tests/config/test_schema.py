from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from molfound.config.component import Component
from molfound.config.places import Place, place_of, with_defaults
from molfound.config.schema import Experiment, Section, SplitSpec

SMALLEST: dict[str, Any] = {
    "name": "small",
    "data": {"datasets": {"qm9": {"manifest": "toymix/qm9"}}},
    "model": {"encoder": "gnn"},
    "tasks": {"qm9": {"dataset": "qm9"}},
}


def sections(model: type[Section] = Experiment) -> Iterator[type[Section]]:
    yield model
    for place in place_of(model).children().values():
        for child in (place, place.entry):
            for section in (child.section, *child.choices) if child else ():
                if section is not None:
                    assert issubclass(section, Section)
                    yield from sections(section)


@pytest.mark.parametrize("model", sorted(set(sections()), key=lambda model: model.__name__))
def test_every_section_is_frozen_closed_and_described(model: type[Section]) -> None:
    assert model.model_config["frozen"]
    assert model.model_config["extra"] == "forbid"
    assert [name for name, field in model.model_fields.items() if not field.description] == []


def test_only_what_has_no_good_default_is_required() -> None:
    required: list[str] = []

    def visit(place: Place, above: str) -> None:
        assert place.section is not None
        for key, field in place.section.model_fields.items():
            child = place.child(key)
            if field.is_required():
                required.append(above + key)
            if child is not None and child.section is not None:
                visit(child, f"{above}{key}.")

    visit(place_of(Experiment), "")
    assert required == ["name", "data", "data.datasets", "model", "model.encoder", "training.pretrained.run"]


def test_defaults_written_out_change_nothing() -> None:
    full = with_defaults(SMALLEST, place_of(Experiment))
    assert full["training"]["optimizer"]["betas"] == [0.9, 0.999]
    assert full["tasks"]["qm9"]["head"] == {"name": "mlp", "hidden": [128]}
    assert Experiment.model_validate(full) == Experiment.model_validate(SMALLEST)


def test_encoding_encoders_follow_the_encodings() -> None:
    both = Experiment.model_validate(SMALLEST).model.inputs.encodings
    assert {name: encoder.name for name, encoder in both.items()} == {"laplacian": "deepset", "random_walk": "mlp"}
    one = Experiment.model_validate({**SMALLEST, "encodings": {"random_walk": {"steps": 4}, "mine": {}}})
    assert list(one.model.inputs.encodings) == ["random_walk"]
    out = Experiment.model_validate(
        {
            **SMALLEST,
            "encodings": {"random_walk": {"steps": 4}, "laplacian": None},
            "model": {"encoder": "gnn", "inputs": {"encodings": {"random_walk": "mlp", "laplacian": "deepset"}}},
        }
    )
    assert list(out.encodings) == list(out.model.inputs.encodings) == ["random_walk"]


def test_a_component_is_a_name_or_a_mapping_and_is_written_as_a_mapping() -> None:
    adapter = TypeAdapter(Component)
    assert adapter.validate_python("gnn") == Component("gnn")
    assert adapter.validate_python({"name": "gnn", "depth": 2}) == Component("gnn", {"depth": 2})
    assert adapter.dump_python(Component("gnn", {"depth": 2})) == {"name": "gnn", "depth": 2}
    for wrong in ("", 3, None, [], {"depth": 2}, {"name": 3}, {"name": "x", 3: 4}):
        with pytest.raises(ValidationError):
            adapter.validate_python(wrong)


@pytest.mark.parametrize(
    "split",
    [
        {"kind": "file", "file": "splits.pt"},
        {"kind": "random", "fractions": [0.8, 0.1, 0.1], "seed": 1},
        {"kind": "random", "fractions": [0.5, 0, 0]},
        {"kind": "scaffold"},
        {"kind": "column", "column": "split"},
    ],
)
def test_split_specs_of_every_kind(split: dict[str, Any]) -> None:
    spec = TypeAdapter(SplitSpec).validate_python(split)
    assert spec.kind == split["kind"]
    assert split.items() <= spec.model_dump(mode="json", exclude_none=True).items()


@pytest.mark.parametrize(
    "fractions",
    [
        [0.8, 0.2],
        [0.8, 0.2, 0.1],
        [0.0, 0.5, 0.5],
        [1.5, -0.5, 0.0],
        ["a", 0, 0],
        [True, 0, 0],
        0.8,
        [float("nan"), 0, 0],
    ],
)
def test_fractions_that_are_none_are_refused(fractions: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(SplitSpec).validate_python({"kind": "random", "fractions": fractions})


def test_the_run_folder_is_named_after_the_experiment() -> None:
    assert str(Experiment.model_validate(SMALLEST).run_folder) == "runs/small"
    assert str(Experiment.model_validate({**SMALLEST, "run": {"folder": "out"}}).run_folder) == "out"
