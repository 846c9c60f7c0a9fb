"""DRAM at the level of banks: standards, timing rules, controllers, and the kernel of a server."""
