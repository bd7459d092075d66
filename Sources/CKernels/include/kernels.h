#ifndef LOCKSTEP_KERNELS_H
#define LOCKSTEP_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The two checksums of every byte that is moved. All values are final ones (after the closing inversion), so 0 is the
// checksum of nothing, and the value of one call is what the next call continues from.

/// Continues a CRC-32C (Castagnoli, reflected, all ones in and out) over n more bytes.
uint32_t lockstep_crc32c(uint32_t crc, const void *data, size_t n);

/// Continues a CRC-64/NVME (reflected, all ones in and out) over n more bytes. Azure's CRC64 is the same function.
uint64_t lockstep_crc64nvme(uint64_t crc, const void *data, size_t n);

/// Continues both over n more bytes, reading them once.
void lockstep_crc_both(uint32_t *crc32c, uint64_t *crc64nvme, const void *data, size_t n);

/// Continues a CRC-32 (ISO-HDLC, reflected, all ones in and out) over n more bytes. For what arrives without the other two.
uint32_t lockstep_crc32(uint32_t crc, const void *data, size_t n);

/// The ways of computing them. The functions above take the last one that the processor has.
enum lockstep_crc_path {
    lockstep_crc_portable = 0,   // tables, eight bytes a step
    lockstep_crc_carryless = 1,  // 128-bit carry-less products: PCLMULQDQ or PMULL
    lockstep_crc_avx2 = 2,       // VPCLMULQDQ on 256 bits
    lockstep_crc_avx512 = 3,     // VPCLMULQDQ on 512 bits
};

bool lockstep_crc_has_path(enum lockstep_crc_path path);

// The same by one way, for comparing them. The path has to be one that the processor has.
uint32_t lockstep_crc32c_by(enum lockstep_crc_path path, uint32_t crc, const void *data, size_t n);
uint64_t lockstep_crc64nvme_by(enum lockstep_crc_path path, uint64_t crc, const void *data, size_t n);
void lockstep_crc_both_by(
    enum lockstep_crc_path path, uint32_t *crc32c, uint64_t *crc64nvme, const void *data, size_t n);

// A rolling hash that decides where content is cut: each byte shifts the register by one bit and adds its word of the table, so that
// the register depends on the last 64 bytes only.

/// The register after n more bytes.
uint64_t lockstep_gear_roll(uint64_t hash, const uint64_t table[256], const void *data, size_t n);

/// How many of the bytes it takes until the register has all bits of the mask zero; 0 when it never does. The register is then the
/// one after the last byte that was looked at.
size_t lockstep_gear_find(uint64_t *hash, const uint64_t table[256], const void *data, size_t n, uint64_t mask);

// The planes of fixed-size elements: plane k holds byte k of every element. The width is 2, 4 or 8.

/// Writes the planes one after the other, each of as many bytes as there are elements.
void lockstep_planes_split(const void *elements, size_t count, unsigned width, uint8_t *planes);

/// Writes the elements whose bytes lie in the planes.
void lockstep_planes_join(const uint8_t *const *planes, size_t count, unsigned width, void *elements);

/// Counts how often each byte occurs, on top of what the counts say.
void lockstep_count_bytes(const void *data, size_t n, uint32_t counts[256]);

#endif
