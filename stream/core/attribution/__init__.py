"""Who earned it: credit models, allocation, ledger entries."""
