"""How events flow: collect, decide (core), run (stages), the one-machine stand-ins, the command line."""
