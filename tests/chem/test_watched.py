import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rdkit import Chem

from molfound.chem.watched import Hang, watched
from molfound.errors import MolfoundError


def answer(command: str) -> str:
    match command:
        case "hang":
            time.sleep(600)
        case "die":
            os._exit(3)
        case "raise":
            raise KeyError(command)
        case "complain":
            assert Chem.MolFromSmiles("C(") is None
    return command.upper()


def test_one_that_hangs_is_left_out_and_the_others_go_on():
    found = list(watched(answer, ["a", "hang", "b", "hang"], 1.0))
    assert [output if isinstance(output, str) else type(output) for output in found] == ["A", Hang, "B", Hang]


def test_nothing_starts_no_process():
    assert list(watched(answer, [], 1.0)) == []


def test_an_exception_is_raised_here():
    outputs = watched(answer, ["a", "raise"], 60.0)
    assert next(outputs) == "A"
    with pytest.raises(KeyError, match="raise"):
        next(outputs)


def test_a_process_that_dies_names_the_input():
    with pytest.raises(MolfoundError, match="works on 'die' died"):
        list(watched(answer, ["a", "die", "b"], 60.0))


def test_rdkit_is_silent(capfd):
    assert list(watched(answer, ["complain"], 60.0)) == ["COMPLAIN"]
    assert "SMILES" not in capfd.readouterr().err


def test_a_plain_script_is_not_run_a_second_time(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from molfound.chem.conformers import ConformerOptions, conformers_of_smiles\n"
        "print(len(conformers_of_smiles(['CO'], ConformerOptions(), hang_seconds=60.0).coordinates))\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("2\n", 0), done.stderr
