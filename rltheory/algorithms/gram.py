"""Inverses of Gram matrices of features, kept up to date as features come."""

from rltheory.arrays import Matrix, Vector
from rltheory.jit import kernel

__all__ = ["update_inverse"]


@kernel
def update_inverse(inverse: Matrix, feature: Vector, spare: Vector) -> float:
    r"""Replace the inverse of :math:`\Lambda` by that of :math:`\Lambda + \phi \phi^\top`.

    Returns :math:`\|\phi\|_{\Lambda^{-1}}^2`, one less than the factor by which the determinant grows.
    """
    norm = 0.0
    for i in range(spare.size):
        spare[i] = 0.0
        for j in range(spare.size):
            spare[i] += inverse[i, j] * feature[j]
        norm += feature[i] * spare[i]
    for i in range(spare.size):
        for j in range(spare.size):
            inverse[i, j] -= spare[i] * spare[j] / (1.0 + norm)
    return norm
