"""The HTTP edge: wire formats in, canonical events in frames out, answered only after the broker's ack."""
