#!/usr/bin/env bash
# Boots this machine's own system in a container that sees none of its network and writes to memory only, runs a script in it as root,
# and ends with the script's status. Needs root, and systemd-container.
#
#   Tests/Boot/boot.sh SCRIPT DIRECTORY      the container sees DIRECTORY as /shared; the script's output is in DIRECTORY/log
set -euo pipefail
script=$(realpath "$1")
shared=$(realpath "$2")
[ "$(id -u)" = 0 ] || {
    echo "boot: run as root: a container is booted" >&2
    exit 1
}
# Mounts are of this process alone and go with it.
[ -n "${BOOT_MOUNTS:-}" ] || BOOT_MOUNTS=1 exec unshare --mount --propagation private "$0" "$@"

layers=$(mktemp -d)
mount -t tmpfs tmpfs "$layers"
mkdir "$layers/upper" "$layers/work" "$layers/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$layers/upper,workdir=$layers/work" "$layers/root"
root=$layers/root
install -m 755 "$script" "$root/boot-script"
rm -f "$root/etc/machine-id"
systemd-machine-id-setup --root="$root" >/dev/null 2>&1
# What the machine itself runs is not wanted here.
rm -rf "$root/etc/systemd/system"/*.wants "$root/etc/cron.d"
cat >"$root/etc/systemd/system/boot-script.target" <<'UNIT'
[Unit]
Requires=basic.target boot-script.service
After=basic.target
AllowIsolate=yes
UNIT
cat >"$root/etc/systemd/system/boot-script.service" <<'UNIT'
[Unit]
After=basic.target
[Service]
Type=oneshot
TimeoutStartSec=240
ExecStart=/bin/bash -c '/boot-script >/shared/log 2>&1; echo $? >/shared/status'
ExecStopPost=/bin/systemctl poweroff --force --force
UNIT
rm -f "$shared/status"
timeout 300 systemd-nspawn --quiet --register=no --keep-unit --private-network --bind="$shared:/shared" --directory="$root" \
    --boot systemd.unit=boot-script.target >"$shared/console" 2>&1 </dev/null || true
[ -f "$shared/status" ] || {
    echo "boot: the script did not come to its end; see $shared/console and $shared/log" >&2
    exit 1
}
exit "$(cat "$shared/status")"
