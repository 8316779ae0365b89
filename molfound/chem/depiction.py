"""A molecule as a picture for a page of HTML: SVG that the page's style sheet colours."""

import json
import re
from html import escape
from xml.etree import ElementTree

from rdkit import Chem
from rdkit.Chem.Draw import rdMolDraw2D
from rdkit.Geometry import Point2D

from molfound.chem.parsing import parse, silenced_rdkit

WIDTH, HEIGHT = 240, 180
MOST_ATOMS = 120  # what has more is no picture any more
SCALE = 25.0  # of molecules that leave room for it: units of the picture to an Å of the drawing

CLASSES = {7: "nitrogen", 8: "oxygen", 15: "phosphorus", 16: "sulfur"} | dict.fromkeys((9, 17, 35, 53), "halogen")
"""By atomic number, the class whose colour an element's symbol and its halves of bonds have; all others: ``ink``."""

_OPTIONS = json.dumps({"clearBackground": False, "fixedBondLength": SCALE, "flagCloseContactsDist": -1})
_TONES = {name: (0.0, 0.0, (number + 1) / 255) for number, name in enumerate(dict.fromkeys(CLASSES.values()))}
_CLASS_OF_TONE = {f"#0000{round(255 * blue):02X}": name for name, (_, _, blue) in _TONES.items()} | {"#000000": "ink"}
_COLOUR = re.compile(r"(?:^|;)(fill|stroke):(#[0-9A-F]{6}|none)")


def depict(smiles: str, *, atom: int | None = None) -> str | None:
    """Return a molecule's picture as one ``<svg>`` element, or None if it is none or has more than `MOST_ATOMS` atoms.

    It holds paths of the classes ``bond`` (to be stroked) and ``solid`` (to be filled), each also of the class of an
    element, and no colours, links or text; the SMILES is its label.

    Args:
        smiles: of the molecule.
        atom: one to be marked, by its place in the SMILES; a circle of the class ``marked`` lies under it.

    Example:
        >>> depict("CO").startswith('<svg class="molecule" viewBox="0 0 240 180" role="img" aria-label="CO">')
        True
        >>> depict("C(") is None
        True
    """
    molecule = parse(smiles, max_heavy_atoms=MOST_ATOMS)
    if not isinstance(molecule, Chem.Mol):
        return None
    for numbered in molecule.GetAtoms():
        numbered.SetAtomMapNum(0)
    drawer = rdMolDraw2D.MolDraw2DSVG(WIDTH, HEIGHT)
    options = drawer.drawOptions()
    rdMolDraw2D.UpdateDrawerParamsFromJSON(drawer, _OPTIONS)
    options.useBWAtomPalette()
    options.updateAtomPalette({element: _TONES[name] for element, name in CLASSES.items()})
    with silenced_rdkit():
        rdMolDraw2D.PrepareAndDrawMolecule(drawer, molecule)
    drawer.FinishDrawing()
    mark = "" if atom is None else _mark(drawer.GetDrawCoords(atom))
    return (
        f'<svg class="molecule" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(smiles)}">'
        f"{mark}{_restyled(drawer.GetDrawingText())}</svg>"
    )


def _mark(place: Point2D) -> str:
    return f'<circle class="marked" cx="{place.x:.1f}" cy="{place.y:.1f}" r="11"/>'


def _restyled(drawing: str) -> str:
    """Return RDKit's elements with classes for colours, the lines of one class as one path: a third of the size."""
    paths: dict[str, list[str]] = {}
    for element in ElementTree.fromstring(drawing.encode("iso-8859-1")).iter():
        colours = dict(_COLOUR.findall(element.get("style", "")))
        colours["fill"] = element.get("fill", colours.get("fill", "none"))
        if element.tag.endswith("}path"):
            filled = colours["fill"] != "none"
            # Bonds of no known order are grey, whatever the palette.
            tone = _CLASS_OF_TONE.get(colours["fill" if filled else "stroke"], "ink")
            style = f"{'solid' if filled else 'bond'} {tone}"
            paths.setdefault(style, []).append(re.sub(r" ?([MLQCZ]) ?", r"\1", element.get("d", "")).replace(",", " "))
    return "".join(f'<path class="{style}" d="{"".join(lines)}"/>' for style, lines in paths.items())
