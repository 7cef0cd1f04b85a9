"""What is fixed for each Meta-World v3 task: its sentence, the task sets and the crop windows."""

from kinesight.types.camera import FULL_VIEW, CropWindow

CAMERAS = ("corner", "corner2", "corner3")

INSTRUCTIONS: dict[str, str] = {
    "assembly": "pick up the ring and put it onto the peg",
    "basketball": "put the basketball into the hoop",
    "bin-picking": "move the cube from one bin to the other",
    "box-close": "put the lid onto the box",
    "button-press": "press the button",
    "button-press-topdown": "press the button from above",
    "button-press-topdown-wall": "press the button behind the wall from above",
    "button-press-wall": "reach over the wall and press the button",
    "coffee-button": "press the button of the coffee machine",
    "coffee-pull": "pull the mug away from the coffee machine",
    "coffee-push": "push the mug under the coffee machine",
    "dial-turn": "turn the dial",
    "disassemble": "lift the ring off the peg",
    "door-close": "close the door",
    "door-lock": "lock the door by turning its lock",
    "door-open": "open the door",
    "door-unlock": "unlock the door by turning its lock",
    "drawer-close": "close the drawer",
    "drawer-open": "open the drawer",
    "faucet-close": "turn the faucet off",
    "faucet-open": "turn the faucet on",
    "hammer": "drive the nail into the block with the hammer",
    "hand-insert": "put the hand into the hole",
    "handle-press": "press the handle down",
    "handle-press-side": "press the handle down from the side",
    "handle-pull": "pull the handle up",
    "handle-pull-side": "pull the handle up from the side",
    "lever-pull": "pull the lever up",
    "peg-insert-side": "put the peg into the hole from the side",
    "peg-unplug-side": "pull the peg out of the hole to the side",
    "pick-out-of-hole": "pick the puck out of the hole and bring it to the goal",
    "pick-place": "pick up the puck and bring it to the goal",
    "pick-place-wall": "pick up the puck and bring it over the wall to the goal",
    "plate-slide": "slide the plate into the goal",
    "plate-slide-back": "slide the plate back out of the goal",
    "plate-slide-back-side": "slide the plate sideways out of the goal",
    "plate-slide-side": "slide the plate sideways into the goal",
    "push": "push the puck to the goal",
    "push-back": "pull the block back to the goal",
    "push-wall": "push the puck around the wall to the goal",
    "reach": "move the hand to the goal",
    "reach-wall": "move the hand over the wall to the goal",
    "shelf-place": "put the block onto the shelf",
    "soccer": "push the ball into the goal",
    "stick-pull": "pull the thermos with the stick",
    "stick-push": "push the thermos with the stick",
    "sweep": "sweep the puck off the table",
    "sweep-into": "sweep the puck into the hole",
    "window-close": "close the window",
    "window-open": "open the window",
}
"""One sentence a task; its keys are the list of tasks."""

SP11 = (
    "door-open",
    "door-close",
    "basketball",
    "shelf-place",
    "button-press",
    "button-press-topdown",
    "faucet-close",
    "faucet-open",
    "handle-press",
    "hammer",
    "assembly",
)
"""The eleven tasks of AVDC and Spatial Policy."""

DIFFICULTY: dict[str, tuple[str, ...]] = {
    "easy": (
        "door-open", "door-close", "button-press", "button-press-topdown",
        "faucet-close", "faucet-open", "handle-press",
    ),
    "medium": ("hammer", "basketball"),
    "hard": ("assembly",),
    "very hard": ("shelf-place",),
}  # fmt: skip
"""The eleven in groups, as Spatial Policy reports them."""

TASK_SETS: dict[str, tuple[str, ...]] = {"sp11": SP11, **DIFFICULTY, "all": tuple(INSTRUCTIONS)}

CHAIN_FAMILIES: dict[str, tuple[str, str]] = {
    "drawer": ("drawer-open", "drawer-close"),
    "window": ("window-open", "window-close"),
    "door": ("door-open", "door-close"),
    "lock": ("door-lock", "door-unlock"),
    "handle": ("handle-press", "handle-pull"),
    "handle-side": ("handle-press-side", "handle-pull-side"),
}
"""Two tasks each that share a scene and undo each other, so that they can follow each other in it."""

COUNTERPARTS: dict[str, str] = {"faucet-open": "faucet-close", "faucet-close": "faucet-open"}
"""Tasks that begin alike in the same scene: only the instruction, or a goal, tells which one is meant."""

CHAIN_LENGTH = 5
"""Tasks in a row, as in CALVIN."""

CHAIN_TASK_LIMIT = 360
"""Steps for each of them, as in CALVIN."""


def chain_limit(length: int = CHAIN_LENGTH) -> int:
    """Steps that a chain takes at most: those of its tasks, and one between two of them."""
    return length * CHAIN_TASK_LIMIT + length - 1


CROPS: dict[tuple[str, str], CropWindow] = {
    ("door-open", "corner"): CropWindow(0.20, 0.21, 0.62, 0.62),
    ("door-open", "corner2"): CropWindow(0.30, 0.30, 0.48, 0.48),
    ("door-open", "corner3"): CropWindow(0.00, 0.19, 0.72, 0.72),
    ("door-close", "corner"): CropWindow(0.22, 0.11, 0.66, 0.66),
    ("door-close", "corner2"): CropWindow(0.24, 0.26, 0.52, 0.52),
    ("door-close", "corner3"): CropWindow(0.00, 0.14, 0.76, 0.76),
    ("basketball", "corner"): CropWindow(0.23, 0.28, 0.54, 0.54),
    ("basketball", "corner2"): CropWindow(0.37, 0.33, 0.36, 0.36),
    ("basketball", "corner3"): CropWindow(0.08, 0.24, 0.54, 0.54),
    ("shelf-place", "corner"): CropWindow(0.08, 0.21, 0.62, 0.62),
    ("shelf-place", "corner2"): CropWindow(0.22, 0.27, 0.50, 0.50),
    ("shelf-place", "corner3"): CropWindow(0.00, 0.24, 0.64, 0.64),
    ("button-press", "corner"): CropWindow(0.25, 0.25, 0.58, 0.58),
    ("button-press", "corner2"): CropWindow(0.37, 0.32, 0.40, 0.40),
    ("button-press", "corner3"): CropWindow(0.10, 0.22, 0.58, 0.58),
    ("button-press-topdown", "corner"): CropWindow(0.22, 0.25, 0.58, 0.58),
    ("button-press-topdown", "corner2"): CropWindow(0.32, 0.32, 0.40, 0.40),
    ("button-press-topdown", "corner3"): CropWindow(0.05, 0.22, 0.58, 0.58),
    # Of tasks that begin alike the window would tell which one is meant: they share theirs.
    **{
        (task, camera): window
        for task in ("faucet-close", "faucet-open")
        for camera, window in (
            ("corner", CropWindow(0.23, 0.25, 0.60, 0.60)),
            ("corner2", CropWindow(0.37, 0.31, 0.37, 0.37)),
            ("corner3", CropWindow(0.10, 0.22, 0.51, 0.51)),
        )
    },
    ("handle-press", "corner"): CropWindow(0.25, 0.28, 0.54, 0.54),
    ("handle-press", "corner2"): CropWindow(0.35, 0.32, 0.38, 0.38),
    ("handle-press", "corner3"): CropWindow(0.07, 0.22, 0.56, 0.56),
    ("hammer", "corner"): CropWindow(0.17, 0.09, 0.76, 0.76),
    ("hammer", "corner2"): CropWindow(0.34, 0.31, 0.46, 0.46),
    ("hammer", "corner3"): CropWindow(0.05, 0.21, 0.64, 0.64),
    ("assembly", "corner"): CropWindow(0.23, 0.28, 0.54, 0.54),
    ("assembly", "corner2"): CropWindow(0.37, 0.31, 0.38, 0.38),
    ("assembly", "corner3"): CropWindow(0.10, 0.22, 0.52, 0.52),
}
"""(task, camera) -> the square part of the full view that holds the whole motion; others show all of it."""


REVISED = ("faucet-close", "faucet-open")
"""Tasks whose windows were once others: a collection of that time is not taken for one of today."""


def crop_window(task: str, camera: str) -> CropWindow:
    return CROPS.get((task, camera), FULL_VIEW)
