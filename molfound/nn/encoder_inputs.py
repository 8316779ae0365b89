"""What an encoder can read, as it is described to the encoder when it is built."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from molfound.config.component import Component
from molfound.nn.encoding_encoders import EncodingPart


@dataclass(frozen=True)
class FeatureVocabulary:
    """What the codes of a feature stood for when the model was made; one more code stands for every other value."""

    name: str
    values: tuple[int | str, ...]
    version: int

    @property
    def size(self) -> int:
        """The number of codes, "other" included."""
        return len(self.values) + 1


@dataclass(frozen=True)
class EncoderInputs:
    """The features and encodings of the batches that a model reads, and how an input network is to embed them.

    Attributes:
        atoms: atom features, in the order of the columns of ``batch.node_codes``.
        bonds: bond features, in the order of the columns of ``batch.bond_codes``.
        encodings: the parts of each encoding.
        encoders: the encoder of each of the encodings that an input network uses.
        width: width of an input network's node features.
        dropout: share of an input network's hidden units left out in training.
    """

    atoms: Sequence[FeatureVocabulary]
    bonds: Sequence[FeatureVocabulary]
    encodings: Mapping[str, Mapping[str, EncodingPart]]
    encoders: Mapping[str, Component]
    width: int
    dropout: float = 0.0
