"""A generator that needs no training: it draws a face from its first layer's six outputs, a smile among them."""

import torch
from torch import Tensor, nn


class DrawnFaces(nn.Module):
    """z of shape N×latent_size to faces N×3×size×size in [-1, 1]; `smile(z)` says how far the corners of the mouth point up."""

    def __init__(self, latent_size: int = 100, size: int = 64, seed: int = 0) -> None:
        super().__init__()
        self.traits = nn.Linear(latent_size, 6, bias=False)
        directions = torch.linalg.qr(torch.randn(latent_size, 6, generator=torch.Generator().manual_seed(seed)))[0]
        # Each trait a direction of its own, the first the strongest.
        self.traits.weight.data = directions.T * torch.linspace(2, 1, 6)[:, None]
        ticks = torch.linspace(-1, 1, size)
        self.register_buffer("x", ticks.expand(size, size))
        self.register_buffer("y", ticks[:, None].expand(size, size))

    def smile(self, z: Tensor) -> Tensor:
        return self.traits(z)[:, 1]

    def forward(self, z: Tensor) -> Tensor:
        skin, smile, eyes, width, hair, back = torch.tanh(self.traits(z))[:, :, None, None].unbind(1)
        picture = self._colour(0.5 + 0.3 * back, 0.3 - 0.4 * back, 0.4 + 0 * back).expand(-1, -1, *self.x.shape)
        head = (self.x / (0.6 + 0.15 * width)) ** 2 + ((self.y - 0.1) / 0.75) ** 2
        picture = self._paint(picture, head < 1, self._colour(0.7 + 0.2 * skin, 0.4 + 0.3 * skin, 0.1 + 0.4 * skin))
        fringe = (head < 1.1) & (self.y < -0.35 + 0.2 * hair)
        picture = self._paint(picture, fringe, self._colour(-0.4 + 0.4 * hair, -0.6, -0.7))
        eye = ((self.x.abs() - 0.25) / (0.1 + 0.05 * eyes)) ** 2 + ((self.y + 0.05) / (0.1 + 0.05 * eyes)) ** 2
        mouth = (self.y - 0.5 - 0.25 * smile * (0.3 - 6 * self.x**2)).abs() < 0.05
        return self._paint(picture, (eye < 1) | (mouth & (self.x.abs() < 0.3)), self._colour(-0.8, -0.8, -0.7 + 0 * eyes))

    @staticmethod
    def _colour(*channels: Tensor | float) -> Tensor:
        like = next(channel for channel in channels if isinstance(channel, Tensor))
        return torch.cat([torch.zeros_like(like) + channel for channel in channels], 1).reshape(len(like), 3, 1, 1)

    @staticmethod
    def _paint(picture: Tensor, where: Tensor, colour: Tensor) -> Tensor:
        return torch.where(where[:, None], colour, picture)
