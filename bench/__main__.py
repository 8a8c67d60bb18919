"""Run the benchmarks.

python -m bench                          what is measured on this machine (`make bench`)
python -m bench storm [--json]           the storm, in simulated time
python -m bench storm --failures 300     at another size than 1,000 and 10,000
python -m bench storm --chart FILE       draw failures resumed over time, of 10,000 of one machine
"""

import argparse
import sys


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Benchmarks.")
    commands = parser.add_subparsers(dest="command")
    storm = commands.add_parser("storm", help="ten thousand failures in a minute, in simulated time")
    storm.add_argument("--json", action="store_true", help="print a list of objects, one a scenario and size")
    storm.add_argument("--failures", type=int, nargs="+", default=[1_000, 10_000], metavar="N", help="sizes")
    storm.add_argument("--scenario", default="", metavar="TEXT", help="only the scenarios whose names hold this")
    storm.add_argument("--chart", metavar="FILE", help="write an SVG of failures resumed over time")
    options = parser.parse_args()
    # Here and not above: each needs what the other does not.
    if options.command == "storm":
        from bench import storm_report

        storm_report.report(tuple(options.failures), options.scenario, as_json=options.json, chart=options.chart)
        return 0
    from bench.measurements import measure

    measure()
    return 0


if __name__ == "__main__":
    sys.exit(main())
