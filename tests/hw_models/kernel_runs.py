"""A kernel under the SimPy server, with clients that submit jobs at their times."""

from hw_models.clock import CycleEnvironment
from hw_models.server import KernelServer
from traces.ledger import Ledger


def run_kernel(kernel, units, submissions, end, *, reverse=False):
    """What the server says of each job, and its ledger.

    units: names of the ledgers. submissions: (arrival, row, columns) of each job, by number.
    reverse: start the clients in the other order.
    """
    env, ledger = CycleEnvironment(), Ledger(units)
    server = KernelServer(env, "server", kernel, ledger, range(len(units)))
    results = {}

    def done(task, ticks):
        results[task] = (env.now, *ticks)

    for row in range(1, 1 + kernel.rows):
        server.connect(row, done)

    def client(task, arrival, row, columns):
        yield env.timeout(arrival)
        server.submit(row, task, columns)

    numbered = list(enumerate(submissions))
    for task, submission in numbered[::-1] if reverse else numbered:
        env.process(client(task, *submission))
    env.run(until=end)
    server.finish()
    ledger.finish(end)
    return results, ledger
