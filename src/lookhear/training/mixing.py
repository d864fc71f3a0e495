"""Samples of several sets and shapes in one training: whose turn they are in."""

from collections.abc import Hashable, Iterator, Sequence
from itertools import chain

import numpy as np
from torch.utils.data import Sampler


class Mixture(Sampler[list[int]]):
    """Batches, each of samples of one shape, in which no set drowns another.

    An epoch has as many samples as there are, from each set the same number: a small set's come
    more than once, and of a large one others in each epoch. Within a set, shapes come as often as
    it has them. What does not fill a batch of its shape is left out.

    Args:
        sets: which set each sample is of.
        shapes: what shape each sample has.
        batch_size: samples a batch.
        seed: of the order, with the epoch.
    """

    def __init__(
        self, sets: Sequence[Hashable], shapes: Sequence[Hashable], batch_size: int, seed: int
    ) -> None:
        of_set: dict[Hashable, int] = {of: sets.count(of) for of in sets}
        self._kinds: dict[tuple[Hashable, Hashable], list[int]] = {}
        for index, kind in enumerate(zip(sets, shapes, strict=True)):
            self._kinds.setdefault(kind, []).append(index)
        self._quotas = {
            kind: round(len(members) * len(sets) / len(of_set) / of_set[kind[0]])
            for kind, members in self._kinds.items()
        }
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Turn to an epoch; Lightning calls this as each begins."""
        self._epoch = epoch

    def __len__(self) -> int:
        """Batches in an epoch."""
        totals: dict[Hashable, int] = {}
        for (_, shape), quota in self._quotas.items():
            totals[shape] = totals.get(shape, 0) + quota
        return sum(total // self._batch_size for total in totals.values())

    def __iter__(self) -> Iterator[list[int]]:
        """Give the samples of each batch of the epoch."""
        chance = np.random.default_rng((self._seed, self._epoch))
        of_shape: dict[Hashable, list[int]] = {}
        for kind, members in self._kinds.items():
            quota = self._quotas[kind]
            rounds = [chance.permutation(members) for _ in range(-(-quota // len(members)))]
            of_shape.setdefault(kind[1], []).extend([*chain.from_iterable(rounds)][:quota])
        batches = []
        for samples in of_shape.values():
            order, size = chance.permutation(samples), self._batch_size
            batches += [order[at : at + size] for at in range(0, len(order) - size + 1, size)]
        for index in chance.permutation(len(batches)):
            yield batches[index].tolist()
