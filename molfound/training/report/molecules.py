"""The molecules that a model is most wrong about, drawn."""

from html import escape

from molfound.chem.depiction import depict
from molfound.training.report.content import TaskContent, WorstValue
from molfound.training.report.tables import number


def worst_section(task: TaskContent) -> str:
    """Return the pictures of a task's worst predictions on the test part, with targets and predictions."""
    if task.worst is None:
        return ""
    heading = "<h3>Worst predictions, test part</h3>"
    if not task.worst:
        return f"{heading}<p>No molecule is on the wrong side of 0.5.</p>" if task.kind == "binary" else ""
    about = (
        "The molecules with the largest errors, each in standard deviations of its label's training values."
        if task.kind == "regression"
        else "The molecules that the model is most sure of and wrong about."
    )
    marked = " The atom is marked." if task.level == "node" else ""
    cards = "".join(_card(value, task.kind) for value in task.worst)
    return f'{heading}<p>{about}{marked}</p><div class="cards">{cards}</div>'


def _card(value: WorstValue, kind: str) -> str:
    picture = depict(value.smiles, atom=value.atom) or "<p>too large to be drawn</p>"
    if kind == "binary":
        said = f"is {value.target:.0f}, predicted {value.prediction:.3g}"
    else:
        said = f"is {number(value.target)}, predicted {number(value.prediction)}: {value.error:.3g} deviations"
    atom = f", atom {value.atom + 1}" if value.atom is not None else ""
    return (
        f"<figure>{picture}<figcaption><b>{escape(value.label)}</b>{atom} {said}"
        f"<br><code>{escape(value.smiles)}</code></figcaption></figure>"
    )
