"""The models that come with molfound: complete, small, of no machine, and as good as their cards say."""

import json
import re

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import Crippen

import molfound as mf
from molfound.runs import packaged_models

MODELS = packaged_models()
# From the training part of none: drugs and their like, with charges, halogens, rings of several kinds.
DRUG_LIKE = [
    "CC(C)Cc1ccc(cc1)C(C)C(=O)OC",
    "COc1ccc2cc(ccc2c1)C(C)C(=O)NC",
    "Clc1ccccc1C2=NCC(=O)Nc3ccccc23",
    "CN(C)CCCN1c2ccccc2CCc2ccccc21",
    "O=C(Nc1ccc(F)cc1)c1cccnc1",
    "CCOC(=O)c1ccc(N)cc1",
]


@pytest.mark.parametrize("name", MODELS)
def test_files_are_few_small_and_of_no_machine(name: str) -> None:
    files = [path for path in MODELS[name].rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 4 << 20
    for path in files:
        if path.suffix != ".safetensors":
            assert not re.search(r"/(home|root|tmp|work|Users)\b|[A-Z]:\\", path.read_text()), path.name
    assert (MODELS[name] / "README.md").read_text().startswith("---\nlicense:")


def test_toymix_gine_predicts_logp_of_drug_like_molecules() -> None:
    model = mf.load("toymix-gine")
    predicted = model.predict(DRUG_LIKE, interval=0.99, calibrated=True)
    computed = np.array([Crippen.MolLogP(Chem.MolFromSmiles(smiles)) for smiles in DRUG_LIKE])
    assert np.abs(predicted["zinc12k.logp"] - computed).mean() < 0.25
    assert predicted.filter(like="tox21.").apply(lambda column: column.between(0, 1)).all(axis=None)
    assert model.embed(DRUG_LIKE).filter(regex=r"^e\d+$").notna().all(axis=None)


def test_toymix_gine_is_what_its_scores_say() -> None:
    scores = json.loads((MODELS["toymix-gine"] / "scores.json").read_text())["test"]
    card = (MODELS["toymix-gine"] / "README.md").read_text()
    for task, metric in (("qm9", "mae"), ("tox21", "auroc"), ("zinc12k", "mae")):
        assert f"| {task} | {metric} | {scores[task][metric]['mean']:.4g} |" in card
    assert scores["tox21"]["auroc"]["mean"] > 0.84
    assert scores["zinc12k"]["mae"]["mean"] < 0.06
