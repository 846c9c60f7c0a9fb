"""Running the command line inside a test."""

from traces import cli


def status_of(words):
    """Exit status of `tilesim WORDS`."""
    try:
        cli.main(words)
    except SystemExit as exit_:
        return exit_.code or 0
    return 0


def tilesim(words, capsys):
    """Exit status, stdout and stderr of `tilesim WORDS`."""
    code = status_of(words)
    output = capsys.readouterr()
    return code, output.out, output.err
