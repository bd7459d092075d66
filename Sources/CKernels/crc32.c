#include "folding.h"
#include "kernels.h"

static const struct lockstep_folding folding = {
    .by128 = {UINT64_C(0x65673b4600000000), UINT64_C(0x9ba54c6f00000000)},
    .by512 = {UINT64_C(0x653d982200000000), UINT64_C(0xcad38e8f00000000)},
    .by1024 = {UINT64_C(0x7d657a1000000000), UINT64_C(0x7406fa9500000000)},
    .by2048 = {UINT64_C(0x7cc8e1e700000000), UINT64_C(0x03f9f86300000000)},
};

// The register after a byte.
static uint32_t table[256];

__attribute__((constructor)) static void fill_table(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t value = byte;
        for (int bit = 0; bit < 8; bit++) value = (value >> 1) ^ ((value & 1) ? UINT32_C(0xedb88320) : 0);
        table[byte] = value;
    }
}

static uint32_t by_byte(uint32_t running, uint8_t byte) { return (running >> 8) ^ table[(running ^ byte) & 255]; }

/// The register after eight bytes, the lowest of which comes first.
static uint32_t by_word(uint32_t running, uint64_t word) {
    for (int i = 0; i < 8; i++, word >>= 8) running = by_byte(running, (uint8_t)word);
    return running;
}

uint32_t lockstep_crc32(uint32_t crc, const void *data, size_t n) {
    const struct lockstep_folder *folder = lockstep_best_folder();
    const uint8_t *bytes = data;
    uint32_t running = ~crc;
    size_t folded = n & ~(size_t)15;
    if (folder != NULL && folded > 0) {
        struct lockstep_block block = folder->fold(&folding, running, bytes, folded);
        running = by_word(by_word(0, block.first), block.second);
        bytes += folded;
        n -= folded;
    }
    for (; n > 0; bytes++, n--) running = by_byte(running, *bytes);
    return ~running;
}
