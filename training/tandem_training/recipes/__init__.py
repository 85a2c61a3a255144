"""One recipe a file, read top to bottom."""
