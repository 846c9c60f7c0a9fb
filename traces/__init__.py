"""What happened in a run: trace schema, recorder, ledger and what reads them."""
