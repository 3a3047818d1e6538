"""`zoo study`: one knob's effect, everything else the same."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli import emit, json_option
from zoo.cli.options import data_option, data_options, knob_options, overrides
from zoo.cli.table import aligned

if TYPE_CHECKING:
    from zoo.reporting.study import Study


@click.command("study")
@click.argument("recipe", metavar="NAME|FILE.toml|BUILDER")
@click.option(
    "--vary", required=True, metavar="KEY=V1,V2,...", help="The knob and its values; zoo info NAME lists them."
)
@click.option(
    "--seeds", type=click.IntRange(min=1), default=3, show_default=True, metavar="N", help="Repetitions of each value."
)
@data_option
@data_options
@knob_options
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Any other knob, for all values.")
@click.option("--name", help="Name of the study's folder; by default study-NAME-KEY.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("runs"), help="Folder that it goes into [default: ./runs]."
)
@json_option
def command(
    recipe: str,
    vary: str,
    seeds: int,
    data: str | None,
    sets: tuple[str, ...],
    name: str | None,
    out: Path,
    as_json: bool,
    **options: Any,
) -> None:
    """Show one knob's effect: every value with the same initial weights and the same order of samples.

    The optimizer is plain SGD at a constant rate and nothing stops early, whatever the recipe says, unless you say
    otherwise. Repeated, or after Ctrl-C, the command takes over the trainings that are there, also with more values or
    seeds. A value that diverges is a result; exit code 5 where all do.

    \b
    Example:
      zoo study mnist-mlp --vary l2=0,1e-4,1e-2 --seeds 3
      zoo study digits-mlp --vary learning_rate=0.001,0.01,0.1,1 --epochs 20
      zoo study mlp --data houses.csv --target price --vary optimizer=sgd,momentum,adam
      zoo study iris-mlp --vary batch_size=1,16,full --seeds 5 --json
    """
    from zoo.cli.display import StudyDisplay

    given = overrides(options, sets)
    with StudyDisplay() as display:
        from zoo.training.study import study

        found = study(recipe, vary=vary, seeds=seeds, data=data, name=name, out=out, on_event=display.show, **given)
    emit(_value(found), _text(found), as_json=as_json)


def _value(found: Study) -> dict[str, Any]:
    from zoo.reporting.study import STUDY_CSV, STUDY_PICTURE, STUDY_REPORT, verdict

    content = asdict(found)
    folder = content.pop("path")
    files = {"csv": folder / STUDY_CSV, "picture": folder / f"{STUDY_PICTURE}.png", "report": folder / STUDY_REPORT}
    return {"study": folder, **content, "verdict": verdict(found), **files}


def _text(found: Study) -> str:
    from zoo.reporting.study import STUDY_PICTURE, table, verdict

    lines = [aligned(table(found))]
    if len(found.seeds) > 1:
        lines.append(f"mean ± half the range over {len(found.seeds)} seeds, at the last epoch")
    lines += ["", verdict(found), *found.notes]
    if found.data.get("stand_in"):
        lines.append(f"WARNING: not the real data: {found.data.get('note')}")
    return "\n".join([*lines, f"picture {found.path / STUDY_PICTURE}.png", f"study   {found.path}"])
