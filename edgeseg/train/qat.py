"""Quantization-aware fine-tuning: a network learns to live with the rounding of its INT8 graph.

After Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference": values
are rounded in the forward pass, and the gradient takes no notice of it but where a value is clipped. Batch norm is folded into
the convolution before it, with the statistics that it has, so that what is rounded is the weight that is deployed. Ranges are
observed on a few batches, and then kept.

What is rounded, and how, is what `edgeseg quantize` does to the exported graph: symmetric, -128 to 127, what a convolution
reads per tensor, its weights per output channel, biases not at all; a sum reads the rounded tensor where there is one; the last
convolutions stay in float. The workshop does not import what runs on a device: the rule stands in both, and a test holds them
to each other.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterable
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

LEAST, GREATEST = -128, 127
SHARES = tuple(0.5**halvings for halvings in range(11))
"""The ranges between which is chosen, as shares of the largest magnitude."""


class Rounding(nn.Module):
    """Where a network rounds once it is in INT8, and in which steps. It is no part of the network, whose checkpoint stays plain.

    ranges: float32 [T], the largest magnitude that is told of each rounded tensor. layers: the convolutions in INT8, in the
    order in which they are computed: the name in the network, and which of the T tensors it reads.
    """

    ranges: Tensor

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self._graph, self.layers = _rounded_graph(network)
        self.register_buffer("ranges", torch.ones(1 + max(tensor for _, tensor in self.layers)))

    def apply_to(self, network: nn.Module) -> None:
        """Makes the network, the one or a copy of it, compute as its INT8 graph will; names and weights stay as they are."""
        graph = fx.GraphModule(network, self._graph)
        network.forward = lambda image: graph(image, self.ranges)

    def observe(self, network: nn.Module, look: Callable[[Any], object], batches: Iterable[Any]) -> None:
        """Sets each range to the one that puts what reads the tensor the least off. look: has the network see a batch."""
        observer = _Observer(network, self._graph, len(self.ranges))
        network.forward = lambda image: observer.run(image, self.ranges)
        with torch.no_grad():
            for batch in batches:
                look(batch)
        best = torch.tensor(SHARES)[observer.errors.argmin(1)]
        self.ranges.copy_(torch.stack([observer.peaks[tensor] for tensor in range(len(best))]) * best.to(self.ranges))

    def told(self) -> dict[str, list[float]]:
        """Returns the range of what each layer reads, by its name: one for each time that it is computed for an image."""
        ranges = self.ranges.tolist()
        told: dict[str, list[float]] = {}
        for name, tensor in self.layers:
            told.setdefault(name, []).append(ranges[tensor])
        return told


def rounded(x: Tensor, greatest: Tensor) -> Tensor:
    """Returns `x`, of any shape, told in steps, the last of which is `greatest`, a scalar; what lies beyond is clipped."""
    scale = greatest.clamp(min=1e-6) / GREATEST
    return torch.fake_quantize_per_tensor_affine(x, scale, _zeros(scale), LEAST, GREATEST)


def rounded_weight(weight: Tensor) -> Tensor:
    """Returns a weight [O, ...] in steps of its own for each output channel, whose largest magnitude is the last of them."""
    scale = weight.detach().flatten(1).abs().amax(1).clamp(min=1e-9) / GREATEST
    return torch.fake_quantize_per_channel_affine(weight, scale, _zeros(scale), 0, LEAST, GREATEST)


def _zeros(scale: Tensor) -> Tensor:
    return torch.zeros_like(scale, dtype=torch.int32)


class _Tracer(fx.Tracer):
    def to_bool(self, obj: fx.Proxy) -> bool:
        # Networks ask one thing alone: whether pooling divides the size. Where it does not, they write the same mean in
        # another way, for the exporter's sake.
        return True


class _Observer(fx.Interpreter):
    """Computes what the graph does with its tensors unrounded, and what each range would do to whatever reads one.

    peaks: of each tensor, the largest magnitude at first sight. errors: float [T, len(SHARES)], summed over readers and looks.
    """

    def __init__(self, network: nn.Module, graph: fx.Graph, tensors: int) -> None:
        super().__init__(network, graph=graph)
        self.peaks: dict[int, Tensor] = {}
        self.errors = torch.zeros(tensors, len(SHARES))

    def run_node(self, n: fx.Node) -> Any:
        if n.target is _at:
            x, _, tensor = self.fetch_args_kwargs_from_env(n)[0]
            self.peaks.setdefault(tensor, x.abs().max())
            return x
        result = super().run_node(n)
        for at, argument in enumerate(n.args):
            if isinstance(argument, fx.Node) and argument.target is _at:
                self._compare(n, at, int(str(argument.args[2])), result)
        return result

    def _compare(self, reader: fx.Node, at: int, place: int, right: Tensor) -> None:
        args, kwargs = self.fetch_args_kwargs_from_env(reader)
        spread = right.var() + 1e-12
        for index, share in enumerate(SHARES):
            told = rounded(args[at], self.peaks[place] * share)
            result = self.call_function(reader.target, (*args[:at], told, *args[at + 1 :]), kwargs)
            self.errors[place, index] += ((result - right).square().mean() / spread).item()


def _rounded_graph(network: nn.Module) -> tuple[fx.Graph, list[tuple[str, int]]]:
    """Returns what the network computes, rounded, of an image and the ranges, and `layers` of `Rounding`."""
    graph = _Tracer().trace(network)
    modules = dict(network.named_modules())
    called = [node for node in graph.nodes if node.op == "call_module"]
    convolutions = [node for node in called if isinstance(modules[node.target], nn.Conv2d)]
    norms = [node for node in called if isinstance(modules[node.target], nn.BatchNorm2d)]
    final = _final(graph, convolutions)
    in_int8 = [node for node in convolutions if node not in final]
    read = _round_tensors(graph, in_int8)
    layers = list(zip([str(node.target) for node in in_int8], read, strict=True))
    folded = {norm.all_input_nodes[0]: norm for norm in norms}
    for node in convolutions:
        _replace(graph, [node, *filter(None, [folded.pop(node, None)])], _in_int8 if node in in_int8 else _in_float)
    for norm in folded.values():
        _replace(graph, [norm], _normed)
    graph.lint()
    return graph, layers


def _final(graph: fx.Graph, convolutions: Collection[fx.Node]) -> set[fx.Node]:
    """Returns the nodes after which no convolution follows."""
    convolved: set[fx.Node] = set()
    final: set[fx.Node] = set()
    for node in reversed(graph.nodes):
        if node not in convolved:
            final.add(node)
        if node in convolutions or node in convolved:
            convolved.update(node.all_input_nodes)
    return final


def _round_tensors(graph: fx.Graph, in_int8: Collection[fx.Node]) -> list[int]:
    """Has these convolutions, and the sums beside them, read rounded tensors. Returns which one each convolution reads."""
    (image,) = graph.find_nodes(op="placeholder")
    with graph.inserting_after(image):
        ranges = graph.placeholder("ranges")
    read = [node.all_input_nodes[0] for node in in_int8]
    places = {source: place for place, source in enumerate(dict.fromkeys(read))}
    for source, place in places.items():
        readers = [node for node in source.users if node in in_int8 or node.target is operator.add]
        with graph.inserting_after(ranges if source is image else source):
            told = graph.call_function(_at, (source, ranges, place))
        for reader in readers:
            reader.replace_input_with(source, told)
    return [places[source] for source in read]


def _replace(graph: fx.Graph, calls: list[fx.Node], function: Callable[..., Tensor]) -> None:
    """Replaces calls of modules, one after the other, by one of `function` with what they read and the modules."""
    with graph.inserting_before(calls[0]):
        modules = [graph.get_attr(str(call.target)) for call in calls]
        result = graph.call_function(function, (calls[0].all_input_nodes[0], *modules))
    calls[-1].replace_all_uses_with(result)
    for call in reversed(calls):
        graph.erase_node(call)


def _at(x: Tensor, ranges: Tensor, place: int) -> Tensor:
    return rounded(x, ranges[place])


def _in_int8(x: Tensor, conv: nn.Conv2d, norm: nn.BatchNorm2d | None = None) -> Tensor:
    weight, bias = _folded(conv, norm)
    return F.conv2d(x, rounded_weight(weight), bias, conv.stride, conv.padding, conv.dilation, conv.groups)


def _in_float(x: Tensor, conv: nn.Conv2d, norm: nn.BatchNorm2d | None = None) -> Tensor:
    weight, bias = _folded(conv, norm)
    return F.conv2d(x, weight, bias, conv.stride, conv.padding, conv.dilation, conv.groups)


def _folded(conv: nn.Conv2d, norm: nn.BatchNorm2d | None) -> tuple[Tensor, Tensor | None]:
    """Returns weight and bias of the convolution as it is deployed."""
    if norm is None:
        return conv.weight, conv.bias
    assert norm.running_mean is not None and norm.running_var is not None
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    mean = norm.running_mean if conv.bias is None else norm.running_mean - conv.bias
    return conv.weight * scale.view(-1, 1, 1, 1), norm.bias - mean * scale


def _normed(x: Tensor, norm: nn.BatchNorm2d) -> Tensor:
    return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
