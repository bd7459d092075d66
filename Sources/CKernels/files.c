#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#endif

static int result_of(int result) { return result < 0 ? -errno : result; }

static int64_t nanoseconds(struct timespec time) { return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec; }

static void take_facts(const struct stat *status, struct lockstep_file_facts *facts) {
    facts->device = (uint64_t)status->st_dev;
    facts->inode = (uint64_t)status->st_ino;
    facts->size = (int64_t)status->st_size;
    facts->mode = (uint32_t)status->st_mode;
#ifdef __APPLE__
    facts->modified = nanoseconds(status->st_mtimespec);
    facts->changed = nanoseconds(status->st_ctimespec);
#else
    facts->modified = nanoseconds(status->st_mtim);
    facts->changed = nanoseconds(status->st_ctim);
#endif
}

int lockstep_file_facts(int fd, struct lockstep_file_facts *facts) {
    struct stat status;
    if (fstat(fd, &status) < 0) return -errno;
    take_facts(&status, facts);
    return 0;
}

int lockstep_file_facts_at(int directory, const char *name, struct lockstep_file_facts *facts) {
    struct stat status;
    if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0) return -errno;
    take_facts(&status, facts);
    return 0;
}

int lockstep_open_walking(int directory, const char *path, int flags, unsigned mode) {
    int current = directory;
    for (;;) {
        while (*path == '/') path++;
        size_t length = strcspn(path, "/");
        char name[256];
        if (length >= sizeof name) {
            if (current != directory) close(current);
            return -ENAMETOOLONG;
        }
        memcpy(name, path, length);
        name[length] = 0;
        path += length;
        bool last = path[strspn(path, "/")] == 0;
        if (strcmp(name, "..") == 0) {
            if (current != directory) close(current);
            return -EXDEV;
        }
        int next = openat(
            current, length == 0 ? "." : name, (last ? flags : O_RDONLY | O_DIRECTORY) | O_NOFOLLOW | O_CLOEXEC, (mode_t)mode);
        int error = errno;
        if (next < 0 && (error == ENOTDIR || error == EMLINK)) {
            // With O_DIRECTORY a symbolic link is "not a directory"; openat2 says ELOOP.
            struct stat status;
            if (fstatat(current, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode)) error = ELOOP;
        }
        if (current != directory) close(current);
        if (next < 0) return -error;
        if (last) return next;
        current = next;
    }
}

int lockstep_open_beneath(int directory, const char *path, int flags, unsigned mode) {
#if defined(__linux__) && defined(SYS_openat2)
    struct open_how how = {
        // Without O_NOFOLLOW, which would turn the error of a link in the last place into "not a directory".
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
        .mode = flags & O_CREAT ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS,
    };
    // EAGAIN: the kernel could not prove that a concurrent rename leads nowhere outside.
    for (int attempt = 0; attempt < 64; attempt++) {
        long result = syscall(SYS_openat2, directory, *path ? path : ".", &how, sizeof how);
        if (result >= 0) return (int)result;
        if (errno == EINTR || errno == EAGAIN) continue;
        // Old kernels do not have the call, and some sandboxes refuse what they do not know.
        if (errno == ENOSYS || errno == EPERM) return lockstep_open_walking(directory, path, flags, mode);
        return -errno;
    }
    return -EAGAIN;
#else
    return lockstep_open_walking(directory, path, flags, mode);
#endif
}

int lockstep_rename_exclusively(int from_directory, const char *from, int to_directory, const char *to) {
#if defined(__linux__)
    if (syscall(SYS_renameat2, from_directory, from, to_directory, to, RENAME_NOREPLACE) == 0) return 0;
#elif defined(__APPLE__)
    if (renameatx_np(from_directory, from, to_directory, to, RENAME_EXCL) == 0) return 0;
#else
    errno = ENOSYS;
#endif
    if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP) return -errno;
    // A file system without the flag: a hard link is exclusive too.
    if (linkat(from_directory, from, to_directory, to, 0) < 0) return -errno;
    return result_of(unlinkat(from_directory, from, 0));
}

int lockstep_preallocate(int fd, int64_t size) {
#ifdef __linux__
    if (size > 0) {
        int result;
        do result = fallocate(fd, 0, 0, size);
        while (result < 0 && errno == EINTR);
        if (result == 0) return 0;
        if (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL) return -errno;
    }
#endif
    return result_of(ftruncate(fd, size));
}

int lockstep_clone_file(int from, int to) {
#if defined(__linux__) && defined(FICLONE)
    return result_of(ioctl(to, FICLONE, from));
#else
    (void)from, (void)to;
    return -ENOTSUP;
#endif
}

ssize_t lockstep_copy_range(int from, int64_t from_offset, int to, int64_t to_offset, size_t count) {
#ifdef __linux__
    off64_t source = from_offset, target = to_offset;
    ssize_t copied;
    do copied = copy_file_range(from, &source, to, &target, count, 0);
    while (copied < 0 && errno == EINTR);
    return copied < 0 ? -errno : copied;
#else
    (void)from, (void)from_offset, (void)to, (void)to_offset, (void)count;
    return -ENOTSUP;
#endif
}

int lockstep_open_direct(void) {
#ifdef O_DIRECT
    return O_DIRECT;
#else
    return 0;
#endif
}

void lockstep_start_writeback(int fd, int64_t offset, int64_t count) {
#ifdef __linux__
    (void)sync_file_range(fd, offset, count, SYNC_FILE_RANGE_WRITE);
#else
    (void)fd, (void)offset, (void)count;
#endif
}

int lockstep_set_modified(int fd, int64_t modified) {
    struct timespec times[2] = {
        {.tv_sec = 0, .tv_nsec = UTIME_OMIT},
        {.tv_sec = modified / 1000000000, .tv_nsec = modified % 1000000000},
    };
    return result_of(futimens(fd, times));
}

ssize_t lockstep_get_attribute(int fd, const char *name, void *value, size_t capacity) {
#ifdef __APPLE__
    ssize_t result = fgetxattr(fd, name, value, capacity, 0, 0);
#else
    ssize_t result = fgetxattr(fd, name, value, capacity);
#endif
    return result < 0 ? -errno : result;
}

int lockstep_set_attribute(int fd, const char *name, const void *value, size_t count) {
#ifdef __APPLE__
    return result_of(fsetxattr(fd, name, value, count, 0, 0));
#else
    return result_of(fsetxattr(fd, name, value, count, 0));
#endif
}

bool lockstep_is_no_attribute(int error) {
#ifdef __APPLE__
    return error == ENOATTR;
#else
    return error == ENODATA;
#endif
}
