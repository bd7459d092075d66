#include <string.h>

#include "kernels.h"

// An element is moved as one word, which makes the compiler see vectors. Each width has its own loop, because the stride has to be a
// constant for that. On a big-endian processor the planes would come in the wrong order.
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "planes are taken from little-endian words");

#define SPLIT(width, word)                                                                                        \
    static void split_##width(const uint8_t *restrict elements, size_t count, uint8_t *restrict planes) {         \
        for (size_t i = 0; i < count; i++) {                                                                      \
            word element;                                                                                         \
            memcpy(&element, elements + i * width, width);                                                        \
            for (unsigned k = 0; k < width; k++) planes[k * count + i] = (uint8_t)(element >> (8 * k));           \
        }                                                                                                         \
    }

#define JOIN(width, word)                                                                                         \
    static void join_##width(const uint8_t *const *planes, size_t count, uint8_t *restrict elements) {            \
        const uint8_t *plane[width];                                                                              \
        for (unsigned k = 0; k < width; k++) plane[k] = planes[k];                                                \
        for (size_t i = 0; i < count; i++) {                                                                      \
            word element = 0;                                                                                     \
            for (unsigned k = 0; k < width; k++) element |= (word)((word)plane[k][i] << (8 * k));                 \
            memcpy(elements + i * width, &element, width);                                                        \
        }                                                                                                         \
    }

SPLIT(2, uint16_t)
SPLIT(4, uint32_t)
SPLIT(8, uint64_t)
JOIN(2, uint16_t)
JOIN(4, uint32_t)
JOIN(8, uint64_t)

void lockstep_planes_split(const void *elements, size_t count, unsigned width, uint8_t *planes) {
    switch (width) {
    case 2: split_2(elements, count, planes); break;
    case 4: split_4(elements, count, planes); break;
    case 8: split_8(elements, count, planes); break;
    }
}

void lockstep_planes_join(const uint8_t *const *planes, size_t count, unsigned width, void *elements) {
    switch (width) {
    case 2: join_2(planes, count, elements); break;
    case 4: join_4(planes, count, elements); break;
    case 8: join_8(planes, count, elements); break;
    }
}

void lockstep_count_bytes(const void *data, size_t n, uint32_t counts[256]) {
    const uint8_t *bytes = data;
    for (size_t i = 0; i < n; i++) counts[bytes[i]]++;
}
