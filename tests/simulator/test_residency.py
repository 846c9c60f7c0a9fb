import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simulator.lowering.residency import assign_slots, assign_slots_plain

keys_and_slots = st.tuples(st.lists(st.integers(0, 6), max_size=40), st.integers(1, 5))


@given(keys_and_slots)
def test_the_kernel_equals_the_plain_rule(case):
    keys, slots = case
    found = assign_slots(np.array(keys, dtype=np.int64), slots)
    expected = assign_slots_plain(keys, slots)
    assert list(zip(found.slot.tolist(), found.loaded.tolist(), strict=True)) == expected


@given(keys_and_slots)
def test_what_is_used_lies_in_its_slot_from_load_to_last_use(case):
    keys, slots = case
    found = assign_slots(np.array(keys, dtype=np.int64), slots)
    content, last_loader = {}, {}
    for step, key in enumerate(keys):
        slot = int(found.slot[step])
        if found.loaded[step]:
            before = content.get(slot)
            used_before = [s for s in range(step) if found.slot[s] == slot]
            assert found.replaced_at[step] == (used_before[-1] if used_before else -1)
            assert before != key
            content[slot], last_loader[slot] = key, step
        assert content[slot] == key
        assert found.previous[step] == max((s for s in range(step) if keys[s] == key), default=-1)
        assert found.last_use[last_loader[slot]] >= step


@given(keys_and_slots)
def test_no_rule_loads_less(case):
    """Belady's rule is optimal: compare with the best of least-recently-used and first-in."""
    keys, slots = case
    loads = int(assign_slots(np.array(keys, dtype=np.int64), slots).loaded.sum())
    assert loads <= loads_with(keys, slots, by_use=True)
    assert loads <= loads_with(keys, slots, by_use=False)


def loads_with(keys, slots, *, by_use):
    held, loads = [], 0
    for key in keys:
        if key in held:
            if by_use:
                held.remove(key)
                held.append(key)
            continue
        loads += 1
        held = [*held[-(slots - 1) :], key] if slots > 1 and len(held) == slots else [*held, key]
        held = held[-slots:]
    return loads
