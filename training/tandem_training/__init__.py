"""Recipes that fit what models/ defines; knows models, not the server."""
