import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem

from molfound.chem.vocabulary import Vocabulary

numbers = st.integers(-300, 300)


@given(st.lists(numbers, min_size=1, max_size=60, unique=True), st.lists(numbers | st.integers(-(2**62), 2**62)))
def test_code_is_the_position_in_the_vocabulary_or_the_last(values, given_values):
    vocabulary = Vocabulary("example", tuple(values))
    codes = vocabulary.encode(np.array(given_values, dtype=np.int64))
    assert codes.dtype == np.uint8
    assert codes.tolist() == [values.index(v) if v in values else len(values) for v in given_values]
    assert vocabulary.size == vocabulary.other + 1 == len(values) + 1


def test_enumeration_is_written_down_by_names():
    vocabulary = Vocabulary.of_enumeration("bond_type", Chem.BondType, ["SINGLE", "AROMATIC"], version=3)
    assert vocabulary.as_dict() == {"name": "bond_type", "values": ["SINGLE", "AROMATIC"], "version": 3}
    types = [Chem.BondType.AROMATIC, Chem.BondType.SINGLE, Chem.BondType.DATIVE]
    assert vocabulary.encode(np.array(types, dtype=int)).tolist() == [1, 0, 2]


def test_booleans_encode_and_floats_do_not():
    vocabulary = Vocabulary("flag", (0, 1))
    assert vocabulary.encode(np.array([True, False])).tolist() == [1, 0]
    with pytest.raises(TypeError, match="'flag' encodes integers"):
        vocabulary.encode(np.array([1.0]))


@pytest.mark.parametrize("values", [(), (1, 1), tuple(range(256))])
def test_impossible_vocabularies_are_refused(values):
    with pytest.raises(ValueError, match="'example'"):
        Vocabulary("example", values)
