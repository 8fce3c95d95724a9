// A frame's way on the GPU, one thread a pixel: fit before the network, the tail after it, painting where somebody looks.
//
// Every kernel computes what its twin in edgeseg/vision computes, in the same order of operations; compile it without
// contraction of a * b + c (NVRTC and nvcc: --fmad=false, g++: -ffp-contract=off), and GPU and CPU agree bit for bit. There
// are no includes and no CUDA beyond blockIdx, blockDim and threadIdx, so that the tests compile this very file with g++.
// It was never run on a GPU by its authors.

typedef unsigned char uint8;

// Where a pixel of the fitted image lies between two of the frame, along one axis: the weights are of 2048.
struct Tap { int first, second, first_weight, second_weight; };

// Where a pixel of the frame lies between a cell of the network's output and the next, along one axis.
struct Place { int cell; float weight; };

// A thing: its anchor, the window of pixels that its box touches, and where its mask begins among all masks' pixels.
struct Thing { int anchor, left, top, right, bottom, begin; };

__device__ static int pixel_x() { return blockIdx.x * blockDim.x + threadIdx.x; }
__device__ static int pixel_y() { return blockIdx.y * blockDim.y + threadIdx.y; }
__device__ static int next(int cell, int cells) { return cell + 1 < cells ? cell + 1 : cell; }
__device__ static float between(float near, float far, float weight) { return near + (far - near) * weight; }

// edgeseg/vision/fit.py: cv2.resize with INTER_LINEAR, in its fixed-point arithmetic.
// frame: BGR, frame_width wide. fitted: BGR, height x width.
extern "C" __global__ void fit(
    const uint8 *frame, int frame_width, const Tap *rows, const Tap *columns, uint8 *fitted, int height, int width)
{
    const int x = pixel_x(), y = pixel_y();
    if (x >= width || y >= height) return;
    const Tap row = rows[y], column = columns[x];
    const uint8 *above = frame + 3 * row.first * frame_width, *below = frame + 3 * row.second * frame_width;
    for (int channel = 0; channel < 3; channel++) {
        const int first = 3 * column.first + channel, second = 3 * column.second + channel;
        const int high = above[first] * column.first_weight + above[second] * column.second_weight;
        const int low = below[first] * column.first_weight + below[second] * column.second_weight;
        const int sum = (row.first_weight * (high >> 4) >> 16) + (row.second_weight * (low >> 4) >> 16);
        fitted[3 * (y * width + x) + channel] = (uint8)((sum + 2) >> 2);
    }
}

// edgeseg/vision/decode.py: the class that leads in the bilinearly upsampled logits; of equal ones the first.
// logits: classes x rows x columns. labels: height x width.
extern "C" __global__ void label(
    const float *logits, int classes, int rows, int columns,
    const Place *row_places, const Place *column_places, uint8 *labels, int height, int width)
{
    const int x = pixel_x(), y = pixel_y();
    if (x >= width || y >= height) return;
    const Place row = row_places[y], column = column_places[x];
    const int above = row.cell * columns, below = next(row.cell, rows) * columns;
    const int west = column.cell, east = next(column.cell, columns);
    int leader = 0;
    float highest = 0;
    for (int c = 0; c < classes; c++) {
        const float *plane = logits + c * rows * columns;
        const float left = (1 - row.weight) * plane[above + west] + row.weight * plane[below + west];
        const float right = (1 - row.weight) * plane[above + east] + row.weight * plane[below + east];
        const float value = between(left, right, column.weight);
        if (c == 0 || value > highest) {
            highest = value;
            leader = c;
        }
    }
    labels[y * width + x] = (uint8)leader;
}

// edgeseg/vision/instances.py: the prototypes, weighted by a thing's coefficients, in the cells under its window.
// coefficients: anchors x count. prototypes: count x rows x columns. values: things x rows x columns. Grid: z is the thing.
extern "C" __global__ void combine(
    const float *coefficients, const float *prototypes, int count, int rows, int columns, const Thing *things,
    const Place *row_places, const Place *column_places, float *values)
{
    const int x = pixel_x(), y = pixel_y();
    const Thing thing = things[blockIdx.z];
    if (x >= columns || y >= rows || thing.right <= thing.left || thing.bottom <= thing.top) return;
    if (x < column_places[thing.left].cell || x > column_places[thing.right - 1].cell + 1) return;
    if (y < row_places[thing.top].cell || y > row_places[thing.bottom - 1].cell + 1) return;
    const int cell = y * columns + x;
    float sum = 0;
    for (int k = 0; k < count; k++)
        sum += coefficients[thing.anchor * count + k] * prototypes[k * rows * columns + cell];
    values[blockIdx.z * rows * columns + cell] = sum;
}

// edgeseg/vision/instances.py: where the bilinearly upsampled values of a thing are positive, inside its window.
// masks: 0 or 1, a thing's window row by row from its `begin`. Grid: x and y span the largest window, z is the thing.
extern "C" __global__ void assemble(
    const float *values, int rows, int columns, const Thing *things,
    const Place *row_places, const Place *column_places, uint8 *masks)
{
    const Thing thing = things[blockIdx.z];
    const int x = thing.left + pixel_x(), y = thing.top + pixel_y();
    if (x >= thing.right || y >= thing.bottom) return;
    const Place row = row_places[y], column = column_places[x];
    const float *above = values + (blockIdx.z * rows + row.cell) * columns;
    const float *below = values + (blockIdx.z * rows + next(row.cell, rows)) * columns;
    const int west = column.cell, east = next(column.cell, columns);
    const float near = between(above[west], below[west], row.weight);
    const float far = between(above[east], below[east], row.weight);
    const int place = (y - thing.top) * (thing.right - thing.left) + x - thing.left;
    masks[thing.begin + place] = between(near, far, column.weight) > 0;
}

// edgeseg/vision/overlay.py, paint: each pixel tinted in its class's colour, brighter where another class begins.
// frame, painted: BGR, height x width. colours, alphas: 512 entries of B, G, R, 0: by label, from 256 on by label on a line.
extern "C" __global__ void paint(
    const uint8 *frame, const uint8 *labels, const uint8 *colours, const uint8 *alphas, uint8 *painted,
    int height, int width)
{
    const int x = pixel_x(), y = pixel_y();
    if (x >= width || y >= height) return;
    const int pixel = y * width + x, name = labels[pixel];
    const bool on_line =
        (x + 1 < width && labels[pixel + 1] != name) || (y + 1 < height && labels[pixel + width] != name);
    const uint8 *colour = colours + 4 * (on_line ? name + 256 : name), *alpha = alphas + (colour - colours);
    for (int channel = 0; channel < 3; channel++) {
        const int opacity = alpha[channel];
        const int sum = frame[3 * pixel + channel] * (255 - opacity) + colour[channel] * opacity + 128;
        painted[3 * pixel + channel] = (uint8)((sum + (sum >> 8)) >> 8);
    }
}
