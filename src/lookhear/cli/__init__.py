"""The command line: a verb each, thin."""

import logging
import sys
import warnings
from typing import Annotated

import typer
from typer.exceptions import TyperException

from lookhear import __version__
from lookhear.cli import convert, data, evaluate, events, explain, export, predict, train
from lookhear.cli.console import complain, out
from lookhear.errors import LookhearError, lacking

app = typer.Typer(
    help="Predict where people look in a video, from what they see and what they hear.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(predict.predict)
app.command()(predict.demo)
app.command()(evaluate.evaluate)
app.command()(explain.explain)
app.command()(events.events)
app.command()(data.world)
app.command()(data.prepare)
app.command()(convert.convert)
app.command()(export.export)
app.add_typer(data.app, name="data")
app.add_typer(train.app, name="train")

INTERRUPTED = 130  # what shells expect, and what Typer returns, on Ctrl-C


def main() -> None:
    """Run the command line; every error the user can mend is one line on stderr."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    warnings.simplefilter("ignore")  # of libraries, to their callers
    try:
        code = app(standalone_mode=False)
    except TyperException as error:
        if message := error.format_message():
            complain(f"{message} (lookhear --help shows what there is)")
        code = 2
    except (LookhearError, OSError) as error:
        complain(str(error))
        code = 1
    except ModuleNotFoundError as error:
        complain(str(lacking(error, " ".join(arg for arg in sys.argv[1:3] if arg.isalpha()))))
        code = 1
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    if code == INTERRUPTED:
        complain("interrupted; what was finished is kept")
    sys.exit(code if isinstance(code, int) else 0)


def _print_version(wanted: bool) -> None:
    if wanted:
        out.print(f"lookhear {__version__}")
        raise typer.Exit


@app.callback()
def lookhear(
    _version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Predict where people look in a video, from what they see and what they hear."""
