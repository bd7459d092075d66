#ifndef LOCKSTEP_FILES_H
#define LOCKSTEP_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// What Swift cannot call by itself: variadic system calls, calls that the C library does not wrap, and fields whose names differ
// between systems. Every function returns what the call returned, or the negative error number.

/// What a file store wants to know of a file. Times in nanoseconds since 1970.
struct lockstep_file_facts {
    uint64_t device;
    uint64_t inode;
    int64_t size;
    int64_t modified;
    int64_t changed;
    uint32_t mode;
};

int lockstep_file_facts(int fd, struct lockstep_file_facts *facts);

/// Of a name in a directory; a symbolic link is not followed.
int lockstep_file_facts_at(int directory, const char *name, struct lockstep_file_facts *facts);

/// Opens a path below a directory. Neither `..` nor a symbolic link anywhere in the path leads out or is followed (ELOOP, EXDEV).
/// Uses openat2(2), and where the kernel lacks it the walk below.
int lockstep_open_beneath(int directory, const char *path, int flags, unsigned mode);

/// The same, component by component.
int lockstep_open_walking(int directory, const char *path, int flags, unsigned mode);

/// Renames unless the new name exists (EEXIST).
int lockstep_rename_exclusively(int from_directory, const char *from, int to_directory, const char *to);

/// Reserves the blocks of a file and sets its size. Where the file system cannot reserve, only the size is set.
int lockstep_preallocate(int fd, int64_t size);

/// Makes `to` share all blocks of `from`.
int lockstep_clone_file(int from, int to);

/// Copies inside the kernel; may copy less, 0 at the end of `from`.
ssize_t lockstep_copy_range(int from, int64_t from_offset, int to, int64_t to_offset, size_t count);

/// The flag of `open` for writes around the page cache; 0 where there is none.
int lockstep_open_direct(void);

/// Starts writing a range to the disk without waiting for it: a hint.
void lockstep_start_writeback(int fd, int64_t offset, int64_t count);

/// Sets the time of modification, in nanoseconds since 1970, and leaves the time of access.
int lockstep_set_modified(int fd, int64_t modified);

ssize_t lockstep_get_attribute(int fd, const char *name, void *value, size_t capacity);
int lockstep_set_attribute(int fd, const char *name, const void *value, size_t count);

/// Whether the error says that the file has no such attribute.
bool lockstep_is_no_attribute(int error);

#endif
