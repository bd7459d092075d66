#ifndef LOCKSTEP_FOLDING_H
#define LOCKSTEP_FOLDING_H

// Folding with carry-less products, shared by both checksums.
//
// Sixteen bytes of the message are the polynomial L·x^64 + H, L being the eight bytes that come first. Moving them D bits
// down the message multiplies them by x^D, which modulo P is L·(x^(D+64) mod P) + H·(x^D mod P): two 64-bit products that
// are added (exclusive or) to the sixteen bytes standing there. A reflected product of two 64-bit operands comes out
// multiplied by x, so the constants are x^(D+63) and x^(D-1) modulo P, reflected, aligned to the top of 64 bits. What is
// left at the end is a block of sixteen bytes with the same remainder as the whole message.

#include <stddef.h>
#include <stdint.h>

/// The two constants that move a block: the first for its first eight bytes.
struct lockstep_move {
    uint64_t first, second;
};

/// Constants of one checksum, named by how many bits they move a block.
struct lockstep_folding {
    struct lockstep_move by128, by512, by1024, by2048;
};

extern const struct lockstep_folding lockstep_folding_crc32c, lockstep_folding_crc64nvme;

struct lockstep_block {
    uint64_t first, second;
};

/// Folds n bytes, a multiple of 16 and at least 16, with the running register added to the first of them.
typedef struct lockstep_block lockstep_fold(
    const struct lockstep_folding *constants, uint64_t running, const uint8_t *data, size_t n);

/// The same for both checksums in one pass over the data; running values and results: CRC-32C, then CRC-64/NVME.
typedef void lockstep_fold_both(
    const uint64_t running[2], const uint8_t *data, size_t n, struct lockstep_block result[2]);

/// One way of folding, with what reduces the last block to the register of each checksum.
struct lockstep_folder {
    lockstep_fold *fold;
    lockstep_fold_both *fold_both;
    uint32_t (*reduce_crc32c)(struct lockstep_block block);
    uint64_t (*reduce_crc64nvme)(struct lockstep_block block);
};

/// The folder of a path, or null when this processor does not have it (and always for the portable one).
const struct lockstep_folder *lockstep_folder_of(int path);

/// The best folder of this processor, or null.
const struct lockstep_folder *lockstep_best_folder(void);

// Constants of the reduction of CRC-64/NVME: x^127 mod P, the low 64 coefficients of floor(x^128 / P), and those of P.
#define LOCKSTEP_CRC64_X127 UINT64_C(0x21e9761e252621ac)
#define LOCKSTEP_CRC64_MU UINT64_C(0x13f67d194d77cfbb)
#define LOCKSTEP_CRC64_POLY UINT64_C(0x9a6c9329ac4bc9b5)
#define LOCKSTEP_CRC32C_POLY UINT32_C(0x82f63b78)

// Registers (not final values) continued by tables; they take the last bytes that fill no block.
uint32_t lockstep_crc32c_by_table(uint32_t running, const uint8_t *data, size_t n);
uint64_t lockstep_crc64nvme_by_table(uint64_t running, const uint8_t *data, size_t n);

/// Eight bytes in message order as the number that the tables and folders work on.
static inline uint64_t lockstep_load64(const uint8_t *data) {
    uint64_t word;
    __builtin_memcpy(&word, data, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

#endif
