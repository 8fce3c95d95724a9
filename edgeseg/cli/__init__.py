"""The command line. A verb is one frozen dataclass in a file of its own: its fields are its options, its docstring its help."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import Annotated

import tyro

from edgeseg import __version__
from edgeseg.cli.build import Build
from edgeseg.cli.doctor import Doctor
from edgeseg.cli.eval import Eval
from edgeseg.cli.export import Export
from edgeseg.cli.models import Models
from edgeseg.cli.profile import Profile
from edgeseg.cli.quantize import Quantize
from edgeseg.cli.run import Run
from edgeseg.cli.train import Train
from edgeseg.cli.verify import Verify
from edgeseg.core.errors import EdgesegError
from edgeseg.core.packages import missing_packages_explained
from edgeseg.train.recipe_file import expanded

Verb = (
    Annotated[Run, tyro.conf.subcommand("run")]
    | Annotated[Models, tyro.conf.subcommand("models")]
    | Annotated[Doctor, tyro.conf.subcommand("doctor")]
    | Annotated[Eval, tyro.conf.subcommand("eval")]
    | Annotated[Train, tyro.conf.subcommand("train")]
    | Annotated[Export, tyro.conf.subcommand("export")]
    | Annotated[Quantize, tyro.conf.subcommand("quantize")]
    | Annotated[Build, tyro.conf.subcommand("build")]
    | Annotated[Verify, tyro.conf.subcommand("verify")]
    | Annotated[Profile, tyro.conf.subcommand("profile")]
)

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one verb and returns the exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    # A service manager's stop is a Ctrl-C: what was recorded is finished.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if list(sys.argv[1:] if arguments is None else arguments) == ["--version"]:
        print(f"edgeseg {__version__}")
        return 0
    try:
        with missing_packages_explained():
            return _parse(arguments).execute()
    except EdgesegError as error:
        print(f"edgeseg: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has left (`| head`); what Python still holds of it goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _parse(arguments: Sequence[str] | None) -> Verb:
    arguments = expanded(sys.argv[1:] if arguments is None else arguments)
    return tyro.cli(
        Verb,  # type: ignore[arg-type]  (tyro reads the annotated union; type checkers see a union object)
        prog="edgeseg",
        description="Live segmentation masks from a camera, on the machine beside it.",
        args=arguments,
        config=(tyro.conf.OmitSubcommandPrefixes,),
    )
