"""Prosody, normalisation and (later) the networks: numpy and Praat, none of our other packages."""
