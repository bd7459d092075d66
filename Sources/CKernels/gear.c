#include "kernels.h"

// How many bytes go through two registers at a time. The second one starts in the middle, after the 64 bytes before it: older ones
// are shifted out, so it is there what the first one would be. The two are independent, which is what the processor needs to do
// nearly two bytes in the time of one.
enum { window = 64, lane = 2048, block = 2 * lane };

static uint64_t roll(uint64_t hash, const uint64_t table[256], const uint8_t *data, size_t n) {
    for (size_t i = 0; i < n; i++) hash = (hash << 1) + table[data[i]];
    return hash;
}

/// Rolls over one block, unless a value in it has the mask's bits all zero: then it says so and leaves the register.
static bool roll_block(uint64_t *hash, const uint64_t table[256], const uint8_t *data, uint64_t mask) {
    uint64_t first = *hash;
    uint64_t second = roll(0, table, data + lane - window, window);
#pragma clang loop unroll_count(4)
    for (size_t i = 0; i < lane; i++) {
        first = (first << 1) + table[data[i]];
        second = (second << 1) + table[data[lane + i]];
        if ((first & mask) == 0 || (second & mask) == 0) return true;
    }
    *hash = second;
    return false;
}

uint64_t lockstep_gear_roll(uint64_t hash, const uint64_t table[256], const void *data, size_t n) {
    return roll(hash, table, data, n);
}

size_t lockstep_gear_find(uint64_t *hash, const uint64_t table[256], const void *data, size_t n, uint64_t mask) {
    const uint8_t *bytes = data;
    size_t done = 0;
    uint64_t running = *hash;
    for (; n - done >= block; done += block) {
        if (roll_block(&running, table, bytes + done, mask)) break;
    }
    for (; done < n; done++) {
        running = (running << 1) + table[bytes[done]];
        if ((running & mask) == 0) {
            *hash = running;
            return done + 1;
        }
    }
    *hash = running;
    return 0;
}
