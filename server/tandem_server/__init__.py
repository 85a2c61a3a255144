"""The dialogue server; knows models, and training by its registry only."""
