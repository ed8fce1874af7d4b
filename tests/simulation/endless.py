"""A simulation that would take hours, in two processes; it says when they are at work, and how it ended."""

import sys

from agents.simulation.groups import GroupSetting, simulate_groups
from agents.simulation.running import runner


def main() -> None:
    """Until someone interrupts."""
    setting = GroupSetting(rotation=3_600.0)
    with runner(2) as pool:
        simulate_groups(setting, 3e6, 300, runner=pool)
        print("begun", flush=True)
        try:
            simulate_groups(setting, 1e12, 500, runner=pool)
        except KeyboardInterrupt:
            print("interrupted", flush=True)
            sys.exit(130)


if __name__ == "__main__":
    main()
