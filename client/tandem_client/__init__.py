"""The browser page, the desktop client and the command line; knows the server's contract only."""
