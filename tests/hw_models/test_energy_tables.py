"""Tables of energy and area that users bring: tilesim's own form, Accelergy's ERT and ART."""

import re

import pytest
import yaml

from hw_models.chip_files import load_chip
from hw_models.cost.energy import TIME_ACTIONS, ActionEnergies
from hw_models.cost.energy_table import load_area_table
from hw_models.yaml_file import InputError

CHIP = load_chip("edge_os_16x16")
BUILT_IN = {entry.action: entry.pj for entry in ActionEnergies.of(CHIP).entries}
MEMORIES = [f"core.{buffer.name}" for buffer in CHIP.cores[0].buffers]


@pytest.fixture
def energies(tmp_path):
    """Writes data as table.yaml and gives the energies of the chip with it."""

    def of(data):
        path = tmp_path / "table.yaml"
        path.write_text(yaml.safe_dump(data), encoding="utf-8")
        return ActionEnergies.of(CHIP.model_copy(update={"energy_table": str(path)}))

    return of


def refuses(energies, data, message):
    with pytest.raises(InputError) as caught:
        energies(data)
    assert re.match(rf"^.*table\.yaml: {re.escape(message)}$", str(caught.value))


def own(**changes):
    return {name: {"value": 1.5, "unit": "pJ"} for name in BUILT_IN} | changes


def test_an_own_table_replaces_every_energy(energies):
    found = energies({"actions": own(mac={"value": 0.002, "unit": "nJ", "source": "silicon"})})
    assert found.of_action("mac").pj == pytest.approx(2)
    assert {e.pj for e in found.entries if e.action != "mac"} == {1.5}
    assert found.of_action("mac").source.endswith("table.yaml")


def test_others_may_be_built_in(energies):
    entry = {"value": 300, "unit": "fJ"}
    found = energies({"actions": {"mac": entry}, "others": "built_in"})
    assert found.of_action("mac").pj == pytest.approx(0.3)
    assert found.of_action("dram_byte").pj == BUILT_IN["dram_byte"]


def test_an_action_that_the_chip_needs_is_missed_by_name(energies):
    actions = own()
    del actions["core.inputs.read_byte"]
    refuses(
        energies,
        {"actions": actions},
        "actions must have core.inputs.read_byte, which the chip needs "
        "(others: built_in takes what is missing from tilesim's own tables)",
    )


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"value": 1.0}, "actions.mac.unit is missing"),
        (
            {"value": 1.0, "unit": "J"},
            "actions.mac.unit must be one of 'fJ', 'pJ' or 'nJ', not 'J'",
        ),
        ({"value": -1.0, "unit": "pJ"}, "actions.mac.value must be at least 0, not -1.0"),
        ({"unit": "pJ"}, "actions.mac.value is missing"),
    ],
)
def test_units_and_values_are_checked(energies, entry, message):
    refuses(energies, {"actions": own(mac=entry)}, message)


def test_an_action_that_no_chip_has_is_refused(energies):
    known = ", ".join(BUILT_IN)
    message = f"actions.macc must be one of {known}"
    refuses(energies, {"actions": own(macc={"value": 1, "unit": "pJ"})}, message)


def test_a_table_that_is_not_there_is_named():
    chip = CHIP.model_copy(update={"energy_table": "none.yaml"})
    with pytest.raises(InputError, match=r"^none.yaml: no such file$"):
        ActionEnergies.of(chip)


def ert(**without):
    """An ERT with every component that the chip needs: reads 8 pJ, writes 16 pJ, others 2 pJ."""
    memories = [*(f"{name}[0..3]" for name in MEMORIES), "dram", "noc"]
    access = [{"name": "read", "energy": 8}, {"name": "write", "energy": 16, "arguments": {}}]
    tables = [{"name": f"system.{name}", "actions": access} for name in memories]
    compute = [{"name": "compute", "energy": 2}]
    tables += [{"name": f"system.{name}", "actions": compute} for name in ("mac", "vector_unit")]
    return {"ERT": {"version": 0.4, "tables": [t for t in tables if t["name"] not in without]}}


def test_an_ert_is_read_by_component_and_access(energies):
    found = energies(ert())
    assert found.of_action("mac").pj == found.of_action("vector_operation").pj == 2
    inputs = CHIP.cores[0].buffer_of("input")
    assert found.of_action("core.inputs.read_byte").pj == 8 / inputs.width_bytes
    assert found.of_action("core.inputs.write_byte").pj == 16 / inputs.width_bytes
    assert found.of_action("dram_byte").pj == (8 + 16) / 2 / CHIP.dram.access_bytes
    for name in ("pe_store", *TIME_ACTIONS):
        assert found.of_action(f"core.{name}").pj == 0


def test_an_ert_without_a_component_is_refused_by_its_name(energies):
    message = (
        "ERT.tables must have a component vector_unit with the action compute, "
        "which the chip needs for vector_operation"
    )
    refuses(energies, ert(**{"system.vector_unit": 0}), message)


@pytest.mark.parametrize("held", [{}, {"tables": 3}, 4])
def test_an_ert_without_tables_is_refused(energies, held):
    refuses(energies, {"ERT": held}, "ERT.tables must be a list of components")


def test_an_ert_entry_without_energy_is_refused(energies):
    data = ert()
    data["ERT"]["tables"][0]["actions"] = [{"name": "read"}]
    refuses(energies, data, "ERT.tables[0]: actions[0].energy is missing")


def test_an_art_gives_the_area_of_all_copies(tmp_path):
    path = tmp_path / "art.yaml"
    tables = [{"name": "system.pe[0..167].mac", "area": 10}, {"name": "system.glb", "area": 500.5}]
    path.write_text(yaml.safe_dump({"ART": {"tables": tables}}), encoding="utf-8")
    assert load_area_table(path) == {"system.pe.mac": 168 * 10, "system.glb": 500.5}
