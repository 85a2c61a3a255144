"""One engine a file; each imports its heavy library when it is made."""
