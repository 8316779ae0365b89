"""Torch modules: from a batch of graphs to representations of its nodes, edges, node pairs and graphs."""
