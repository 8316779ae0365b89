"""A store of real molecules whose shards are cut short or have a bit turned over: every damage is named or harmless."""

import argparse
import os
import random
import tempfile
from pathlib import Path

import numpy as np
from measuring import report

from molfound.config.schema import DataConfig, FeaturesConfig
from molfound.data.arrays import GraphArrays
from molfound.data.manifest import load_manifest
from molfound.data.prepare import prepare_dataset
from molfound.data.shards import DamagedFileError
from molfound.data.store import GraphStore

ENCODINGS = {"laplacian": {"pairs": 8}, "random_walk": {"steps": 16}}


def main() -> None:
    """Damage one shard after the other, read the store, and mend it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("MOLFOUND_DATA"), help="folder of the real data")
    parser.add_argument("--times", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    counts = {"named": 0, "harmless": 0, "unseen": 0}
    with tempfile.TemporaryDirectory() as folder:
        manifest = load_manifest("toymix/tox21")
        config = DataConfig.model_validate({"datasets": {"tox21": {"manifest": "toymix/tox21"}}, "block_rows": 1024})
        prepared = prepare_dataset(
            manifest, manifest.tasks, FeaturesConfig(), ENCODINGS, config, root=options.data, store=Path(folder)
        )
        store = GraphStore.open(prepared.folder, prepared.families)
        sound = [store.part([block]).load() for block in range(store.blocks)]
        for _ in range(options.times):
            name = chance.choice(sorted(store.families))
            block = chance.randrange(store.blocks)
            path = prepared.folder / store.families[name].shards[block].file.name
            content = path.read_bytes()
            path.write_bytes(damaged(content, chance))
            counts[outcome(prepared.folder, block, path.name, sound[block])] += 1
            path.write_bytes(content)
    report(1 - counts["unseen"] / options.times, 1.0, met=counts["unseen"] == 0, times=options.times, **counts)
    raise SystemExit(counts["unseen"] > 0)


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Return a file's bytes cut short, or with one bit turned over."""
    place = chance.randrange(len(content))
    if chance.random() < 0.5:
        return content[:place]
    return content[:place] + bytes([content[place] ^ (1 << chance.randrange(8))]) + content[place + 1 :]


def outcome(folder: Path, block: int, name: str, sound: GraphArrays) -> str:
    """Return whether reading a block of the store names the damaged file, or yields what it did before."""
    try:
        found = GraphStore.open(folder).part([block]).load()
    except DamagedFileError as error:
        return "named" if name in str(error) else "unseen"
    return "harmless" if same(found, sound) else "unseen"


def same(found: GraphArrays, sound: GraphArrays) -> bool:
    """Return whether two blocks are equal to the bit."""
    pairs = [(vars(found.graphs)[key], value) for key, value in vars(sound.graphs).items()]
    pairs += [(found.encodings[key], value) for key, value in sound.encodings.items()]
    pairs += [(found.labels[task].values, labels.values) for task, labels in sound.labels.items()]
    pairs += [(found.labels[task].index, labels.index) for task, labels in sound.labels.items()]
    equal = all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in pairs)
    return equal and found.smiles.equals(sound.smiles) and np.array_equal(found.rows, sound.rows)


if __name__ == "__main__":
    main()
