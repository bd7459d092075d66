#if defined(__x86_64__)

#include <immintrin.h>

#include "folding.h"
#include "kernels.h"

#define SSE __attribute__((target("pclmul,sse4.2")))
#define AVX2 __attribute__((target("avx2,pclmul,sse4.2,vpclmulqdq")))
#define AVX512 __attribute__((target("avx512f,avx512vl,avx2,pclmul,sse4.2,vpclmulqdq")))
#define INLINE static inline __attribute__((always_inline))

// Each kernel is written once for either checksum or both; the compiler drops the half that is not wanted.

// --- 128 bits ---

SSE INLINE __m128i load128(const uint8_t *data) { return _mm_loadu_si128((const __m128i *)data); }

SSE INLINE __m128i constant128(struct lockstep_move move) {
    return _mm_set_epi64x((long long)move.second, (long long)move.first);
}

SSE INLINE __m128i move128(__m128i block, __m128i constant, __m128i onto) {
    __m128i first = _mm_clmulepi64_si128(block, constant, 0x00);
    __m128i second = _mm_clmulepi64_si128(block, constant, 0x11);
    return _mm_xor_si128(_mm_xor_si128(first, second), onto);
}

SSE INLINE struct lockstep_block block_of(__m128i value) {
    return (struct lockstep_block){
        (uint64_t)_mm_cvtsi128_si64(value), (uint64_t)_mm_extract_epi64(value, 1)};
}

/// Takes the blocks that are left one by one.
SSE INLINE struct lockstep_block finish128(
    const struct lockstep_folding *constants, __m128i value, const uint8_t *data, size_t n) {
    __m128i constant = constant128(constants->by128);
    for (; n > 0; data += 16, n -= 16) value = move128(value, constant, load128(data));
    return block_of(value);
}

SSE static struct lockstep_block fold_sse(
    const struct lockstep_folding *constants, uint64_t running, const uint8_t *data, size_t n) {
    __m128i head = _mm_cvtsi64_si128((long long)running);
    if (n < 128) return finish128(constants, _mm_xor_si128(load128(data), head), data + 16, n - 16);

    __m128i lane[8];
    for (int i = 0; i < 8; i++) lane[i] = load128(data + 16 * i);
    lane[0] = _mm_xor_si128(lane[0], head);
    __m128i constant = constant128(constants->by1024);
    for (data += 128, n -= 128; n >= 128; data += 128, n -= 128)
        for (int i = 0; i < 8; i++) lane[i] = move128(lane[i], constant, load128(data + 16 * i));

    constant = constant128(constants->by128);
    for (int i = 1; i < 8; i++) lane[i] = move128(lane[i - 1], constant, lane[i]);
    return finish128(constants, lane[7], data, n);
}

SSE static void fold_both_sse(
    const uint64_t running[2], const uint8_t *data, size_t n, struct lockstep_block result[2]) {
    const struct lockstep_folding *const constants[2] = {&lockstep_folding_crc32c, &lockstep_folding_crc64nvme};
    if (n < 64) {
        for (int c = 0; c < 2; c++) {
            __m128i head = _mm_xor_si128(load128(data), _mm_cvtsi64_si128((long long)running[c]));
            result[c] = finish128(constants[c], head, data + 16, n - 16);
        }
        return;
    }

    __m128i lane[2][4], constant[2];
    for (int c = 0; c < 2; c++) {
        for (int i = 0; i < 4; i++) lane[c][i] = load128(data + 16 * i);
        lane[c][0] = _mm_xor_si128(lane[c][0], _mm_cvtsi64_si128((long long)running[c]));
        constant[c] = constant128(constants[c]->by512);
    }
    for (data += 64, n -= 64; n >= 64; data += 64, n -= 64)
        for (int i = 0; i < 4; i++) {
            __m128i next = load128(data + 16 * i);
            lane[0][i] = move128(lane[0][i], constant[0], next);
            lane[1][i] = move128(lane[1][i], constant[1], next);
        }
    for (int c = 0; c < 2; c++) {
        constant[c] = constant128(constants[c]->by128);
        for (int i = 1; i < 4; i++) lane[c][i] = move128(lane[c][i - 1], constant[c], lane[c][i]);
        result[c] = finish128(constants[c], lane[c][3], data, n);
    }
}

SSE static uint32_t reduce_crc32c(struct lockstep_block block) {
    return (uint32_t)_mm_crc32_u64(_mm_crc32_u64(0, block.first), block.second);
}

/// Multiplies the block by x^64 and reduces it: once to 128 bits, then by Barrett's method.
SSE static uint64_t reduce_crc64nvme(struct lockstep_block block) {
    __m128i first = _mm_cvtsi64_si128((long long)block.first);
    __m128i shifted = _mm_clmulepi64_si128(first, _mm_cvtsi64_si128((long long)LOCKSTEP_CRC64_X127), 0x00);
    struct lockstep_block sum = block_of(shifted);
    sum.first ^= block.second;

    // A reflected product lies one bit low, hence the shifts. The top coefficient of each constant, 1, is left out of it.
    __m128i high = _mm_cvtsi64_si128((long long)sum.first);
    __m128i product = _mm_clmulepi64_si128(high, _mm_cvtsi64_si128((long long)LOCKSTEP_CRC64_MU), 0x00);
    uint64_t quotient = sum.first ^ (block_of(product).first << 1);
    __m128i factor = _mm_cvtsi64_si128((long long)quotient);
    struct lockstep_block multiple =
        block_of(_mm_clmulepi64_si128(factor, _mm_cvtsi64_si128((long long)LOCKSTEP_CRC64_POLY), 0x00));
    return sum.second ^ (multiple.second << 1 | multiple.first >> 63);
}

// --- 256 bits ---

AVX2 INLINE __m256i load256(const uint8_t *data) { return _mm256_loadu_si256((const __m256i *)data); }

AVX2 INLINE __m256i constant256(struct lockstep_move move) {
    return _mm256_set_epi64x(
        (long long)move.second, (long long)move.first, (long long)move.second, (long long)move.first);
}

AVX2 INLINE __m256i move256(__m256i block, __m256i constant, __m256i onto) {
    __m256i first = _mm256_clmulepi64_epi128(block, constant, 0x00);
    __m256i second = _mm256_clmulepi64_epi128(block, constant, 0x11);
    return _mm256_xor_si256(_mm256_xor_si256(first, second), onto);
}

AVX2 INLINE struct lockstep_block finish256(
    const struct lockstep_folding *constants, const __m256i lane[4], const uint8_t *data, size_t n) {
    __m128i constant = constant128(constants->by128);
    __m128i value = _mm256_castsi256_si128(lane[0]);
    value = move128(value, constant, _mm256_extracti128_si256(lane[0], 1));
    for (int i = 1; i < 4; i++) {
        value = move128(value, constant, _mm256_castsi256_si128(lane[i]));
        value = move128(value, constant, _mm256_extracti128_si256(lane[i], 1));
    }
    return finish128(constants, value, data, n);
}

AVX2 static struct lockstep_block fold_avx2(
    const struct lockstep_folding *constants, uint64_t running, const uint8_t *data, size_t n) {
    if (n < 256) return fold_sse(constants, running, data, n);
    __m256i lane[4];
    for (int i = 0; i < 4; i++) lane[i] = load256(data + 32 * i);
    lane[0] = _mm256_xor_si256(lane[0], _mm256_set_epi64x(0, 0, 0, (long long)running));
    __m256i constant = constant256(constants->by1024);
    for (data += 128, n -= 128; n >= 128; data += 128, n -= 128)
        for (int i = 0; i < 4; i++) lane[i] = move256(lane[i], constant, load256(data + 32 * i));
    return finish256(constants, lane, data, n);
}

AVX2 static void fold_both_avx2(
    const uint64_t running[2], const uint8_t *data, size_t n, struct lockstep_block result[2]) {
    if (n < 256) {
        fold_both_sse(running, data, n, result);
        return;
    }
    const struct lockstep_folding *const constants[2] = {&lockstep_folding_crc32c, &lockstep_folding_crc64nvme};
    __m256i lane[2][4], constant[2];
    for (int c = 0; c < 2; c++) {
        for (int i = 0; i < 4; i++) lane[c][i] = load256(data + 32 * i);
        lane[c][0] = _mm256_xor_si256(lane[c][0], _mm256_set_epi64x(0, 0, 0, (long long)running[c]));
        constant[c] = constant256(constants[c]->by1024);
    }
    for (data += 128, n -= 128; n >= 128; data += 128, n -= 128)
        for (int i = 0; i < 4; i++) {
            __m256i next = load256(data + 32 * i);
            lane[0][i] = move256(lane[0][i], constant[0], next);
            lane[1][i] = move256(lane[1][i], constant[1], next);
        }
    for (int c = 0; c < 2; c++) result[c] = finish256(constants[c], lane[c], data, n);
}

// --- 512 bits ---

AVX512 INLINE __m512i load512(const uint8_t *data) { return _mm512_loadu_si512(data); }

AVX512 INLINE __m512i constant512(struct lockstep_move move) { return _mm512_broadcast_i32x4(constant128(move)); }

AVX512 INLINE __m512i move512(__m512i block, __m512i constant, __m512i onto) {
    __m512i first = _mm512_clmulepi64_epi128(block, constant, 0x00);
    __m512i second = _mm512_clmulepi64_epi128(block, constant, 0x11);
    return _mm512_ternarylogic_epi64(first, second, onto, 0x96);
}

AVX512 INLINE struct lockstep_block finish512(
    const struct lockstep_folding *constants, const __m512i lane[4], const uint8_t *data, size_t n) {
    __m512i constant = constant512(constants->by512);
    __m512i wide = lane[0];
    for (int i = 1; i < 4; i++) wide = move512(wide, constant, lane[i]);
    for (; n >= 64; data += 64, n -= 64) wide = move512(wide, constant, load512(data));

    __m128i narrow = constant128(constants->by128);
    __m128i value = _mm512_castsi512_si128(wide);
    value = move128(value, narrow, _mm512_extracti32x4_epi32(wide, 1));
    value = move128(value, narrow, _mm512_extracti32x4_epi32(wide, 2));
    value = move128(value, narrow, _mm512_extracti32x4_epi32(wide, 3));
    return finish128(constants, value, data, n);
}

AVX512 static struct lockstep_block fold_avx512(
    const struct lockstep_folding *constants, uint64_t running, const uint8_t *data, size_t n) {
    if (n < 256) return fold_sse(constants, running, data, n);
    __m512i lane[4];
    for (int i = 0; i < 4; i++) lane[i] = load512(data + 64 * i);
    lane[0] = _mm512_xor_si512(lane[0], _mm512_zextsi128_si512(_mm_cvtsi64_si128((long long)running)));
    __m512i constant = constant512(constants->by2048);
    for (data += 256, n -= 256; n >= 256; data += 256, n -= 256)
        for (int i = 0; i < 4; i++) lane[i] = move512(lane[i], constant, load512(data + 64 * i));
    return finish512(constants, lane, data, n);
}

AVX512 static void fold_both_avx512(
    const uint64_t running[2], const uint8_t *data, size_t n, struct lockstep_block result[2]) {
    if (n < 256) {
        fold_both_sse(running, data, n, result);
        return;
    }
    const struct lockstep_folding *const constants[2] = {&lockstep_folding_crc32c, &lockstep_folding_crc64nvme};
    __m512i lane[2][4], constant[2];
    for (int c = 0; c < 2; c++) {
        for (int i = 0; i < 4; i++) lane[c][i] = load512(data + 64 * i);
        lane[c][0] =
            _mm512_xor_si512(lane[c][0], _mm512_zextsi128_si512(_mm_cvtsi64_si128((long long)running[c])));
        constant[c] = constant512(constants[c]->by2048);
    }
    for (data += 256, n -= 256; n >= 256; data += 256, n -= 256)
        for (int i = 0; i < 4; i++) {
            __m512i next = load512(data + 64 * i);
            lane[0][i] = move512(lane[0][i], constant[0], next);
            lane[1][i] = move512(lane[1][i], constant[1], next);
        }
    for (int c = 0; c < 2; c++) result[c] = finish512(constants[c], lane[c], data, n);
}

// --- choice ---

static const struct lockstep_folder folders[] = {
    [lockstep_crc_carryless] = {fold_sse, fold_both_sse, reduce_crc32c, reduce_crc64nvme},
    [lockstep_crc_avx2] = {fold_avx2, fold_both_avx2, reduce_crc32c, reduce_crc64nvme},
    [lockstep_crc_avx512] = {fold_avx512, fold_both_avx512, reduce_crc32c, reduce_crc64nvme},
};

static int available;  // the highest path of this processor; each includes those below it

__attribute__((constructor)) static void find_available(void) {
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("pclmul") || !__builtin_cpu_supports("sse4.2")) return;
    available = lockstep_crc_carryless;
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("vpclmulqdq")) return;
    available = lockstep_crc_avx2;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512vl")) return;
    available = lockstep_crc_avx512;
}

const struct lockstep_folder *lockstep_folder_of(int path) {
    return path >= lockstep_crc_carryless && path <= available ? &folders[path] : NULL;
}

const struct lockstep_folder *lockstep_best_folder(void) { return lockstep_folder_of(available); }

#endif
