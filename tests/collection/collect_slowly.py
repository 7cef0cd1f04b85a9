"""Collects into the given folder slowly enough to be killed on the way."""

import sys

import point_mass

from kinesight.collection.collect import collect

if __name__ == "__main__":
    collect(
        point_mass.CONFIG,
        sys.argv[1],
        workers=int(sys.argv[2]),
        make_environment=point_mass.slow_environment,
        make_expert=point_mass.make_expert,
    )
