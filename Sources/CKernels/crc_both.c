#include "folding.h"
#include "kernels.h"

static void update(
    const struct lockstep_folder *folder, uint32_t *crc32c, uint64_t *crc64nvme, const uint8_t *data, size_t n) {
    uint64_t running[2] = {(uint32_t)~*crc32c, ~*crc64nvme};
    size_t folded = n & ~(size_t)15;
    if (folder != NULL && folded > 0) {
        struct lockstep_block blocks[2];
        folder->fold_both(running, data, folded, blocks);
        running[0] = folder->reduce_crc32c(blocks[0]);
        running[1] = folder->reduce_crc64nvme(blocks[1]);
        data += folded;
        n -= folded;
    }
    *crc32c = ~lockstep_crc32c_by_table((uint32_t)running[0], data, n);
    *crc64nvme = ~lockstep_crc64nvme_by_table(running[1], data, n);
}

void lockstep_crc_both(uint32_t *crc32c, uint64_t *crc64nvme, const void *data, size_t n) {
    update(lockstep_best_folder(), crc32c, crc64nvme, data, n);
}

void lockstep_crc_both_by(
    enum lockstep_crc_path path, uint32_t *crc32c, uint64_t *crc64nvme, const void *data, size_t n) {
    update(lockstep_folder_of(path), crc32c, crc64nvme, data, n);
}

bool lockstep_crc_has_path(enum lockstep_crc_path path) {
    return path == lockstep_crc_portable || lockstep_folder_of(path) != NULL;
}
