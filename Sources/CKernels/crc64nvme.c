#include "folding.h"
#include "kernels.h"

const struct lockstep_folding lockstep_folding_crc64nvme = {
    .by128 = {UINT64_C(0xeadc41fd2ba3d420), UINT64_C(0x21e9761e252621ac)},
    .by512 = {UINT64_C(0x0c32cdb31e18a84a), UINT64_C(0x62242240ace5045a)},
    .by1024 = {UINT64_C(0xa1ca681e733f9c40), UINT64_C(0x5f852fb61e8d92dc)},
    .by2048 = {UINT64_C(0x37ccd3e14069cabc), UINT64_C(0xa043808c0f782663)},
};

// table[k][b]: the register after byte b and k zero bytes.
static uint64_t table[8][256];

__attribute__((constructor)) static void fill_table(void) {
    for (uint64_t byte = 0; byte < 256; byte++) {
        uint64_t value = byte;
        for (int bit = 0; bit < 8; bit++) value = (value >> 1) ^ ((value & 1) ? LOCKSTEP_CRC64_POLY : 0);
        table[0][byte] = value;
    }
    for (int k = 1; k < 8; k++)
        for (int byte = 0; byte < 256; byte++)
            table[k][byte] = (table[k - 1][byte] >> 8) ^ table[0][table[k - 1][byte] & 255];
}

uint64_t lockstep_crc64nvme_by_table(uint64_t running, const uint8_t *data, size_t n) {
    for (; n >= 8; data += 8, n -= 8) {
        uint64_t word = lockstep_load64(data) ^ running;
        running = table[7][word & 255] ^ table[6][word >> 8 & 255] ^ table[5][word >> 16 & 255]
            ^ table[4][word >> 24 & 255] ^ table[3][word >> 32 & 255] ^ table[2][word >> 40 & 255]
            ^ table[1][word >> 48 & 255] ^ table[0][word >> 56];
    }
    for (; n > 0; data++, n--) running = (running >> 8) ^ table[0][(running ^ *data) & 255];
    return running;
}

static uint64_t update(const struct lockstep_folder *folder, uint64_t crc, const uint8_t *data, size_t n) {
    uint64_t running = ~crc;
    size_t folded = n & ~(size_t)15;
    if (folder != NULL && folded > 0) {
        running = folder->reduce_crc64nvme(folder->fold(&lockstep_folding_crc64nvme, running, data, folded));
        data += folded;
        n -= folded;
    }
    return ~lockstep_crc64nvme_by_table(running, data, n);
}

uint64_t lockstep_crc64nvme(uint64_t crc, const void *data, size_t n) {
    return update(lockstep_best_folder(), crc, data, n);
}

uint64_t lockstep_crc64nvme_by(enum lockstep_crc_path path, uint64_t crc, const void *data, size_t n) {
    return update(lockstep_folder_of(path), crc, data, n);
}
