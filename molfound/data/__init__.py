"""From tables of molecules to batches: manifests, tables, splits, the graph store, batches and their order."""
