"""What several training processes make of their batches together; alone a process keeps what it has."""

from jaxtyping import Shaped
from torch import Tensor, distributed


def several_processes() -> bool:
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


def summed(tensor: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
    """Sum over all processes, the same to the bit in each; gradients are summed likewise."""
    if not several_processes():
        return tensor
    from torch.distributed.nn.functional import all_reduce

    return all_reduce(tensor)


def of_first(tensor: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
    """The first process's, in all of them; without gradients."""
    if not several_processes():
        return tensor
    shared = tensor.detach().clone()
    distributed.broadcast(shared, src=0)
    return shared
