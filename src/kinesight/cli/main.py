"""`kinesight …`: parse, call, and turn errors meant for users into one line and an exit status.

Command files import nothing heavy before they are called, so that `--help` answers at once.
"""

import os
import sys

import tyro

from kinesight.cli.ablate import ablate
from kinesight.cli.calibrate import calibrate
from kinesight.cli.collect import collect
from kinesight.cli.compare import compare
from kinesight.cli.doctor import doctor
from kinesight.cli.evaluate import evaluate
from kinesight.cli.ground import ground
from kinesight.cli.imagine import imagine
from kinesight.cli.judge import judge
from kinesight.cli.list import list_everything
from kinesight.cli.plan import plan
from kinesight.cli.quickstart import quickstart
from kinesight.cli.report import report
from kinesight.cli.show import show
from kinesight.cli.train import train
from kinesight.types.errors import KinesightError

COMMANDS = {
    "quickstart": quickstart,
    "list": list_everything,
    "doctor": doctor,
    "collect": collect,
    "plan": plan,
    "show": show,
    "train": train,
    "imagine": imagine,
    "evaluate": evaluate,
    "compare": compare,
    "ablate": ablate,
    "judge": judge,
    "calibrate": calibrate,
    "report": report,
    "ground": ground,
}
DESCRIPTION = "Robot policies that plan in space, imagine, act and check themselves."


def main() -> None:
    """Exit status: 0 done, 1 failed, 2 wrong use, 130 interrupted."""
    try:
        tyro.extras.subcommand_cli_from_dict(
            COMMANDS,
            prog="kinesight",
            description=DESCRIPTION,
            args=sys.argv[1:] or ["--help"],
            config=(tyro.conf.FlagCreatePairsOff,),
        )
    except KinesightError as error:
        print(f"kinesight: {error}", file=sys.stderr)
        sys.exit(error.status)
    except KeyboardInterrupt:
        print("kinesight: interrupted; what was finished is kept, the same command resumes", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # `kinesight list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:  # no permission, no space, a file where a folder should be
        print(f"kinesight: {error.strerror or error}: {error.filename or ''}".rstrip(": "), file=sys.stderr)
        sys.exit(1)
