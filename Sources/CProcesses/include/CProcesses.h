/// What Linux has for child processes and Swift's Glibc module does not show.
#pragma once

#include <spawn.h>
#include <sys/types.h>

/// `pipe2(ends, O_CLOEXEC)`: 0, or -1 and errno.
int processes_pipe(int *_Nonnull ends);

/// A descriptor that is readable once the process has ended; -1 and errno when there is none.
int processes_open(pid_t pid);

/// Closes everything from that descriptor on in the child. 0 or an error number.
int processes_close_from(posix_spawn_file_actions_t *_Nonnull actions, int lowest);

/// The variables of this process, as `environ` has them.
char *_Nullable *_Nonnull processes_environment(void);
