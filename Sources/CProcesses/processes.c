#define _GNU_SOURCE
#include "CProcesses.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

int processes_pipe(int *ends) { return pipe2(ends, O_CLOEXEC); }

int processes_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int processes_close_from(posix_spawn_file_actions_t *actions, int lowest) {
    return posix_spawn_file_actions_addclosefrom_np(actions, lowest);
}

char **processes_environment(void) { return environ; }
