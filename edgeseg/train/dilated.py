"""Dilated depth-wise convolutions on a CPU, computed in ways that are exactly equal and several times as fast to train.

oneDNN 3.12 is slow there, and on channels_last in BF16 the gradient of the weights is computed from memory that nobody wrote
(jit_bf16:avx512_core_bf16, backward_weights): wrong, now and then infinite. Without dilation it is fast and right.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEAST_PHASE = 3
"""Pixels along a side of a phase, below which convolving it is mostly padding."""


def compute_without_dilation(network: nn.Module) -> None:
    """Has the depth-wise, dilated 3x3 convolutions of the network (bias-free, stride 1, same size) compute so on a CPU."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and _is_meant(module):
            module.forward = partial(_forward, module)  # pyright: ignore[reportAttributeAccessIssue]


def convolve(conv: nn.Conv2d, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Returns what `conv` would with another weight and bias, in the fastest of the equal ways."""
    if x.device.type != "cpu" or not _is_meant(conv):
        return F.conv2d(x, weight, bias, conv.stride, conv.padding, conv.dilation, conv.groups)
    dilation = conv.dilation[0]
    if min(x.shape[-2:]) >= LEAST_PHASE * dilation:
        return by_phases(x, weight, bias, dilation)
    with torch.autocast("cpu", enabled=False):
        answer = by_windows(x.float(), weight.float(), dilation)
    return answer if bias is None else answer + bias[:, None, None]


def _forward(conv: nn.Conv2d, x: Tensor) -> Tensor:
    return convolve(conv, x, conv.weight, conv.bias)


def _is_meant(conv: nn.Conv2d) -> bool:
    dilation = conv.dilation[0]
    return (
        conv.groups == conv.in_channels == conv.out_channels
        and conv.kernel_size == (3, 3)
        and conv.stride == (1, 1)
        and dilation > 1
        and conv.dilation == conv.padding == (dilation, dilation)
        and conv.bias is None
    )


def by_phases(x: Tensor, weight: Tensor, bias: Tensor | None, dilation: int) -> Tensor:
    """Space to batch: each of the dilation ** 2 phases of the pixels is an image, on which the convolution has no dilation.

    x: [N, C, H, W], channels_last to be fast. weight: [C, 1, 3, 3]. bias: [C]. Returns [N, C, H, W].
    """
    count, channels, height, width = x.shape
    below, right = -height % dilation, -width % dilation
    x = F.pad(x, (0, right, 0, below)).permute(0, 2, 3, 1)
    rows, columns = (height + below) // dilation, (width + right) // dilation
    phases = x.reshape(count, rows, dilation, columns, dilation, channels).permute(2, 4, 0, 1, 3, 5)
    phases = phases.reshape(dilation * dilation * count, rows, columns, channels).permute(0, 3, 1, 2)
    answers = F.conv2d(phases, weight, bias, padding=1, groups=channels).permute(0, 2, 3, 1)
    answers = answers.reshape(dilation, dilation, count, rows, columns, channels).permute(2, 3, 0, 4, 1, 5)
    whole = answers.reshape(count, rows * dilation, columns * dilation, channels).permute(0, 3, 1, 2)
    return whole[:, :, :height, :width]


def by_windows(x: Tensor, weight: Tensor, dilation: int) -> Tensor:
    """Adds up the nine shifted products, each over the pixels whose neighbour lies inside the image.

    x, weight: as in `by_phases`, float32. Worth it where the dilation is near the image's size, so that windows are small.
    """
    return _Windows.apply(x, weight, dilation)  # type: ignore[no-any-return]


class _Windows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, dilation: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.dilation = dilation
        pixels, kernel = x.permute(0, 2, 3, 1), weight.flatten(1)
        answer = torch.zeros_like(pixels)
        for tap, here, there in _taps(x.shape[-2], x.shape[-1], dilation):
            answer[here].addcmul_(pixels[there], kernel[:, tap])
        return answer.permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight = ctx.saved_tensors
        pixels, kernel = x.permute(0, 2, 3, 1), weight.flatten(1)
        gradient = gradients[0].permute(0, 2, 3, 1).contiguous()
        of_pixels, of_kernel = torch.zeros_like(pixels), torch.zeros_like(kernel)
        for tap, here, there in _taps(x.shape[-2], x.shape[-1], ctx.dilation):
            of_kernel[:, tap] = (gradient[here] * pixels[there]).sum((0, 1, 2))
            of_pixels[there].addcmul_(gradient[here], kernel[:, tap])
        # In the weight's own layout, which is what gradients are shared in among processes.
        return of_pixels.permute(0, 3, 1, 2), torch.empty_like(weight).copy_(of_kernel.view_as(weight)), None


Window = tuple[slice, slice, slice]


def _taps(height: int, width: int, dilation: int) -> list[tuple[int, Window, Window]]:
    """Returns, of each tap of a 3x3 kernel, its number, the pixels that it adds to, and those that it reads, [N, H, W]."""
    taps: list[tuple[int, Window, Window]] = []
    for tap in range(9):
        down, right = (tap // 3 - 1) * dilation, (tap % 3 - 1) * dilation
        rows, columns = height - abs(down), width - abs(right)
        if rows > 0 and columns > 0:
            top, left = max(0, -down), max(0, -right)
            here = (slice(None), slice(top, top + rows), slice(left, left + columns))
            there = (slice(None), slice(top + down, top + down + rows), slice(left + right, left + right + columns))
            taps.append((tap, here, there))
    return taps
