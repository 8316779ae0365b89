"""A table larger than the memory it may take: a look-alike of PCBA 1328 of real molecules, prepared and trained on.

The whole process tree is to stay under 3 GB while the table is made, prepared and trained on for an epoch, and a table
of a quarter of the rows is to need as much within 10 %.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml
from measuring import MemoryWatch, report

MEMORY_BYTES = 3e9
TOLERANCE = 0.1
FILES = ("zinc250k_train", "zinc250k_valid", "moses_test", "moses_test_scaffolds")


def main() -> None:
    """Run both sizes and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("MOLFOUND_DATA"), help="folder of the real data")
    parser.add_argument("--rows", type=int, default=400_000, help="of the larger table")
    parser.add_argument("--memory", type=float, default=0.5, help="data.memory, in GiB")
    parser.add_argument("--processes", type=int, default=2, help="that prepare")
    parser.add_argument("--folder", type=Path, help="where to keep tables, stores and runs; default: nowhere")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        found = [measure(folder, rows, options) for rows in (options.rows // 4, options.rows)]
    small, large = (
        {f"{name}_{rows}": value for name, value in each.items()}
        for rows, each in zip((options.rows // 4, options.rows), found, strict=True)
    )
    peaks = [max(each["prepare_mb"], each["train_mb"]) for each in found]
    growth = max(found[1][f"{stage}_mb"] / found[0][f"{stage}_mb"] for stage in ("prepare", "train"))
    report(
        MEMORY_BYTES / (max(peaks) * 1e6),
        1.0,
        met=max(peaks) * 1e6 <= MEMORY_BYTES and abs(growth - 1) <= TOLERANCE,
        growth=growth,
        memory_gib=options.memory,
        **small,
        **large,
    )


def measure(folder: Path, rows: int, options: argparse.Namespace) -> dict[str, float]:
    """Return seconds and peak megabytes of preparing and of training on so many rows, and bytes per molecule."""
    name = f"rows_{rows}"
    experiment = write_experiment(folder, name, rows, options)
    figures: dict[str, float] = {}
    for stage in ("prepare", "train"):
        start = time.perf_counter()
        command = [sys.executable, "-m", "molfound", stage, str(experiment), *(["--overwrite"] * (stage == "train"))]
        process = subprocess.Popen(command, cwd=folder)
        watch = MemoryWatch(process.pid)
        if process.wait():
            raise SystemExit(process.returncode)
        figures |= {f"{stage}_s": time.perf_counter() - start, f"{stage}_mb": watch.stop() / 1e6}
    store = folder / "stores" / name
    for what, pattern in (("graphs", "graphs-*/*"), ("labels", "labels/*/*"), ("encodings", "encodings/*/*")):
        figures[f"{what}_bytes"] = sum(path.stat().st_size for path in store.glob(pattern)) / rows
    return figures


def write_experiment(folder: Path, name: str, rows: int, options: argparse.Namespace) -> Path:
    """Write the look-alike's manifest and an experiment that trains a GINE on it for an epoch."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [str((options.data / "smiles" / f"{file}.smi.gz").resolve()) for file in FILES]
    manifest = {
        "name": name,
        "title": f"A look-alike of PCBA 1328 of {rows} molecules",
        "licence": "Apache-2.0",
        "citation": "none",
        "source": "this benchmark",
        "generator": {"name": "lookalike", "of": "pcba_1328", "rows": rows, "smiles": files},
        "smiles": "SMILES",
        "tasks": {"pcba": {"level": "graph", "kind": "binary", "labels": ["assayID-*"], "count": 1328}},
        "splits": {"random": {"kind": "random", "fractions": [0.92, 0.04, 0.04], "seed": 0}},
    }
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(manifest))
    experiment = {
        "name": f"train_{name}",
        "data": {
            "store": "stores",
            "processes": options.processes,
            "memory": options.memory,
            "datasets": {"pcba": {"manifest": f"{name}.yaml"}},
            "batch": {"size": 256},
        },
        "model": {"inputs": {"width": 64}, "encoder": {"name": "gnn", "layer": "gine", "depth": 2, "width": 64}},
        "tasks": {"pcba": {"dataset": "pcba", "head": "linear"}},
        "training": {"epochs": 1, "threads": 1, "metrics_mib": 8},
        "run": {"folder": f"runs/{name}", "baselines": ["mean"]},
    }
    path = folder / f"train_{name}.yaml"
    path.write_text(yaml.safe_dump(experiment))
    return path


if __name__ == "__main__":
    main()
