"""Drawn litter: what the embedded sample is made of. Procedural pictures, no photographs.

`shapes` holds the brushes; one file a material paints the objects, one function each, named after what it paints;
`scenes` lays them on the ground under a light.
"""

from collections.abc import Callable

from kerastrash.data.drawing import foam, metal, paper, plastic, plasticbag
from kerastrash.data.drawing.shapes import Canvas, Rng

KINDS: dict[str, tuple[Callable[[Rng], Canvas], ...]] = {
    "Metal": (metal.drink_can, metal.drink_can, metal.food_can, metal.foil, metal.bottle_cap, metal.foil_tray),
    "Paper": (
        *(paper.crumpled_sheet, paper.crumpled_sheet, paper.printed_page, paper.cardboard),
        *(paper.tissue, paper.paper_tube, paper.paper_bag),
    ),
    "Paperpack": (paper.milk_carton, paper.juice_box, paper.paper_cup, paper.egg_carton),
    "Plastic": (
        *(plastic.bottle, plastic.bottle, plastic.detergent, plastic.plastic_cup),
        *(plastic.plastic_lid, plastic.plastic_tub, plastic.cutlery),
    ),
    "Plasticbag": (
        *(plasticbag.carrier_bag, plasticbag.carrier_bag, plasticbag.film),
        *(plasticbag.garbage_bag, plasticbag.crisp_packet, plasticbag.wrapper),
    ),
    "Styrofoam": (foam.foam_fragment, foam.foam_block, foam.foam_tray, foam.foam_cup),
}
