"""TensorRT and CUDA: the same masks with nothing but them leaving the GPU."""
