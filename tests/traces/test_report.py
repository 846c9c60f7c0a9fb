import re
from html.parser import HTMLParser

import pytest

from tests.traces.small_run import END, MANIFEST, write_small_run
from traces.commands.report import command
from traces.errors import InputError
from traces.plots.units import BYTES, SECONDS, in_words, significant
from traces.plots.view import load_view
from traces.report.headline import headline
from traces.report.layer_table import COLUMNS, layer_table
from traces.report.marked_path import marked_path
from traces.report.page import build_page


@pytest.fixture
def run(tmp_path):
    return write_small_run(tmp_path / "run")


class Checker(HTMLParser):
    """Counts elements and sees that each is closed where it must be."""

    VOID = ("meta", "link", "br", "wbr", "path", "use", "rect")

    def __init__(self):
        super().__init__()
        self.open, self.count = [], {}

    def handle_starttag(self, tag, attributes):
        self.count[tag] = self.count.get(tag, 0) + 1
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.count[tag] = self.count.get(tag, 0) + 1

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def text_of(html):
    return re.sub(r"<[^>]*>", "", html)


def test_the_headline_says_how_long_how_well_and_what_to_fix(run):
    # 20 of the 40 cycles lost wait for DRAM; the others fill (10), have no work (10), or compute
    # with PEs left empty (10).
    assert text_of(headline(load_view(run))) == (
        "The run takes 200 ns at 50.0 % of the peak MAC rate of the chip. The largest loss is "
        "waiting for DRAM bandwidth: 20.0 % of all cycles, 100.0 % of them in conv1."
    )


def test_the_page_is_whole_and_needs_nothing_else(run):
    page = build_page(load_view(run))
    checker = Checker()
    checker.feed(page)
    assert not checker.open
    assert checker.count["svg"] == 2 * 7
    assert not re.findall(r'(?:src|href)="(?!#)', page)
    assert "url(http" not in page
    assert not re.findall(r"\$\w+", page)


def test_all_variables_that_the_page_uses_are_set(run):
    page = build_page(load_view(run))
    used = set(re.findall(r"var\((--[\w-]+)", page))
    assert used <= set(re.findall(r"(--[\w-]+):", page))


def test_the_table_has_the_numbers_of_every_layer(run):
    table = layer_table(load_view(run))
    rows = re.findall(r"<tr>(<td.*?)</tr>", table)
    cells = [[text_of(cell) for cell in re.findall(r"<td[^>]*>.*?</td>", row)] for row in rows]
    headings = [column.heading for column in COLUMNS]
    second = dict(zip(headings, cells[1], strict=True))
    assert second == {
        "#": "2", "layer": "conv2", "type": "conv2d", "cycles": "50", "share": "50.0 %",
        "utilised": "40.0 %", "lost cycles": "", "largest loss": "array fill and drain 20.0 %",
        "DRAM kB": "0.2", "energy µJ": "0.0",
    }  # fmt: skip
    keys = [re.findall(r'data-value="([^"]*)"', row)[headings.index("lost cycles")] for row in rows]
    assert keys == ["20", "30"]


def test_names_from_a_trace_are_text_not_markup(tmp_path):
    manifest = {**MANIFEST, "network": "<b>&", "chip": "c"}
    page = build_page(load_view(write_small_run(tmp_path / "run", manifest=manifest)))
    assert "<h1>&lt;b&gt;&amp; on c</h1>" in page


def test_a_trace_that_does_not_say_what_it_is_of_has_its_folders_name(tmp_path):
    page = build_page(load_view(write_small_run(tmp_path / "mine", manifest={})))
    assert "<h1>mine</h1>" in page
    assert "100 cycles" in text_of(page)  # no clock: no seconds


def test_the_critical_path_names_units_as_the_timeline_does(run):
    view = load_view(run)
    path = marked_path(view)
    assert path["end"].max() == END
    assert set(path["unit"].tolist()) <= set(range(len(view.units)))
    assert "The line under a lane is the critical path." in build_page(view, path)
    assert "critical path" not in build_page(view)


def test_an_incomplete_run_is_shown_up_to_its_end(tmp_path, capsys):
    folder = write_small_run(tmp_path / "run", complete=False)
    command(folder)
    page = text_of((folder / "report.html").read_text(encoding="utf-8"))
    assert (
        f"This run did not reach its end (KeyboardInterrupt). The page shows its first {END} "
        "cycles, as far as they were recorded." in page
    )
    assert "The run had run for 200 ns at 60.0 % of its cycles computing." in page
    output = capsys.readouterr()
    assert output.out == f"report is in {folder / 'report.html'}\n"
    assert output.err == f"the run is incomplete: it shows the first {END} cycles\n"


def test_an_earlier_page_is_kept_unless_told_otherwise(run, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("mine")
    with pytest.raises(InputError, match=rf"^--out {page}: must be new; --force replaces it$"):
        command(run, out=page)
    assert page.read_text() == "mine"
    command(run, out=page, force=True)
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith("partial")] == []


def test_a_page_that_can_not_be_written_is_an_error_of_the_user(run, tmp_path):
    nowhere = tmp_path / "no" / "page.html"
    message = rf"^--out {nowhere}: can't be written: No such file or directory$"
    with pytest.raises(InputError, match=message):
        command(run, out=nowhere)
    with pytest.raises(InputError, match=rf"^--out {tmp_path}: must be a file, not a folder$"):
        command(run, out=tmp_path)


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    message = rf"^{tmp_path}: not a run folder: manifest.json can't be read$"
    with pytest.raises(InputError, match=message):
        command(tmp_path)


def test_a_damaged_result_is_refused(run):
    (run / "result.json").write_text("{")
    with pytest.raises(InputError, match=rf"^{run}: result.json is damaged$"):
        command(run)


@pytest.mark.parametrize(
    ("value", "steps", "words"),
    [
        (0.01749, SECONDS, "17.5 ms"),
        (1.0, SECONDS, "1.00 s"),
        (999, BYTES, "999 B"),
        (1_806_336, BYTES, "1.81 MB"),
        (0, BYTES, "0 B"),
    ],
)
def test_amounts_in_words(value, steps, words):
    assert in_words(value, steps) == words


def test_three_digits_are_written():
    assert [significant(x) for x in (0.00478, 0.5, 1.0, 12.345, 1234.5)] == [
        "0.00478", "0.5", "1.00", "12.3", "1,234",
    ]  # fmt: skip
