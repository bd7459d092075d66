#include "kernels.h"

// Plain loops: the compiler makes vectors of them. Each width has its own, because the stride has to be a constant for that.

#define SPLIT(width)                                                                                              \
    static void split_##width(const uint8_t *restrict elements, size_t count, uint8_t *restrict planes) {         \
        for (unsigned k = 0; k < width; k++)                                                                      \
            for (size_t i = 0; i < count; i++) planes[k * count + i] = elements[i * width + k];                   \
    }

SPLIT(2)
SPLIT(4)
SPLIT(8)

void lockstep_planes_split(const void *elements, size_t count, unsigned width, uint8_t *planes) {
    switch (width) {
    case 2: split_2(elements, count, planes); break;
    case 4: split_4(elements, count, planes); break;
    case 8: split_8(elements, count, planes); break;
    }
}

static void join_2(const uint8_t *restrict a, const uint8_t *restrict b, size_t count, uint8_t *restrict to) {
    for (size_t i = 0; i < count; i++) {
        to[2 * i] = a[i];
        to[2 * i + 1] = b[i];
    }
}

static void join_4(
    const uint8_t *restrict a, const uint8_t *restrict b, const uint8_t *restrict c, const uint8_t *restrict d,
    size_t count, uint8_t *restrict to) {
    for (size_t i = 0; i < count; i++) {
        to[4 * i] = a[i];
        to[4 * i + 1] = b[i];
        to[4 * i + 2] = c[i];
        to[4 * i + 3] = d[i];
    }
}

static void join_8(const uint8_t *const *planes, size_t count, uint8_t *restrict to) {
    for (size_t i = 0; i < count; i++)
        for (unsigned k = 0; k < 8; k++) to[8 * i + k] = planes[k][i];
}

void lockstep_planes_join(const uint8_t *const *planes, size_t count, unsigned width, void *elements) {
    switch (width) {
    case 2: join_2(planes[0], planes[1], count, elements); break;
    case 4: join_4(planes[0], planes[1], planes[2], planes[3], count, elements); break;
    case 8: join_8(planes, count, elements); break;
    }
}

void lockstep_count_bytes(const void *data, size_t n, uint32_t counts[256]) {
    const uint8_t *bytes = data;
    for (size_t i = 0; i < n; i++) counts[bytes[i]]++;
}
