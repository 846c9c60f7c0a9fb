"""Design-space exploration: studies over chips, networks and mappings, and what they say."""
