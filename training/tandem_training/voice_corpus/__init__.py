"""From sentences to a folder of speech with exact phone times: the voice's training data."""
