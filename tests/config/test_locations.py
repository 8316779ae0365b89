from pathlib import Path

import pytest

from molfound.config import locations
from molfound.config.locations import data_folder, find_config, find_shipped, shipped_folder
from molfound.errors import MolfoundError


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place laid out as a checkout, with a working directory of its own."""
    package = tmp_path / "checkout" / "molfound"
    for name in ("configs/toymix/gine.yaml", "configs/toymix/gin.yaml", "configs/quickstart.yml"):
        path = package.parent / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("name: x\n")
    package.mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(locations, "_PACKAGE", package)
    return package


def test_folders_lie_beside_the_package_in_a_checkout_and_inside_it_in_a_wheel(package: Path) -> None:
    assert shipped_folder("configs") == package.parent / "configs"
    (package / "_shipped" / "configs").mkdir(parents=True)
    assert shipped_folder("configs") == package / "_shipped" / "configs"


@pytest.mark.parametrize("name", ["toymix/gine", "toymix/gine.yaml", "quickstart"])
def test_a_name_is_found_under_configs(package: Path, name: str) -> None:
    assert find_config(name).relative_to(package.parent / "configs").with_suffix("").as_posix() in name


def test_a_path_goes_before_a_name(package: Path) -> None:
    Path("quickstart.yaml").write_text("name: mine\n")
    Path("toymix").mkdir()
    assert find_config("quickstart") == Path("quickstart.yaml")
    assert find_config(str(Path("quickstart.yaml").resolve())).is_absolute()
    assert find_config("toymix/gin").is_relative_to(package.parent)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("toymix/ginee", "did you mean 'toymix/gine'"),
        ("toymix/ginee.yaml", "did you mean 'toymix/gine'"),
        ("toymix", "'toymix' is a folder.*toymix/gin, toymix/gine"),
        ("zzz", "known: quickstart, toymix/gin, toymix/gine"),
        ("", "no file ''"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(package: Path, name: str, problem: str) -> None:
    with pytest.raises(MolfoundError, match=problem):
        find_config(name)


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize("name", ["x" * 300, f"toymix/{'x' * 5000}", "x/" * 3000])
def test_a_name_too_long_for_a_file_is_one_short_line(name: str) -> None:
    with pytest.raises(MolfoundError, match=r"no file '(x|toymix/).*…': File name too long") as caught:
        find_config(name)
    assert len(str(caught.value)) < 150


def test_a_name_alone_is_of_a_shipped_file(package: Path) -> None:
    Path("quickstart.yaml").write_text("name: mine\n")
    Path("mine.yaml").write_text("name: mine\n")
    assert find_shipped("quickstart", "configs", None).is_relative_to(package.parent)
    with pytest.raises(MolfoundError, match="nothing of that name under configs/; known: quickstart"):
        find_shipped("mine", "configs", None)


def test_the_data_folder_is_the_variable_s_unless_that_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, folder in (("/mine", "/mine"), ("", "data"), (None, "data")):
        monkeypatch.delenv("MOLFOUND_DATA", raising=False)
        if value is not None:
            monkeypatch.setenv("MOLFOUND_DATA", value)
        assert data_folder() == folder
    monkeypatch.setenv("MOLFOUND_DATA", "a/${name}")
    with pytest.raises(MolfoundError, match=r"variable 'MOLFOUND_DATA' holds an interpolation: 'a/\$\{name\}'"):
        data_folder()
