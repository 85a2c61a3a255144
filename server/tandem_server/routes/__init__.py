"""HTTP and WebSocket endpoints: the only files that know the web framework."""
