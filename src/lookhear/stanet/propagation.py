"""What moments tell one another: the graph of the "+" networks (STANet+, arXiv 2112.13697, CGCN).

A moment and two others are the nodes of a graph. Each round, each node attends to both others, and
takes their messages into its own maps. Which others they are (the neighbours in time, other moments
of the clip, moments of other clips of the category) is the data's affair.

Letters in shape comments: B graphs, C channels, H x W positions of a node's maps, P = H x W.
"""

from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lookhear.stanet.blocks import ConvGRU

NODES = 3
ROUNDS = 3

# Each node as a receiver of messages, from the other two in their order.
_RECEIVERS = [0, 0, 1, 1, 2, 2]
_SENDERS = [1, 2, 0, 2, 0, 1]

Attending: TypeAlias = Literal["published", "alike"]
"""How much a position attends to one of another node: by the product of their queries and keys, as
published; or by how alike these are, whatever their size. In networks that begin from nothing,
products are so small that all positions are attended to evenly, and messages tell nothing."""
SHARPNESS = 10.0
"""What the cosine of two positions that are alike is multiplied by."""

SALIENT = 0.8  # of the highest mean over channels
DAMPED = 0.6  # by how much refinement weakens what lies below


class GraphPropagation(nn.Module):
    """Three rounds of messages among three nodes, of all graphs of a batch at once.

    A message is the sender's maps, gathered by the attention of the receiver's positions to the
    sender's, and gated by what it says itself. A 3x3 convolution fuses a node's two messages, a
    ConvGRU takes them into the node, and `refined` weakens what is not salient. The first message
    is that of the node with the lower number.

    Args:
        channels: of the nodes.
        has_state: whether there is the ConvGRU. The released ST+ leaves it out, so that its nodes
            become the fused messages: they forget themselves, and grow tenfold in three rounds.
        attending: how positions attend to others; see :data:`Attending`.
    """

    def __init__(
        self, channels: int, has_state: bool = True, attending: Attending = "published"
    ) -> None:
        super().__init__()
        self.attending = attending
        self.query = nn.Conv2d(channels, channels // 2, 1)
        self.key = nn.Conv2d(channels, channels // 2, 1)
        if attending == "alike":
            self.key.load_state_dict(self.query.state_dict())
        self.fuse = nn.Conv2d(2 * channels, channels, 3, padding=1)
        self.gru = ConvGRU(channels) if has_state else None

    def forward(self, nodes: Tensor, gate: nn.Module, wanted: int = NODES) -> Tensor:
        """Return the first nodes after all rounds, (B, wanted, C, H, W).

        Args:
            nodes: (B, 3, C, H, W).
            gate: from a message (N, C, H, W) to the logits (N, 1, H, W) of its gate; as published,
                that of the self-attention in S+, SA+ and ST+, but one of its own in STA+.
            wanted: how many nodes, 1 to 3; in the last round, no other is told anything.
        """
        for left in reversed(range(ROUNDS)):
            told = NODES if left else wanted
            heard = self.fuse(self._messages(nodes, gate, told))
            own = nodes[:, :told].flatten(0, 1)
            after = refined(heard if self.gru is None else self.gru(heard, own))
            nodes = after.view(-1, told, *nodes.shape[2:])
        return nodes

    def _messages(self, nodes: Tensor, gate: nn.Module, told: int) -> Tensor:
        """What each of the first nodes hears from both others, (B x told, 2 C, H, W)."""
        count = 2 * told
        flat, shape = nodes.flatten(0, 1), (-1, NODES, nodes.shape[2] // 2, *nodes.shape[3:])
        queries, keys = self.query(flat), self.key(flat)
        if self.attending == "alike":
            queries, keys = SHARPNESS * _directions(queries), _directions(keys)
        queries, keys = queries.view(shape), keys.view(shape)
        # B x count, C / 2, P each
        asked = queries[:, _RECEIVERS[:count]].flatten(0, 1).flatten(2)
        given = keys[:, _SENDERS[:count]].flatten(0, 1).flatten(2)
        values = nodes[:, _SENDERS[:count]].flatten(0, 1)
        attention = torch.softmax(given.transpose(1, 2) @ asked, dim=1)  # over the sender's P
        gathered = (values.flatten(2) @ attention).view_as(values)
        messages = gathered * torch.sigmoid(gate(gathered))
        return messages.reshape(-1, 2 * nodes.shape[2], *nodes.shape[3:])


def _directions(x: Tensor) -> Tensor:
    """Centre the vectors (N, C, H, W) of a node's positions, and make each as long as 1."""
    return F.normalize(x - x.mean((2, 3), keepdim=True), dim=1)


def refined(maps: Tensor) -> Tensor:
    """Weaken what is not salient (FRL); maps and result (N, C, H, W).

    The sigmoid of the mean over channels weighs each position, by `DAMPED` where the mean is below
    `SALIENT` times its maximum over the maps; the result is half of what was and half of that.
    """
    mean = maps.mean(1, keepdim=True)
    is_low = mean < SALIENT * mean.amax((2, 3), keepdim=True)
    weight = torch.sigmoid(mean)
    weight = torch.where(is_low, DAMPED * weight, weight)
    return (maps * weight + maps) / 2
