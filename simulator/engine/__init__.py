"""The engine: runs a tile program on the processes of a chip, explains waits, checks the laws."""
