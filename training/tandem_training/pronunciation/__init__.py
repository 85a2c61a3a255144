"""From a dictionary of pronunciations to the lexicon and the letter-to-sound model of the voice's front end."""
