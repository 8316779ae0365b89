import os
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec

import click
import pytest
from click.testing import CliRunner

from molfound import __version__
from molfound.cli import command, main
from molfound.errors import MolfoundError

VERBS = list(command.verbs)


def run(*arguments: str) -> int:
    """Return the exit status of the command line."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert isinstance(caught.value.code, int)
    return caught.value.code


def failing(error: BaseException) -> click.Command:
    def fail() -> None:
        raise error

    return click.Command("fail", callback=fail)


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> object:
    """A verb that fails as it is told to."""

    def install(error: BaseException) -> None:
        monkeypatch.setattr(command, "get_command", lambda context, name: failing(error))

    return install


@pytest.mark.parametrize(
    ("load", "given", "policy"), [(0.4, None, None), (0.6, None, "PASSIVE"), (0.6, "ACTIVE", "ACTIVE")]
)
def test_waiting_threads_sleep_on_a_busy_machine_unless_told_otherwise(
    load: float, given: str | None, policy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.setenv("OMP_WAIT_POLICY", given or "")  # so that what is set below is taken back
    if given is None:
        monkeypatch.delenv("OMP_WAIT_POLICY")
    assert run("--version") == 0
    assert os.environ.get("OMP_WAIT_POLICY") == policy


def test_help_lists_every_verb_and_loads_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from molfound.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'rdkit', 'numpy', 'pydantic', 'lightning', 'yaml', 'pyarrow'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    for verb in VERBS:
        assert f"\n  {verb} " in done.stdout


def test_the_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "molfound", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"molfound {__version__}\n"
    done = subprocess.run(
        [sys.executable, "-m", "molfound", "config", "show", "nowhere"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: no file 'nowhere'")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_a_command_of_its_own_module(verb: str) -> None:
    module, line = command.verbs[verb]
    assert find_spec(module) is not None
    assert import_module(module).command.name == verb
    assert line.endswith(".")
    assert CliRunner().invoke(command, [verb, "--help"]).exit_code == 0


def test_a_users_mistake_is_one_line_and_status_2(broken: object, capsys: pytest.CaptureFixture[str]) -> None:
    broken(MolfoundError("no such thing"))
    assert run("anything") == 2
    assert capsys.readouterr() == ("", "error: no such thing\n")


def test_an_interrupt_is_one_line_and_status_130(broken: object, capsys: pytest.CaptureFixture[str]) -> None:
    broken(KeyboardInterrupt())
    assert run("anything") == 130
    assert capsys.readouterr().err.strip() == "interrupted"


@pytest.mark.parametrize("error", [ValueError("ours"), EOFError("ours"), RuntimeError("ours")])
def test_a_defect_keeps_its_traceback(broken: object, error: Exception) -> None:
    broken(error)
    with pytest.raises(type(error), match="ours"):
        main(["anything"])


def test_an_exit_status_is_passed_on(broken: object) -> None:
    broken(SystemExit(130))
    assert run("anything") == 130


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["trian"], "no command 'trian'; did you mean 'train'?"),
        (["config", "show"], "Missing argument 'CONFIG'"),
        (["config", "show", "--nojson", "x"], "No such option"),
        (["data", "describe", "a", "b"], "unexpected extra argument"),
    ],
)
def test_a_usage_error_is_one_line_and_status_2(
    arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert problem in err
    assert err.count("\n") == 1


def test_no_verb_shows_the_help_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 2
    assert "Commands:" in capsys.readouterr().err
