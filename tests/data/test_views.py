import numpy as np

from molfound.data.views import STILL, EpochView, StillView

ROWS = np.arange(30_000)
COUNTS = np.full(len(ROWS), 3)
CHI_SQUARE = 26.1  # of 8 degrees of freedom at p = 0.001


def test_conformers_are_chosen_evenly_and_independently() -> None:
    first, second = (EpochView(5, epoch).conformers(ROWS, COUNTS) for epoch in (0, 1))
    assert_independent(first, second)
    assert EpochView(2**63 - 1, 10**6).conformers(ROWS, np.zeros_like(COUNTS)).max() == 0


def test_conformers_and_centres_are_independent() -> None:
    view = EpochView(5, 0, 0.5)
    assert_independent(view.conformers(ROWS, COUNTS), view.centres(ROWS, COUNTS))


def test_so_many_are_drawn_as_were_asked_for() -> None:
    drawn = EpochView(5, 0, 0.3).drawn(ROWS)
    deviation = np.sqrt(0.3 * 0.7 / len(ROWS))
    assert abs(drawn.mean() - 0.3) < 3.3 * deviation
    assert not np.array_equal(drawn, EpochView(5, 1, 0.3).drawn(ROWS))
    assert not EpochView(5, 0).drawn(ROWS).any()
    assert EpochView(5, 0, 1.0).drawn(ROWS).all()


def test_what_a_molecule_shows_does_not_depend_on_its_batch() -> None:
    view = EpochView(5, 2, 0.5)
    some = ROWS[7:300:3]
    assert np.array_equal(view.conformers(some, COUNTS[some]), view.conformers(ROWS, COUNTS)[some])
    assert np.array_equal(view.drawn(some), view.drawn(ROWS)[some])
    assert np.array_equal(view.centres(some, COUNTS[some]), view.centres(ROWS, COUNTS)[some])


def test_evaluation_sees_the_same_each_time() -> None:
    counts = np.array([0, 1, 2, 5])
    assert STILL.conformers(np.arange(4), counts).tolist() == [0, 0, 0, 0]
    assert StillView(3).conformers(np.arange(4), counts).tolist() == [0, 0, 1, 3]
    assert not STILL.drawn(ROWS).any()
    assert STILL.centres(ROWS, COUNTS) is None


def assert_independent(first: np.ndarray, second: np.ndarray) -> None:
    """Nine equally likely cells."""
    expected = len(ROWS) / 9
    cells = np.bincount(3 * first + second, minlength=9)
    assert ((cells - expected) ** 2 / expected).sum() < CHI_SQUARE
