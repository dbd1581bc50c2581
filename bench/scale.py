"""How large a run is. Defaults are those of docs/performance.md; smaller is quicker and noisier."""

import msgspec


class Scale(msgspec.Struct, frozen=True):
    events: int = 200_000
    """For the throughput figures; of each go where there are several."""
    goes: int = 5
    """Of the stitch stage and the pipeline."""
    seconds: float = 60.0
    """Of latency; the collector's cases take a tenth each."""
    visitors: int = 1_000_000
    """In the state that a restart finds."""
    minutes: float = 10.0
    """Of load for the memory figure."""
    touches: int = 10_000
    """Of the account that changes hands."""
    addresses: int = 100_000
    """Of the domain that changes hands."""
    companies: float = 5.0
    """A second that ask for a demo while an account changes hands, each a new one."""
