"""One importer a file: a corpus as it lies on disk -> dialogues of segments. None imports another."""
