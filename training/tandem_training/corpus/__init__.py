"""Dialogues that people bring: one manifest, features beside it, importers, and the reading side of training."""
