"""The ``touchline`` command."""
