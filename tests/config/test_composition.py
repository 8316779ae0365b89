import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from molfound.config import Experiment, json_schema, load_config, shipped_folder, to_yaml
from molfound.config.component import Component
from molfound.config.locations import shipped_names
from molfound.config.merging import merged
from molfound.config.places import OPEN, place_of
from molfound.errors import MolfoundError
from tests.config.conftest import BASE

Write = Callable[[str, str], Path]


def test_a_file_loads_with_its_defaults(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MOLFOUND_DATA", raising=False)
    experiment = load_config(base)
    assert experiment.model.encoder == Component("gnn", {"layer": "gine", "depth": 4})
    assert experiment.training.epochs == 60
    assert experiment.data.root == "data"
    monkeypatch.setenv("MOLFOUND_DATA", "/elsewhere")
    assert load_config(base).data.root == "/elsewhere"
    assert load_config(base, ["data.root=here"]).data.root == "here"
    monkeypatch.setenv("MOLFOUND_DATA", "")
    assert load_config(base).data.root == "data"


def test_later_files_win_and_the_file_itself_last(write: Write, base: Path) -> None:
    write("parts/slow.yaml", "training: {epochs: 100, clip: 2.0, optimizer: {lr: 1e-2}}\nfeatures: {bonds: [stereo]}\n")
    write("parts/fast.yaml", "training: {epochs: 5, optimizer: {lr: 1E-1}}\n")
    child = write("child.yaml", "extends: [base.yaml, parts/slow, parts/fast.yaml]\ntraining: {optimizer: {lr: 0.5}}\n")
    training = load_config(child).training
    assert (training.epochs, training.clip, training.optimizer.lr) == (5, 2.0, 0.5)
    assert load_config(child).features.bonds == ("stereo",)
    grandchild = write("deeper/child.yaml", "extends: ../child.yaml\ntraining: {epochs: 7}\n")
    assert load_config(grandchild).training.epochs == 7


def test_extends_may_name_a_shipped_configuration(write: Write) -> None:
    name = "parts/graph_network"
    child = write("child.yaml", f"extends: {name}\n{BASE}")
    assert (shipped_folder("configs") / f"{name}.yaml").is_file()
    assert load_config(child).model.encoder.options["width"] == 96


def test_extends_that_cannot_be_followed_is_named(write: Write) -> None:
    a = write("a.yaml", "extends: b.yaml\n")
    write("b.yaml", "extends: [c.yaml]\n")
    write("c.yaml", "extends: ./a.yaml\n")
    with pytest.raises(MolfoundError, match=r"in a circle: \S*a\.yaml -> \S*b\.yaml -> \S*c\.yaml -> \S*a\.yaml$"):
        load_config(a)
    with pytest.raises(MolfoundError, match=r"child\.yaml: extends: no file 'none\.yaml'"):
        load_config(write("child.yaml", "extends: none.yaml\n"))
    for wrong in ("3", "{a: b}", "[[a]]", "''"):
        with pytest.raises(MolfoundError, match=r"wrong\.yaml: extends: (should be a file|no file '')"):
            load_config(write("wrong.yaml", f"extends: {wrong}\n"))
    for level in range(8):
        write(f"wide{level}.yaml", f"extends: [wide{level + 1}, wide{level + 1}]\n")
    write("wide8.yaml", "seed: 1\n")
    with pytest.raises(MolfoundError, match="more than 64 files"):
        load_config(write("wide.yaml", "extends: wide0\n"))


@pytest.mark.parametrize(
    ("over", "loss"),
    [
        ("{delta: 2}", Component("huber", {"delta": 2})),
        ("{name: huber, other: 2}", Component("huber", {"delta": 1, "other": 2})),
        ("{name: mae}", Component("mae")),
        ("mae", Component("mae")),
        ("huber", Component("huber")),
        ("null", None),
    ],
)
def test_a_component_whose_name_changes_is_replaced(
    write: Write, base: Path, over: str, loss: Component | None
) -> None:
    child = write("child.yaml", f"extends: base.yaml\ntasks: {{qm9: {{loss: {over}}}}}\n")
    assert load_config(child).tasks["qm9"].loss == loss
    assert load_config(base, [f"tasks.qm9.loss={over}"]).tasks["qm9"].loss == loss


def test_options_join_a_bare_name_and_a_default_component(write: Write, base: Path) -> None:
    overrides = [
        "tasks.tox21.loss=bce",
        "tasks.tox21.loss.weight=2",
        "model.readout.pooling=[mean]",
        "model.encoder.layer=gin",
    ]
    experiment = load_config(base, overrides)
    assert experiment.tasks["tox21"].loss == Component("bce", {"weight": 2})
    assert experiment.model.readout == Component("pool", {"pooling": ["mean"]})
    assert experiment.model.encoder == Component("gnn", {"layer": "gin", "depth": 4})
    child = write("child.yaml", "extends: base.yaml\nmodel: {readout: {pooling: [max]}}\n")
    assert load_config(child).model.readout == Component("pool", {"pooling": ["max"]})


def test_options_join_the_bare_name_of_a_component_within_a_component(write: Write, base: Path) -> None:
    named, hidden = "model.encoder.layer=gin", "model.encoder.layer.hidden=192"
    layers = [load_config(base, over).model.encoder.options["layer"] for over in ([named, hidden], [hidden, named])]
    assert layers == [{"name": "gin", "hidden": 192}, "gin"]
    child = write("child.yaml", "extends: base.yaml\nmodel: {encoder: {layer: gin}}\n")
    grandchild = write("grandchild.yaml", f"extends: {child}\nmodel: {{encoder: {{layer: {{hidden: 192}}}}}}\n")
    assert load_config(grandchild).model.encoder.options["layer"] == {"name": "gin", "hidden": 192}
    assert load_config(child, [f"{named}e", "model.encoder.layer={name: gin}"]).model.encoder.options["layer"] == {
        "name": "gin"
    }


def test_a_split_whose_kind_changes_is_replaced(base: Path) -> None:
    random = "data.datasets.qm9.split={kind: random, seed: 3}"
    assert load_config(base, [random, "data.datasets.qm9.split={seed: 4}"]).data.datasets["qm9"].split.seed == 4
    scaffold = load_config(base, [random, "data.datasets.qm9.split={kind: scaffold}"]).data.datasets["qm9"].split
    assert scaffold is not None
    assert scaffold.seed == 42
    assert load_config(base, [random, "data.datasets.qm9.split=published"]).data.datasets["qm9"].split == "published"


def test_null_takes_an_entry_out(write: Write) -> None:
    child = write(
        "child.yaml",
        "extends: base.yaml\ndata: {datasets: {tox21: null}}\ntasks: {tox21: null}\n"
        "encodings: {random_walk: {steps: 4}}\n",
    )
    write("base.yaml", BASE)
    experiment = load_config(child)
    assert list(experiment.tasks) == list(experiment.data.datasets) == ["qm9"]
    assert list(experiment.encodings) == list(experiment.model.inputs.encodings) == ["random_walk"]
    without = load_config(write("base.yaml", BASE), ["encodings.laplacian=null", "encodings.random_walk.steps=3"])
    assert without.encodings == {"random_walk": {"steps": 3}}
    assert list(without.model.inputs.encodings) == ["random_walk"]


def test_overrides_are_laid_over_what_is_in_force(base: Path) -> None:
    experiment = load_config(
        base,
        [
            "data.datasets.qm9.share=0.5",
            "encodings.laplacian.pairs=4",
            "training.early_stopping={patience: 3}",
            "training.early_stopping.mode=max",
            "training.precision=32",
            "features.atoms=[degree]",
            "data.datasets.new={manifest: mine.yaml}",
            "run.folder=out/${name}-${training.epochs}",
            "seed=1",
            "seed=2",
        ],
    )
    assert experiment.data.datasets["qm9"].share == 0.5
    assert experiment.encodings == {"laplacian": {"pairs": 4}, "random_walk": {"steps": 16}}
    assert experiment.training.early_stopping is not None
    assert (experiment.training.early_stopping.patience, experiment.training.early_stopping.mode) == (3, "max")
    assert experiment.training.precision == "32"
    assert experiment.features.atoms == ("degree",)
    assert experiment.data.datasets["new"].share == 1.0
    assert str(experiment.run_folder) == "out/small-60"
    assert experiment.seed == 2


def test_plugins_are_found_from_the_file_that_names_them(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("parts/heads.yaml", f"plugins: [heads.py, ../more.py]\n{BASE}")
    child = write("runs/child.yaml", "extends: ../parts/heads\n")
    assert load_config(child).plugins == (str(tmp_path / "parts/heads.py"), str(tmp_path / "more.py"))
    monkeypatch.chdir(tmp_path)
    assert load_config(child, ["plugins=[here.py]"]).plugins == (str(tmp_path / "here.py"),)


def test_manifests_are_found_from_the_file_that_names_them(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("parts/base.yaml", BASE)
    child = write("child.yaml", "extends: parts/base\ndata: {datasets: {own: {manifest: own.yaml}}}\n")
    monkeypatch.chdir(tmp_path / "parts")
    datasets = load_config(child, ["data.datasets.other={manifest: ../sets/other.yml}"]).data.datasets
    assert datasets["own"].manifest == str(tmp_path / "own.yaml")
    assert datasets["other"].manifest == str(tmp_path / "sets/other.yml")
    assert datasets["qm9"].manifest == "toymix/qm9"


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("training.epoch=3", "unknown key 'training.epoch'; did you mean 'training.epochs'?"),
        ("lr=1e-3", "unknown key 'lr'; did you mean 'training.optimizer.lr'?"),
        ("tasks.qm8.weight=2", "unknown key 'tasks.qm8'; did you mean 'tasks.qm9'?"),
        ("data.datasets.qm9.shore=1", "did you mean 'data.datasets.qm9.share'?"),
        ("training.epochs.x=3", "'training.epochs' is one value with no keys in it"),
        ("training.epochs", "should be key=value"),
        ("=3", "should be key=value"),
        ("a..b=3", "should be key=value"),
        ("training.epochs=[1", "not YAML"),
        ("training.epochs=0", "training.epochs: should be greater than 0, not 0"),
        ("training.epochs=1e3", "training.epochs: should be a whole number, not 1000.0"),
        ("training.epochs='3'", "training.epochs: should be a whole number, not '3'"),
        ("training.epochs=true", "training.epochs: should be a whole number, not true"),
        ("training.clip=-1", "training.clip: should be greater than 0, not -1"),
        ("training.clip=", "training.clip: should be a number, not ''"),
        ("training.compile=yes", "training.compile: should be true or false, not 'yes'"),
        ("training.precision=fp17", "training.precision: should be '32' or 'bf16', not 'fp17'"),
        ("training.average=1", "training.average: should be less than 1, not 1"),
        ("training.optimizer.lr=.inf", "training.optimizer.lr: should be a finite number"),
        ("training.optimizer.betas=[0.9]", "training.optimizer.betas.1: is missing"),
        ("training=null", "training: should be a mapping of keys to values, not null"),
        ("data=3", "data: should be a mapping of keys to values, not 3"),
        ("data.datasets.qm9.share=0", "data.datasets.qm9.share: should be greater than 0, not 0"),
        ("data.datasets.qm9.split=3", "data.datasets.qm9.split: should be the name of a split of the manifest"),
        ("data.datasets.qm9.split={kind: randon}", "data.datasets.qm9.split: should be the name of a split"),
        (
            "data.datasets.qm9.split={kind: random, fraction: [1, 0, 0]}",
            "did you mean 'data.datasets.qm9.split.fractions'?",
        ),
        (
            "data.datasets.qm9.split={kind: random, fractions: [1, 1, 0]}",
            "split.fractions: the fractions sum to 2, above 1",
        ),
        ("data.datasets={a b: {manifest: x}}", "data.datasets.a b: should be a name of letters"),
        ("data.datasets={x: {}}", "data.datasets.x.manifest: is missing"),
        ("tasks.qm9.dataset=qm8", "tasks.qm9.dataset: no dataset 'qm8' under data.datasets; did you mean 'qm9'?"),
        ("tasks.qm9.metrics=mae", "tasks.qm9.metrics: should be a list, not 'mae'"),
        ("tasks.qm9.metrics=[{nam: mae}]", "tasks.qm9.metrics.0: needs a name: {name: NAME, option: value}"),
        ("tasks={qm9: null, tox21: null}", "tasks: there is nothing to learn: name tasks, or objectives"),
        ("model.inputs.encodings.lap=mlp", "model.inputs.encodings.lap: no encoding 'lap' under encodings"),
        ("name=a/b", "name: should be a name of letters"),
        ("name=12", "name: should be text, not 12"),
        ("run.folder=${oc.env:MOLFOUND_NO_SUCH}", "run.folder: the environment variable"),
    ],
)
def test_a_wrong_override_is_one_clear_line(base: Path, override: str, problem: str) -> None:
    with pytest.raises(MolfoundError) as caught:
        load_config(base, [override])
    message = str(caught.value)
    assert message.startswith(f"override '{override}'")
    assert problem in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (BASE + "trainig: {epochs: 3}\n", "unknown key 'trainig'; did you mean 'training'?"),
        (BASE + "training: {lr: 3}\n", "unknown key 'training.lr'; did you mean 'training.optimizer.lr'?"),
        (BASE + "training: {clip: -1, epochs: 0}\n", "training.epochs: should be greater than 0, not 0 (and 1 more)"),
        ("seed: 3\n", "name: is missing (and 2 more)"),
        ("nmae: x\n", "unknown key 'nmae'; did you mean 'name'? (and 3 more)"),
    ],
)
def test_a_wrong_key_names_its_file(write: Write, text: str, problem: str) -> None:
    child = write("child.yaml", text)
    with pytest.raises(MolfoundError) as caught:
        load_config(child)
    assert str(caught.value) == f"{child}: {problem}"


def test_a_problem_names_the_file_it_came_from(write: Write, base: Path) -> None:
    part = write("part.yaml", "training: {clip: -1}\n")
    with pytest.raises(MolfoundError) as caught:
        load_config(write("child.yaml", "extends: [base.yaml, part.yaml]\nseed: 3\n"), ["training.epochs=3"])
    assert str(caught.value) == f"{part}: training.clip: should be greater than 0, not -1"


OPTIONS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text().filter(lambda text: "${" not in text),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1), inner, max_size=3),
    max_leaves=5,
)


@settings(deadline=None, max_examples=40)
@given(options=st.dictionaries(st.text(min_size=1).filter(lambda key: key != "name"), OPTIONS, max_size=3))
def test_the_yaml_of_an_experiment_loads_back_equal(
    tmp_path_factory: pytest.TempPathFactory, options: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("round", numbered=True)
    (folder / "base.yaml").write_text(BASE)
    experiment = load_config(folder / "base.yaml", ["plugins=[x.py]", "training.precision=bf16", "run.folder='12'"])
    model = experiment.model.model_copy(update={"encoder": Component("gnn", options)})
    experiment = experiment.model_copy(update={"model": model})
    (folder / "written.yaml").write_text(to_yaml(experiment), encoding="utf-8", newline="")
    assert load_config(folder / "written.yaml") == experiment


@settings(deadline=None)
@given(base=OPTIONS, over=OPTIONS)
def test_merging_keeps_what_is_laid_over(base: Any, over: Any) -> None:
    assert merged(over, over, OPEN) == over
    both = merged(base, over, OPEN)
    if isinstance(over, dict):
        assert {key: both[key] for key in over if not isinstance(over[key], dict)}.items() <= both.items()
        assert set(both) >= set(over)
    else:
        assert both == over


def test_merging_changes_neither_side() -> None:
    root = place_of(Experiment)
    base: dict[str, Any] = {"model": {"encoder": {"name": "gnn", "depth": 4}}}
    over: dict[str, Any] = {"model": {"encoder": {"depth": 5}}}
    assert merged(base, over, root) == {"model": {"encoder": {"name": "gnn", "depth": 5}}}
    assert (base["model"]["encoder"], over["model"]["encoder"]) == ({"name": "gnn", "depth": 4}, {"depth": 5})


def test_every_shipped_experiment_loads_and_is_short() -> None:
    names = [name for name in shipped_names("configs") if not name.startswith(("parts/", "suites/", "sweeps/"))]
    assert names
    for name in names:
        assert to_yaml(load_config(name)).startswith("name: ")
        assert len((shipped_folder("configs") / f"{name}.yaml").read_text().splitlines()) < 60


def test_the_json_schema_describes_every_key() -> None:
    schema = json_schema()
    assert schema["additionalProperties"] is False
    for definition in (schema, *schema["$defs"].values()):
        for key, entry in definition.get("properties", {}).items():
            assert entry.get("description") or "$ref" in entry, key


def test_the_working_directory_does_not_matter_to_a_path(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_config("base") == load_config(base) == load_config(os.path.relpath(base, Path.cwd()))
