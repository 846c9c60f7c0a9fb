"""Benchmarks: `python -m validation.bench NAME`. Each closes with one line of key=value figures."""
