#if !defined(__x86_64__) && !defined(__aarch64__)

#include "folding.h"

const struct lockstep_folder *lockstep_folder_of(int path) {
    (void)path;
    return NULL;
}

const struct lockstep_folder *lockstep_best_folder(void) { return NULL; }

#endif
