"""Reports on recorded conversations: what is computed, and how it is shown."""
