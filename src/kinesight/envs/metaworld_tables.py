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

TASK_SETS: dict[str, tuple[str, ...]] = {"sp11": SP11, "all": tuple(INSTRUCTIONS)}

CROPS: dict[tuple[str, str], CropWindow] = {}
"""(task, camera) -> the square part of the full view that holds the whole motion; others show all of it."""


def crop_window(task: str, camera: str) -> CropWindow:
    return CROPS.get((task, camera), FULL_VIEW)
