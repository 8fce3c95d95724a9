// The kernels of edgeseg/runtime/gpu/kernels.cu as plain C++: a launch is a loop over the threads that the GPU would start.

#include <utility>

struct Index { unsigned x, y, z; };
static thread_local Index blockIdx, threadIdx, blockDim;
#define __device__
#define __global__

#include "kernels.cu"

template <auto kernel> struct Launch;

template <typename... Parameters, void (*kernel)(Parameters...)> struct Launch<kernel>
{
    template <std::size_t... position>
    static void thread(void **arguments, std::index_sequence<position...>)
    {
        kernel(*static_cast<Parameters *>(arguments[position])...);
    }

    // arguments: the address of each, as in cuLaunchKernel.
    static void run(Index blocks, Index block, void **arguments)
    {
        blockDim = block;
        for (blockIdx.z = 0; blockIdx.z < blocks.z; blockIdx.z++)
        for (blockIdx.y = 0; blockIdx.y < blocks.y; blockIdx.y++)
        for (blockIdx.x = 0; blockIdx.x < blocks.x; blockIdx.x++)
        for (threadIdx.z = 0; threadIdx.z < block.z; threadIdx.z++)
        for (threadIdx.y = 0; threadIdx.y < block.y; threadIdx.y++)
        for (threadIdx.x = 0; threadIdx.x < block.x; threadIdx.x++)
            thread(arguments, std::index_sequence_for<Parameters...>{});
    }
};

#define ON_CPU(kernel) \
    extern "C" void kernel##_on_cpu(Index blocks, Index block, void **arguments) \
    { \
        Launch<kernel>::run(blocks, block, arguments); \
    }

ON_CPU(fit)
ON_CPU(label)
ON_CPU(combine)
ON_CPU(assemble)
ON_CPU(paint)
