#include "folding.h"
#include "kernels.h"

const struct lockstep_folding lockstep_folding_crc32c = {
    .by128 = {UINT64_C(0x3743f7bd00000000), UINT64_C(0x3171d43000000000)},
    .by512 = {UINT64_C(0x1c19243b00000000), UINT64_C(0x75bba45b00000000)},
    .by1024 = {UINT64_C(0x6577b24500000000), UINT64_C(0x7417153f00000000)},
    .by2048 = {UINT64_C(0xe9a5d8be00000000), UINT64_C(0x1426a81500000000)},
};

// table[k][b]: the register after byte b and k zero bytes.
static uint32_t table[8][256];

__attribute__((constructor)) static void fill_table(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t value = byte;
        for (int bit = 0; bit < 8; bit++) value = (value >> 1) ^ ((value & 1) ? LOCKSTEP_CRC32C_POLY : 0);
        table[0][byte] = value;
    }
    for (int k = 1; k < 8; k++)
        for (int byte = 0; byte < 256; byte++)
            table[k][byte] = (table[k - 1][byte] >> 8) ^ table[0][table[k - 1][byte] & 255];
}

uint32_t lockstep_crc32c_by_table(uint32_t running, const uint8_t *data, size_t n) {
    for (; n >= 8; data += 8, n -= 8) {
        uint64_t word = lockstep_load64(data) ^ running;
        running = table[7][word & 255] ^ table[6][word >> 8 & 255] ^ table[5][word >> 16 & 255]
            ^ table[4][word >> 24 & 255] ^ table[3][word >> 32 & 255] ^ table[2][word >> 40 & 255]
            ^ table[1][word >> 48 & 255] ^ table[0][word >> 56];
    }
    for (; n > 0; data++, n--) running = (running >> 8) ^ table[0][(running ^ *data) & 255];
    return running;
}

static uint32_t update(const struct lockstep_folder *folder, uint32_t crc, const uint8_t *data, size_t n) {
    uint32_t running = ~crc;
    size_t folded = n & ~(size_t)15;
    if (folder != NULL && folded > 0) {
        running = folder->reduce_crc32c(folder->fold(&lockstep_folding_crc32c, running, data, folded));
        data += folded;
        n -= folded;
    }
    return ~lockstep_crc32c_by_table(running, data, n);
}

uint32_t lockstep_crc32c(uint32_t crc, const void *data, size_t n) {
    return update(lockstep_best_folder(), crc, data, n);
}

uint32_t lockstep_crc32c_by(enum lockstep_crc_path path, uint32_t crc, const void *data, size_t n) {
    return update(lockstep_folder_of(path), crc, data, n);
}
