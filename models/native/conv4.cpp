// Conv4(reduction="stride", norm="group") with a linear head, for many tasks, each with its own weights.
//
// Channels are the last axis of every map, so that they fill the vectors. A convolution is not unrolled into columns:
// a table gives the pixel that each tap of each output pixel reads, and a register tile of a few pixels by many
// channels iterates over the taps. The gradient of the maps uses the table of the other direction in the same way.
// A few images at a time go through the forward and the backward pass, so that intermediate maps stay in the cache.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <type_traits>
#include <vector>

namespace {

#if defined(__AVX512F__)
constexpr int LANES = 16, COLUMNS = 4;
#elif defined(__AVX__)
constexpr int LANES = 8, COLUMNS = 2;
#elif defined(__aarch64__)
constexpr int LANES = 4, COLUMNS = 4;
#else
constexpr int LANES = 4, COLUMNS = 2;
#endif
constexpr int ROWS = 6;      // ROWS x COLUMNS sums, COLUMNS weights and a broadcast fit the registers
constexpr int TOGETHER = 6;  // images whose maps fit the cache
constexpr int TAPS = 9, BLOCKS = 4, GROUPS = 8;
constexpr float EPSILON = 1e-5f;

typedef float V __attribute__((vector_size(4 * LANES)));
typedef float Unaligned __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t Truth __attribute__((vector_size(4 * LANES)));

inline V load(const float* from) { return *reinterpret_cast<const Unaligned*>(from); }
inline void store(float* to, V value) { *reinterpret_cast<Unaligned*>(to) = value; }
inline V all(float value) { return value - V{}; }

inline float sum(V values) {
    float total = 0;
    for (int lane = 0; lane < LANES; lane++) total += values[lane];
    return total;
}

template <class Body>
void over_columns(int width, Body body) {
    int column = 0;
    for (; column + COLUMNS * LANES <= width; column += COLUMNS * LANES)
        body(column, std::integral_constant<int, COLUMNS>());
    for (; column < width; column += LANES) body(column, std::integral_constant<int, 1>());
}

// Calls `body` with the number of rows as a compile-time constant, at most ROWS, in tiles of nearly equal size.
template <class Body>
void over_rows(int rows, Body body) {
    int tiles = (rows + ROWS - 1) / ROWS;
    for (int row = 0; tiles > 0; tiles--) {
        const int count = (rows - row + tiles - 1) / tiles;
        switch (count) {
            case 1: body(row, std::integral_constant<int, 1>()); break;
            case 2: body(row, std::integral_constant<int, 2>()); break;
            case 3: body(row, std::integral_constant<int, 3>()); break;
            case 4: body(row, std::integral_constant<int, 4>()); break;
            case 5: body(row, std::integral_constant<int, 5>()); break;
            default: body(row, std::integral_constant<int, 6>()); break;
        }
        row += count;
    }
}

struct Buffer {
    float* data = nullptr;
    size_t size = 0;
    Buffer() = default;
    Buffer(const Buffer&) = delete;
    ~Buffer() { std::free(data); }
    float* of(size_t wanted) {
        if (wanted > size) {
            std::free(data);
            size = (wanted + 15) / 16 * 16;
            data = static_cast<float*>(std::aligned_alloc(64, size * sizeof(float)));
        }
        return data;
    }
};

// One direction of a convolution on one image: `reads[at * taps + tap]` is the pixel that `places[at]` reads, or -1.
// Pixels that lack the same taps (at the border) are adjacent, so that a tile can skip those taps.
struct Table {
    std::vector<int> places, reads;
};

struct Place {
    int place, lacks;
    std::vector<int> reads;
};

Table sorted(std::vector<Place> places) {
    std::stable_sort(places.begin(), places.end(), [](const Place& a, const Place& b) { return a.lacks < b.lacks; });
    Table table;
    for (const Place& place : places) {
        table.places.push_back(place.place);
        table.reads.insert(table.reads.end(), place.reads.begin(), place.reads.end());
    }
    return table;
}

// The first block reads its images as columns, 9 numbers for each channel and pixel: a convolution with one tap.
struct Block {
    int inputs, outputs, taps, before, after;  // channels, and pixels before and after
    int tall, wide;                            // height and width of the output maps
    Table forth, back;
    Buffer weight, turned, gradient;          // (inputs, taps, outputs); (outputs, taps, inputs); like the first
    Buffer normal, active, slope, deviation;  // (images, places, outputs), thrice; (images, outputs) 1 / deviation
    size_t size() const { return static_cast<size_t>(taps) * inputs * outputs; }

    void shape(int inputs_, int outputs_, int taps_, int height, int width) {
        inputs = inputs_, outputs = outputs_, taps = taps_;
        tall = (height + 1) / 2, wide = (width + 1) / 2, after = tall * wide;
        before = taps == 1 ? after : height * width;
        std::vector<Place> to(after, Place{0, (1 << taps) - 1, std::vector<int>(taps, -1)}), from(before, to[0]);
        for (int place = 0; place < after; place++) to[place].place = place;
        for (int place = 0; place < before; place++) from[place].place = place;
        for (int place = 0; place < after; place++)
            for (int tap = 0; tap < taps; tap++) {
                const int y = 2 * (place / wide) + tap / 3 - 1, x = 2 * (place % wide) + tap % 3 - 1;
                if (taps > 1 && (y < 0 || y >= height || x < 0 || x >= width)) continue;
                const int read = taps > 1 ? y * width + x : place;
                to[place].reads[tap] = read, to[place].lacks &= ~(1 << tap);
                from[read].reads[tap] = place, from[read].lacks &= ~(1 << tap);
            }
        forth = sorted(to), back = sorted(from);
    }
};

// The number of images to process at a time, such that all groups have nearly the same size.
int group_of(int images) {
    const int groups = std::max(1, (images + TOGETHER - 1) / TOGETHER);
    return std::max(1, (images + groups - 1) / groups);
}

// The buffers of one thread, kept between calls.
struct Network {
    Block blocks[BLOCKS] = {};
    int channels = 0, height = 0, width = 0, features = 0;
    Buffer columns, summary, nothing, scratch, logits;
    std::vector<const float*> read, there;

    void shape(int channels_, int height_, int width_, int features_) {
        if (channels == channels_ && height == height_ && width == width_ && features == features_) return;
        channels = channels_, height = height_, width = width_, features = features_;
        for (int b = 0; b < BLOCKS; b++) {
            const Block* last = b ? &blocks[b - 1] : nullptr;
            blocks[b].shape(b ? features : TAPS * channels, features, b ? TAPS : 1, b ? last->tall : height,
                            b ? last->wide : width);
        }
    }
};

// to[image, place] = bias + sum over taps of from[image, read] weight[tap]
void convolve(const Table& table, int taps, const float* from, int from_places, int inputs, const float* weight,
              const float* bias, float* to, int outputs, int images, const float* nothing) {
    const int places = static_cast<int>(table.places.size());
    over_columns(outputs, [&](int column, auto columns) {
        constexpr int C = columns();
        over_rows(places * images, [&](int row, auto rows) {
            constexpr int R = rows();
            V sums[R][C];
            const int* reads[R];
            const float* begin[R];
            float* out[R];
            int at = row / images, image = row % images;
            for (int r = 0; r < R; r++) {
                reads[r] = &table.reads[at * taps];
                begin[r] = from + static_cast<size_t>(image) * from_places * inputs;
                out[r] = to + (static_cast<size_t>(image) * places + table.places[at]) * outputs + column;
                for (int c = 0; c < C; c++) sums[r][c] = bias ? load(bias + column + c * LANES) : V{};
                if (++image == images) image = 0, at++;
            }
            for (int tap = 0; tap < taps; tap++) {
                const float* at[R];
                bool any = false;
                for (int r = 0; r < R; r++) {
                    any |= reads[r][tap] >= 0;
                    at[r] = reads[r][tap] < 0 ? nothing : begin[r] + reads[r][tap] * inputs;
                }
                if (!any) continue;
                const float* by = weight + tap * outputs + column;
                for (int k = 0; k < inputs; k++, by += taps * outputs) {
                    V factor[C];
#pragma GCC unroll 4
                    for (int c = 0; c < C; c++) factor[c] = load(by + c * LANES);
#pragma GCC unroll 6
                    for (int r = 0; r < R; r++) {
                        const V value = all(at[r][k]);
#pragma GCC unroll 4
                        for (int c = 0; c < C; c++) sums[r][c] += value * factor[c];
                    }
                }
            }
            for (int r = 0; r < R; r++)
                for (int c = 0; c < C; c++) store(out[r] + c * LANES, sums[r][c]);
        });
    });
}

// gradient[tap] (+= unless these are the first images) the sum over output pixels of the input that the tap read, times
// the slope at the output
void correlate(Network& net, Block& block, const float* from, int images, bool first) {
    auto &read = net.read, &there = net.there;
    const size_t step = static_cast<size_t>(block.taps) * block.outputs;
    for (int tap = 0; tap < block.taps; tap++) {
        read.clear(), there.clear();
        for (int image = 0; image < images; image++)
            for (int at = 0; at < block.after; at++) {
                const int place = block.forth.reads[at * block.taps + tap];
                if (place < 0) continue;
                read.push_back(from + (static_cast<size_t>(image) * block.before + place) * block.inputs);
                there.push_back(block.slope.data + (image * block.after + block.forth.places[at]) * block.outputs);
            }
        const int pairs = static_cast<int>(read.size());
        over_columns(block.outputs, [&](int column, auto columns) {
            constexpr int C = columns();
            over_rows(block.inputs, [&](int row, auto rows) {
                constexpr int R = rows();
                V sums[R][C];
                float* to = block.gradient.data + row * step + tap * block.outputs + column;
                for (int r = 0; r < R; r++)
                    for (int c = 0; c < C; c++) sums[r][c] = first ? V{} : load(to + r * step + c * LANES);
                for (int pair = 0; pair < pairs; pair++) {
                    const float *values = read[pair] + row, *by = there[pair] + column;
                    V factor[C];
#pragma GCC unroll 4
                    for (int c = 0; c < C; c++) factor[c] = load(by + c * LANES);
#pragma GCC unroll 6
                    for (int r = 0; r < R; r++) {
                        const V value = all(values[r]);
#pragma GCC unroll 4
                        for (int c = 0; c < C; c++) sums[r][c] += value * factor[c];
                    }
                }
                for (int r = 0; r < R; r++)
                    for (int c = 0; c < C; c++) store(to + r * step + c * LANES, sums[r][c]);
            });
        });
    }
}

// Each channel's total over its group, times `factor`.
void over_groups(float* channels, int width, float factor) {
    const int size = width / GROUPS;
    for (int group = 0; group < GROUPS; group++) {
        float total = 0;
        for (int c = 0; c < size; c++) total += channels[group * size + c];
        for (int c = 0; c < size; c++) channels[group * size + c] = total * factor;
    }
}

// Normalise the maps in `normal` in place, and write max(0, scale * normal + shift) to `active`.
void normalise(Block& block, const float* scale, const float* shift, int images, float* mean) {
    const int width = block.outputs, places = block.after;
    const float share = 1.0f / static_cast<float>(places * width / GROUPS);
    for (int image = 0; image < images; image++) {
        float* maps = block.normal.data + static_cast<size_t>(image) * places * width;
        float* active = block.active.data + static_cast<size_t>(image) * places * width;
        float* inverse = block.deviation.data + image * width;
        over_columns(width, [&](int column, auto columns) {
            constexpr int C = columns();
            V total[C] = {};
            for (int place = 0; place < places; place++)
                for (int c = 0; c < C; c++) total[c] += load(maps + place * width + column + c * LANES);
            for (int c = 0; c < C; c++) store(mean + column + c * LANES, total[c]);
        });
        over_groups(mean, width, share);
        over_columns(width, [&](int column, auto columns) {
            constexpr int C = columns();
            V total[C] = {}, middle[C];
            for (int c = 0; c < C; c++) middle[c] = load(mean + column + c * LANES);
            for (int place = 0; place < places; place++)
                for (int c = 0; c < C; c++) {
                    const V away = load(maps + place * width + column + c * LANES) - middle[c];
                    total[c] += away * away;
                }
            for (int c = 0; c < C; c++) store(inverse + column + c * LANES, total[c]);
        });
        over_groups(inverse, width, share);
        for (int c = 0; c < width; c++) inverse[c] = 1.0f / std::sqrt(inverse[c] + EPSILON);
        over_columns(width, [&](int column, auto columns) {
            constexpr int C = columns();
            V middle[C], by[C], times[C], plus[C];
            for (int c = 0; c < C; c++) {
                const int at = column + c * LANES;
                middle[c] = load(mean + at), by[c] = load(inverse + at), times[c] = load(scale + at);
                plus[c] = load(shift + at);
            }
            for (int place = 0; place < places; place++)
                for (int c = 0; c < C; c++) {
                    const int at = place * width + column + c * LANES;
                    const V normal = (load(maps + at) - middle[c]) * by[c], value = normal * times[c] + plus[c];
                    store(maps + at, normal);
                    store(active + at, value < V{} ? V{} : value);  // nan stays nan
                }
        });
    }
}

// Turn the slope at `active` into the slope before the norm, and accumulate those of scale, shift and bias.
void denormalise(Block& block, const float* scale, int images, float* for_scale, float* for_shift, float* for_bias,
                 float* scratch) {
    const int width = block.outputs, places = block.after;
    const float share = 1.0f / static_cast<float>(places * width / GROUPS);
    float *level = scratch, *tilt = scratch + width;
    for (int image = 0; image < images; image++) {
        const size_t begin = static_cast<size_t>(image) * places * width;
        const float *normal = block.normal.data + begin, *active = block.active.data + begin;
        const float* inverse = block.deviation.data + image * width;
        float* slope = block.slope.data + begin;
        over_columns(width, [&](int column, auto columns) {
            constexpr int C = columns();
            V total[C] = {}, tilted[C] = {};
            for (int place = 0; place < places; place++)
                for (int c = 0; c < C; c++) {
                    const int at = place * width + column + c * LANES;
                    const V here = load(active + at) <= V{} ? V{} : load(slope + at);
                    store(slope + at, here);
                    total[c] += here, tilted[c] += here * load(normal + at);
                }
            for (int c = 0; c < C; c++) {
                const int at = column + c * LANES;
                store(for_shift + at, load(for_shift + at) + total[c]);
                store(for_scale + at, load(for_scale + at) + tilted[c]);
                store(level + at, total[c] * load(scale + at)), store(tilt + at, tilted[c] * load(scale + at));
            }
        });
        over_groups(level, width, share), over_groups(tilt, width, share);
        over_columns(width, [&](int column, auto columns) {
            constexpr int C = columns();
            V times[C], minus[C], by[C], total[C] = {};
            for (int c = 0; c < C; c++) {
                const int at = column + c * LANES;
                times[c] = load(inverse + at) * load(scale + at);
                minus[c] = load(inverse + at) * load(level + at), by[c] = load(inverse + at) * load(tilt + at);
            }
            for (int place = 0; place < places; place++)
                for (int c = 0; c < C; c++) {
                    const int at = place * width + column + c * LANES;
                    const V here = times[c] * load(slope + at) - minus[c] - by[c] * load(normal + at);
                    store(slope + at, here), total[c] += here;
                }
            for (int c = 0; c < C; c++)
                store(for_bias + column + c * LANES, load(for_bias + column + c * LANES) + total[c]);
        });
    }
}

// Transpose a square of LANES x LANES in registers: each round swaps the off-diagonal blocks of squares twice as large.
inline void transpose_square(const float* from, size_t from_step, float* to, size_t to_step) {
#if defined(__clang__)
    for (int i = 0; i < LANES; i++)
        for (int j = 0; j < LANES; j++) to[j * to_step + i] = from[i * from_step + j];
#else
    V rows[LANES];
    for (int i = 0; i < LANES; i++) rows[i] = load(from + i * from_step);
#pragma GCC unroll 4
    for (int half = 1; half < LANES; half *= 2) {
        Truth upper, lower;
        for (int lane = 0; lane < LANES; lane++) {
            upper[lane] = lane & half ? LANES + lane - half : lane;
            lower[lane] = lane & half ? LANES + lane : lane + half;
        }
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++) {
            if (i & half) continue;
            const V a = rows[i], b = rows[i + half];
            rows[i] = __builtin_shuffle(a, b, upper), rows[i + half] = __builtin_shuffle(a, b, lower);
        }
    }
    for (int i = 0; i < LANES; i++) store(to + i * to_step, rows[i]);
#endif
}

// to[j, i] = from[i, j], each with its own row stride
void transpose(const float* from, int rows, int columns, size_t from_step, float* to, size_t to_step) {
    for (int i = 0; i < rows; i += LANES)
        for (int j = 0; j < columns; j += LANES) {
            if (i + LANES <= rows && j + LANES <= columns) {
                transpose_square(from + i * from_step + j, from_step, to + j * to_step + i, to_step);
                continue;
            }
            for (int y = i; y < std::min(rows, i + LANES); y++)
                for (int x = j; x < std::min(columns, j + LANES); x++) to[x * to_step + y] = from[y * from_step + x];
        }
}

}  // namespace

extern "C" {

struct Shape {
    int32_t tasks, images, channels, height, width, features, ways, centred;
    float scale;
};

}  // extern "C"

namespace {

// The weights in the layout that the gradient of the maps reads.
void turn(Block& block) {
    float* turned = block.turned.of(block.size());
    for (int tap = 0; tap < block.taps; tap++)
        transpose(block.weight.data + tap * block.outputs, block.inputs, block.outputs, block.taps * block.outputs,
                  turned + tap * block.inputs, block.taps * block.inputs);
}

void prepare(Network& net, const Shape& shape, const float* const* weights, bool backwards) {
    net.shape(shape.channels, shape.height, shape.width, shape.features);
    for (int b = 0; b < BLOCKS; b++) {
        Block& block = net.blocks[b];
        const int rows = block.inputs * block.taps, outputs = block.outputs;
        const size_t maps = static_cast<size_t>(TOGETHER) * block.after * outputs;
        transpose(weights[4 * b], outputs, rows, rows, block.weight.of(block.size()), outputs);
        block.normal.of(maps), block.active.of(maps), block.deviation.of(TOGETHER * outputs);
        if (!backwards) continue;
        block.slope.of(maps);
        block.gradient.of(block.size());
        if (b) turn(block);
    }
    const int widest = std::max(shape.features, TAPS * shape.channels);
    net.columns.of(static_cast<size_t>(TOGETHER) * net.blocks[0].before * net.blocks[0].inputs);
    net.summary.of(2 * TOGETHER * shape.features), net.scratch.of(2 * shape.features), net.logits.of(shape.ways);
    std::fill_n(net.nothing.of(widest), widest, 0.0f);
}

// An image (channels, height, width) as the columns (pixels, channels, taps) of the first block.
void unroll(const Shape& shape, const Block& block, const float* image, float* columns) {
    for (int place = 0; place < block.after; place++)
        for (int channel = 0; channel < shape.channels; channel++)
            for (int tap = 0; tap < TAPS; tap++) {
                const int y = 2 * (place / block.wide) + tap / 3 - 1, x = 2 * (place % block.wide) + tap % 3 - 1;
                const bool inside = y >= 0 && y < shape.height && x >= 0 && x < shape.width;
                *columns++ = inside ? image[(channel * shape.height + y) * shape.width + x] : 0.0f;
            }
}

// Features (count, features) of the images at these addresses; `inverse` (count,) is 1 / deviation of the centred ones.
void forward(Network& net, const Shape& shape, const float* const* weights, const float* const* images, int count,
             float* features, float* inverse) {
    const int width = shape.features;
    const Block& first = net.blocks[0];
    for (int i = 0; i < count; i++)
        unroll(shape, first, images[i], net.columns.data + static_cast<size_t>(i) * first.before * first.inputs);
    const float* from = net.columns.data;
    for (int b = 0; b < BLOCKS; b++) {
        Block& block = net.blocks[b];
        convolve(block.forth, block.taps, from, block.before, block.inputs, block.weight.data, weights[4 * b + 1],
                 block.normal.data, block.outputs, count, net.nothing.data);
        normalise(block, weights[4 * b + 2], weights[4 * b + 3], count, net.scratch.data);
        from = block.active.data;
    }
    const int places = net.blocks[BLOCKS - 1].after;
    for (int image = 0; image < count; image++) {
        float* feature = features + static_cast<size_t>(image) * width;
        std::fill_n(feature, width, 0.0f);
        for (int place = 0; place < places; place++)
            for (int c = 0; c < width; c++) feature[c] += from[(image * places + place) * width + c];
        for (int c = 0; c < width; c++) feature[c] /= static_cast<float>(places);
        if (shape.centred) {
            V total = {}, square = {};
            for (int c = 0; c < width; c += LANES) total += load(feature + c);
            const V mean = all(sum(total) / static_cast<float>(width));
            for (int c = 0; c < width; c += LANES) {
                store(feature + c, load(feature + c) - mean);
                square += load(feature + c) * load(feature + c);
            }
            inverse[image] = 1.0f / std::sqrt(sum(square) / static_cast<float>(width) + EPSILON);
            for (int c = 0; c < width; c++) feature[c] *= inverse[image];
        }
        for (int c = 0; c < width; c++) feature[c] *= shape.scale;
    }
}

// The loss of one image's feature times `share`. Accumulates the slopes of the head, and writes that of the feature.
float judge(const Shape& shape, const float* const* weights, float* const* gradients, const float* feature,
            int64_t target, float share, float* slope, float* logits) {
    const int width = shape.features;
    float highest = -INFINITY, total = 0;
    for (int way = 0; way < shape.ways; way++) {
        V dot = {};
        for (int c = 0; c < width; c += LANES) dot += load(feature + c) * load(weights[16] + way * width + c);
        logits[way] = sum(dot) + weights[17][way];
        highest = std::max(highest, logits[way]);
    }
    const float wanted = logits[target];
    for (int way = 0; way < shape.ways; way++) total += logits[way] = std::exp(logits[way] - highest);
    std::fill_n(slope, width, 0.0f);
    for (int way = 0; way < shape.ways; way++) {
        const float error = share * (logits[way] / total - (way == target ? 1.0f : 0.0f));
        gradients[17][way] += error;
        for (int c = 0; c < width; c++) {
            gradients[16][way * width + c] += error * feature[c];
            slope[c] += error * weights[16][way * width + c];
        }
    }
    return share * (std::log(total) + highest - wanted);
}

// From the slope at the feature of each image to the slopes of all weights of the encoder.
void backward(Network& net, const Shape& shape, const float* const* weights, float* const* gradients, int count,
              const float* features, const float* inverse, float* slopes, bool first) {
    const int width = shape.features, places = net.blocks[BLOCKS - 1].after;
    for (int image = 0; image < count; image++) {
        float* slope = slopes + image * width;
        const float* feature = features + image * width;
        for (int c = 0; c < width; c++) slope[c] *= shape.scale;
        if (shape.centred) {
            V level = {}, tilt = {};
            for (int c = 0; c < width; c += LANES)
                level += load(slope + c), tilt += load(slope + c) * load(feature + c);
            const float mean = sum(level) / static_cast<float>(width);
            const float square = shape.scale * shape.scale * static_cast<float>(width);
            const float turn = square > 0 ? sum(tilt) / square : 0.0f;
            for (int c = 0; c < width; c++) slope[c] = inverse[image] * (slope[c] - mean - turn * feature[c]);
        }
        for (int place = 0; place < places; place++)
            for (int c = 0; c < width; c++)
                net.blocks[BLOCKS - 1].slope.data[(image * places + place) * width + c] =
                    slope[c] / static_cast<float>(places);
    }
    for (int b = BLOCKS - 1; b >= 0; b--) {
        Block& block = net.blocks[b];
        denormalise(block, weights[4 * b + 2], count, gradients[4 * b + 2], gradients[4 * b + 3],
                    gradients[4 * b + 1], net.scratch.data);
        correlate(net, block, b ? net.blocks[b - 1].active.data : net.columns.data, count, first);
        if (b)
            convolve(block.back, block.taps, block.slope.data, block.after, block.outputs, block.turned.data, nullptr,
                     net.blocks[b - 1].slope.data, block.inputs, count, net.nothing.data);
    }
}

int sizes_of(const Shape& shape, int weight) {
    const int block = weight / 4, width = shape.features;
    if (weight == 16) return shape.ways * width;
    if (weight == 17) return shape.ways;
    return weight % 4 ? width : width * TAPS * (block ? width : shape.channels);
}

bool of_filters(int weight) { return weight < 16 && weight % 4 == 0; }

// The support set of one task.
struct Examples {
    const float* images;
    const int64_t* targets;
    std::vector<int> rows;  // those that are not masked

    Examples(const float* images_, const int64_t* targets_, const uint8_t* mask, int count)
        : images(images_), targets(targets_) {
        for (int row = 0; row < count; row++)
            if (mask[row]) rows.push_back(row);
    }

    bool are_of(int ways) const {
        return std::all_of(rows.begin(), rows.end(), [&](int row) { return targets[row] >= 0 && targets[row] < ways; });
    }
};

// The mean loss of a task's examples. The slopes of the filters stay in the blocks; the others go to `gradients`.
float slopes_of(Network& net, const Shape& shape, const Examples& examples, const float* const* weights,
                float* const* gradients) {
    const size_t image = static_cast<size_t>(shape.channels) * shape.height * shape.width;
    const int real = static_cast<int>(examples.rows.size()), group = group_of(real), width = shape.features;
    float *features = net.summary.data, *slopes = features + TOGETHER * width, inverse[TOGETHER], loss = 0;
    for (int i = 0; i < 18; i++)
        if (!of_filters(i)) std::fill_n(gradients[i], sizes_of(shape, i), 0.0f);
    for (int b = 0; b < BLOCKS && real == 0; b++) std::fill_n(net.blocks[b].gradient.data, net.blocks[b].size(), 0.0f);
    for (int first = 0; first < real; first += group) {
        const float* at[TOGETHER];
        const int count = std::min(group, real - first), *rows = &examples.rows[first];
        for (int i = 0; i < count; i++) at[i] = examples.images + rows[i] * image;
        forward(net, shape, weights, at, count, features, inverse);
        for (int i = 0; i < count; i++)
            loss += judge(shape, weights, gradients, features + i * width, examples.targets[rows[i]],
                          1.0f / static_cast<float>(real), slopes + i * width, net.logits.data);
        backward(net, shape, weights, gradients, count, features, inverse, slopes, first == 0);
    }
    return loss;
}

// One descent step of each weight, by its own learning rate.
void descend(Network& net, const Shape& shape, float* const* weights, const float* const* gradients,
             const float* rates) {
    for (int i = 0; i < 18; i++) {
        float* weight = of_filters(i) ? net.blocks[i / 4].weight.data : weights[i];
        const float *gradient = of_filters(i) ? net.blocks[i / 4].gradient.data : gradients[i], rate = rates[i];
        for (int k = 0, size = sizes_of(shape, i); k < size; k++) weight[k] -= rate * gradient[k];
    }
    for (int b = 1; b < BLOCKS; b++) turn(net.blocks[b]);
}

// The filters or their slopes from the blocks, in the layout of the encoder.
void write_filters(const Network& net, Buffer Block::*which, float* const* to) {
    for (int b = 0; b < BLOCKS; b++) {
        const Block& block = net.blocks[b];
        const int columns = block.inputs * block.taps;
        transpose((block.*which).data, columns, block.outputs, block.outputs, to[4 * b], columns);
    }
}

thread_local Network network;
thread_local Buffer others;

}  // namespace

extern "C" {

// Features (tasks, images, features). A stride is the distance in elements from one task to the next, 0 for a tensor
// that all tasks share. Weights: 16 of the encoder, each a pointer and a stride.
void handful_features(const Shape* shape, const float* images, int64_t images_stride, const float* const* weights,
                      const int64_t* strides, float* features) {
    const size_t image = static_cast<size_t>(shape->channels) * shape->height * shape->width;
    float inverse[TOGETHER];
    for (int task = 0; task < shape->tasks; task++) {
        const float *mine[16], *at[TOGETHER];
        for (int i = 0; i < 16; i++) mine[i] = weights[i] + task * strides[i];
        if (task == 0 || std::any_of(strides, strides + 16, [](int64_t s) { return s != 0; }))
            prepare(network, *shape, mine, false);
        const int group = group_of(shape->images);
        for (int first = 0; first < shape->images; first += group) {
            const int count = std::min(group, shape->images - first);
            for (int i = 0; i < count; i++) at[i] = images + task * images_stride + (first + i) * image;
            float* to = features + (static_cast<size_t>(task) * shape->images + first) * shape->features;
            forward(network, *shape, mine, at, count, to, inverse);
        }
    }
}

// Losses (tasks,) and their gradients, 18 contiguous tensors (tasks, *weight). Returns 1 for a target out of range.
int handful_gradients(const Shape* shape, const float* images, int64_t images_stride, const int64_t* targets,
                      int64_t targets_stride, const uint8_t* mask, int64_t mask_stride, const float* const* weights,
                      const int64_t* strides, float* const* gradients, float* losses) {
    for (int task = 0; task < shape->tasks; task++) {
        const Examples examples(images + task * images_stride, targets + task * targets_stride,
                                mask + task * mask_stride, shape->images);
        if (!examples.are_of(shape->ways)) return 1;
        const float* mine[18];
        float* to[18];
        for (int i = 0; i < 18; i++) {
            mine[i] = weights[i] + task * strides[i];
            to[i] = gradients[i] + static_cast<size_t>(task) * sizes_of(*shape, i);
        }
        prepare(network, *shape, mine, true);
        losses[task] = slopes_of(network, *shape, examples, mine, to);
        write_filters(network, &Block::gradient, to);
    }
    return 0;
}

// The weights, 18 contiguous tensors (tasks, *weight), after descent from `weights` with learning rates `rates` (steps,
// 18). The filters stay in the blocks during the descent. Returns 1 for a target out of range.
int handful_descent(const Shape* shape, const float* images, int64_t images_stride, const int64_t* targets,
                    int64_t targets_stride, const uint8_t* mask, int64_t mask_stride, const float* const* weights,
                    const int64_t* strides, const float* rates, int32_t steps, float* const* adapted) {
    size_t total = 0;
    for (int i = 0; i < 18; i++) total += of_filters(i) ? 0 : sizes_of(*shape, i);
    for (int task = 0; task < shape->tasks; task++) {
        const Examples examples(images + task * images_stride, targets + task * targets_stride,
                                mask + task * mask_stride, shape->images);
        if (!examples.are_of(shape->ways)) return 1;
        float *mine[18], *gradients[18] = {}, *spare = others.of(total);
        for (int i = 0; i < 18; i++) {
            const int size = sizes_of(*shape, i);
            mine[i] = adapted[i] + static_cast<size_t>(task) * size;
            std::copy_n(weights[i] + task * strides[i], size, mine[i]);
            if (!of_filters(i)) gradients[i] = spare, spare += size;
        }
        prepare(network, *shape, mine, true);
        for (int step = 0; step < steps; step++) {
            slopes_of(network, *shape, examples, mine, gradients);
            descend(network, *shape, mine, gradients, rates + 18 * step);
        }
        write_filters(network, &Block::weight, mine);
    }
    return 0;
}

}  // extern "C"
