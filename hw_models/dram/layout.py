"""Where things lie in the state of a DRAM kernel: one int64 array of header, jobs and channels.

The header holds the configuration and what all channels share; each job has a row; each channel has
its scalars, a ring of refreshes that are due, its ranks, bank groups and banks with their timers,
lists of request numbers, and the pool of requests themselves.
"""

from __future__ import annotations

from hw_models.dram.gaps import COMMANDS, TIMERS

LONG_AGO = -(1 << 40)
"""Earlier than any tick by more than any distance."""

# Header: the run.
(NOW, START, FEED_AT, JOBS_ACCOUNTED) = range(4)
"""NOW: the current tick. START: job whose turn it is. FEED_AT: tick from which on an offer may be
accepted again."""
# Header: the configuration.
(JOBS, CHANNELS, CYCLES, TICKS) = range(4, 8)
(CONTROLLER, HITS_FIRST, CLOSED, KEPT_WRITES) = range(8, 12)
"""CYCLES / TICKS chip cycles last a tick. KEPT_WRITES: so many may stay in the write
buffer of an idle channel."""
(COMMAND_BUSES, ACT2_WITHIN, WCK_POST, PER_BANK_REFRESH, REFRESH_PERIOD) = range(12, 17)
(READ_DELAY, WRITE_DELAY, BURST, OPENING, CLOSING, REFRESHING, FAW, W32) = range(17, 25)
"""READ_DELAY, WRITE_DELAY: from the command to the last data. OPENING, CLOSING, REFRESHING: clocks
that ACT, PRE and REF take."""
(RANKS, BANKS, GROUP_SHIFT, RANK_SHIFT) = range(25, 29)
"""A bank's group is bank >> GROUP_SHIFT, its rank bank >> RANK_SHIFT; all numbered by channel."""
(JOBS_AT, CHANNELS_AT, CHANNEL_WORDS, GRANULE_SHIFT, PARITIES) = range(29, 34)
(GROUPS_AT, BANKS_AT, READS_AT, WRITES_AT, LISTS_AT, FREE_AT, POOL_AT) = range(34, 41)
"""Places in a channel: of its groups, its banks, the lists of reads, of writes, and of bank queues
(or the active list), the list of free requests, the pool."""
PARITY = 41
"""Masks whose parities are the bits of the channel number, PARITIES of them."""
FIELDS_AT = PARITY + 8
"""Shift and mask of each field of `address_map.FIELDS`."""
HORIZON = FIELDS_AT + 12
"""Ticks that the kernel looks ahead at a time; more as long as no newcomer arrives."""
RULES_AT = HORIZON + 1
MOST_RULES = 40
RULE_WORDS = 1 + 3 * MOST_RULES
"""For each command: how many rules it starts; then scope, command held back and clocks of each."""
HEADER = RULES_AT + COMMANDS * RULE_WORDS

# A job.
(ACTIVE, RELEASE, ADDRESS, RUN_BYTES, COUNT_1, STRIDE_1) = range(6)
(COUNT_2, STRIDE_2, COUNT_3, STRIDE_3, STORE, PACE_NUM, PACE_DEN) = range(6, 13)
(INDEX_1, INDEX_2, INDEX_3, NEXT, LAST, LEFT, OFFERED, UNDER_WAY, END, AT) = range(13, 23)
"""NEXT: address of the next burst; LAST: of the last burst of its run; LEFT: runs not finished.
OFFERED: bursts accepted. UNDER_WAY: accepted and not yet commanded. END: tick at which the last
data so far have been moved. AT: where the channel that took the last burst begins."""
(OWNER, OWN, ROW_MISS, REFRESH, QUEUED, LATENCY) = range(23, 29)
"""OWNER: the core. Then ticks by cause."""
HEAD = 29
"""Where the channel of the next burst begins."""
AVAILABLE = 30
"""Tick from which on the next burst is there."""
TURN = 31
"""Of job i: place of the job that is i-th to offer in this round of this tick."""
JOB_WORDS = 32

# A channel.
(DUE, QUEUE, DRAIN, WRITE_MODE, TRANSFER, ROOM) = range(6)
"""DUE: tick at which something can happen next. QUEUE: bank queue served last. DRAIN: writes still
to be moved. TRANSFER: 1 where a request may move to its bank queue."""
(READS_WAITING, WRITES_WAITING, ACTIVE_WAITING, WRITES_QUEUED, REQUESTS) = range(6, 11)
"""Lengths of the lists; writes in bank queues; all requests whose data command is still to come."""
(REFRESH_AT, REFRESH_NEXT, REFRESHES_DUE, REFRESH_HEAD) = range(11, 15)
(SPLIT, SPLIT_DEADLINE, CAS, WCK_UNTIL) = range(15, 19)
"""SPLIT: request between the two steps of its activation, or -1; CAS: request whose data clock has
been started, or -1."""
(BUSY_UNTIL, BUSY_OWNER, REFRESH_UNTIL, ROW_UNTIL, DATA_UNTIL, RETURNED, ACCOUNTED) = range(19, 26)
TICKS_BUSY = 26
"""From here on: ticks since the checkpoint by `channel.TICK_CAUSES`."""
(ACTIVATES, PRECHARGES, READ_COMMANDS, WRITE_COMMANDS, REFRESHES, ROW_HITS) = range(32, 38)
(OPEN_TICKS, LATENCY_SUM, FREE, TOOK_AT) = range(38, 42)
"""OPEN_TICKS: clocks of ranks with an open row that ended. FREE: length of the list
of free requests. TOOK_AT: tick in which a request was taken in last."""
NOT_BEFORE = 42
"""From here on, for each list of the active-list controller (buffer, active list) and each of its
buses: tick before which the list has no command for the bus, unless something else happens."""
HITS = 48
"""Of the reads and of the writes in the buffers of an active-list controller, a bit for each place
in the list: its row is open. -1: to be found anew."""
CHANNEL = 50
RING = 64
FILTER = CHANNEL + RING
"""Writes waiting in the buffer of an active-list controller, counted by hash of their address."""
FILTER_PLACES = 64
RANKS_AT = FILTER + FILTER_PLACES

# A rank: its timers, then
(OPEN_BANKS, OPEN_SINCE, ACT_4_AT, ACT_32_AT, ACT_4) = range(TIMERS, TIMERS + 5)
ACT_32 = ACT_4 + 4
RANK_WORDS = ACT_32 + 32
# A bank: its timers, then
(OPEN_ROW, ACCESSES, WAITING, BOUND, BOUND_BY, IN_ACTIVE) = range(TIMERS, TIMERS + 6)
"""OPEN_ROW: -1 closed, -2 being opened. BOUND: no request of the bank's queue can do anything
earlier; BOUND_BY: command whose timer of the rank holds, too, or -1."""
BANK_WORDS = TIMERS + 6

QUEUE_PLACES, BUFFER_PLACES = 8, 32
"""Of a bank queue; of the read queue and the write buffer."""

# A request.
(R_ADDRESS, R_BANK, R_ROW, R_COLUMN, R_STORE, R_ARRIVAL, R_SUM, R_COUNT, R_JOB, R_SEEN) = range(10)
"""R_ARRIVAL: tick; R_SUM: of all requests merged into it, R_COUNT of them. R_JOB: whose it is.
R_SEEN: 1 after its first command."""
REQUEST_WORDS = 10
