#if defined(__aarch64__)

#include <arm_acle.h>
#include <arm_neon.h>

#if defined(__linux__)
#include <sys/auxv.h>
#endif

#include "folding.h"
#include "kernels.h"

#define PMULL __attribute__((target("+aes+crc")))
#define INLINE static inline __attribute__((always_inline))

PMULL INLINE uint64x2_t load128(const uint8_t *data) { return vreinterpretq_u64_u8(vld1q_u8(data)); }

PMULL INLINE uint64x2_t pair(uint64_t first, uint64_t second) {
    return vcombine_u64(vcreate_u64(first), vcreate_u64(second));
}

PMULL INLINE uint64x2_t product(uint64_t a, uint64_t b) {
    return vreinterpretq_u64_p128(vmull_p64((poly64_t)a, (poly64_t)b));
}

PMULL INLINE uint64x2_t move128(uint64x2_t block, uint64x2_t constant, uint64x2_t onto) {
    uint64x2_t first = product(vgetq_lane_u64(block, 0), vgetq_lane_u64(constant, 0));
    uint64x2_t second =
        vreinterpretq_u64_p128(vmull_high_p64(vreinterpretq_p64_u64(block), vreinterpretq_p64_u64(constant)));
    return veorq_u64(veorq_u64(first, second), onto);
}

PMULL INLINE struct lockstep_block finish128(
    const struct lockstep_folding *constants, uint64x2_t value, const uint8_t *data, size_t n) {
    uint64x2_t constant = pair(constants->by128.first, constants->by128.second);
    for (; n > 0; data += 16, n -= 16) value = move128(value, constant, load128(data));
    return (struct lockstep_block){vgetq_lane_u64(value, 0), vgetq_lane_u64(value, 1)};
}

PMULL static struct lockstep_block fold_pmull(
    const struct lockstep_folding *constants, uint64_t running, const uint8_t *data, size_t n) {
    uint64x2_t head = pair(running, 0);
    if (n < 128) return finish128(constants, veorq_u64(load128(data), head), data + 16, n - 16);

    uint64x2_t lane[8];
    for (int i = 0; i < 8; i++) lane[i] = load128(data + 16 * i);
    lane[0] = veorq_u64(lane[0], head);
    uint64x2_t constant = pair(constants->by1024.first, constants->by1024.second);
    for (data += 128, n -= 128; n >= 128; data += 128, n -= 128)
        for (int i = 0; i < 8; i++) lane[i] = move128(lane[i], constant, load128(data + 16 * i));

    constant = pair(constants->by128.first, constants->by128.second);
    for (int i = 1; i < 8; i++) lane[i] = move128(lane[i - 1], constant, lane[i]);
    return finish128(constants, lane[7], data, n);
}

PMULL static void fold_both_pmull(
    const uint64_t running[2], const uint8_t *data, size_t n, struct lockstep_block result[2]) {
    const struct lockstep_folding *const constants[2] = {&lockstep_folding_crc32c, &lockstep_folding_crc64nvme};
    if (n < 128) {
        for (int c = 0; c < 2; c++) result[c] = fold_pmull(constants[c], running[c], data, n);
        return;
    }
    uint64x2_t lane[2][8], constant[2];
    for (int c = 0; c < 2; c++) {
        for (int i = 0; i < 8; i++) lane[c][i] = load128(data + 16 * i);
        lane[c][0] = veorq_u64(lane[c][0], pair(running[c], 0));
        constant[c] = pair(constants[c]->by1024.first, constants[c]->by1024.second);
    }
    for (data += 128, n -= 128; n >= 128; data += 128, n -= 128)
        for (int i = 0; i < 8; i++) {
            uint64x2_t next = load128(data + 16 * i);
            lane[0][i] = move128(lane[0][i], constant[0], next);
            lane[1][i] = move128(lane[1][i], constant[1], next);
        }
    for (int c = 0; c < 2; c++) {
        constant[c] = pair(constants[c]->by128.first, constants[c]->by128.second);
        for (int i = 1; i < 8; i++) lane[c][i] = move128(lane[c][i - 1], constant[c], lane[c][i]);
        result[c] = finish128(constants[c], lane[c][7], data, n);
    }
}

PMULL static uint32_t reduce_crc32c(struct lockstep_block block) {
    return __crc32cd(__crc32cd(0, block.first), block.second);
}

/// Multiplies the block by x^64 and reduces it: once to 128 bits, then by Barrett's method.
PMULL static uint64_t reduce_crc64nvme(struct lockstep_block block) {
    uint64x2_t shifted = product(block.first, LOCKSTEP_CRC64_X127);
    uint64_t first = vgetq_lane_u64(shifted, 0) ^ block.second, second = vgetq_lane_u64(shifted, 1);

    // A reflected product lies one bit low, hence the shifts. The top coefficient of each constant, 1, is left out of it.
    uint64_t quotient = first ^ (vgetq_lane_u64(product(first, LOCKSTEP_CRC64_MU), 0) << 1);
    uint64x2_t multiple = product(quotient, LOCKSTEP_CRC64_POLY);
    return second ^ (vgetq_lane_u64(multiple, 1) << 1 | vgetq_lane_u64(multiple, 0) >> 63);
}

static const struct lockstep_folder folder = {fold_pmull, fold_both_pmull, reduce_crc32c, reduce_crc64nvme};
static const struct lockstep_folder *available;

__attribute__((constructor)) static void find_available(void) {
#if defined(__linux__)
    const unsigned long pmull = 1 << 4, crc32 = 1 << 7;  // bits of the kernel's interface
    unsigned long capabilities = getauxval(AT_HWCAP);
    if (!(capabilities & pmull) || !(capabilities & crc32)) return;
#endif
    available = &folder;  // every processor of the other system (macOS) has both
}

const struct lockstep_folder *lockstep_folder_of(int path) {
    return path == lockstep_crc_carryless ? available : NULL;
}

const struct lockstep_folder *lockstep_best_folder(void) { return available; }

#endif
