"""``python -m bench [NAME ...] [--kafka | --embedded]``: measure, print a table, append to ``bench/results``."""

from bench.command import run

if __name__ == "__main__":
    run()
