"""YAML files and overrides in, one typed and frozen configuration out."""
