"""Pictures of a run, one a file, as SVG that takes its colours from the page it stands in."""
