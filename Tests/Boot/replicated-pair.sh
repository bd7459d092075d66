#!/usr/bin/env bash
# What Deploy.md tells a new user to do, done in a booted system: from the package to a pair with timer, check, metrics and daemon.
set -euo pipefail
cd /
fail() {
    echo "FAILED: $*"
    journalctl -u 'lockstep*' --no-pager -o cat | tail -n 40
    exit 1
}
# The fields of a unit that say how it is.
state() { systemctl show --property="$2" --value "$1"; }
# Waits for a condition of the system, at most half a minute.
until_true() {
    for _ in $(seq 300); do
        "$@" && return
        sleep 0.1
    done
    fail "never true: $*"
}
step() { echo "== $*"; }

export PATH=/shared:$PATH    # promtool

step "install"
install -d /var/lib/prometheus/node-exporter
dpkg --install --force-depends /shared/lockstep.deb
getent passwd lockstep >/dev/null || fail "no user"
[ "$(systemctl is-enabled lockstep.service)" = disabled ] || fail "the daemon is enabled"

step "configure"
mkdir -p /srv/models /srv/replica
head -c 3000000 /dev/urandom >/srv/models/model.bin
chown lockstep /srv/replica
echo '{"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}' >/etc/lockstep/credentials/gcp.json
chmod 600 /etc/lockstep/credentials/gcp.json
cat >/etc/lockstep/lockstep.yaml <<'YAML'
version: 1
state: /var/lib/lockstep
log: {format: json, level: info}
metrics: {textfile: /var/lib/prometheus/node-exporter}
clouds:
  dr: {type: gs, credentials_file: "${env:CREDENTIALS_DIRECTORY}/lockstep_gcp.json"}
pairs:
  models: {source: /srv/models, target: /srv/replica, check: {evidence: 3}}
YAML
for unit in lockstep.service lockstep-run@.service lockstep-check@.service; do
    mkdir -p "/etc/systemd/system/$unit.d"
    printf '[Service]\nReadWritePaths=/srv/replica\n' >"/etc/systemd/system/$unit.d/directories.conf"
done
systemctl daemon-reload

step "run"
systemctl start lockstep-run@models.service || fail "the run failed"
cmp /srv/models/model.bin /srv/replica/model.bin || fail "the replica differs"
[ -f /var/lib/private/lockstep/pairs/models.json ] || fail "no record of the pair"

step "metrics"
textfile=/var/lib/prometheus/node-exporter/lockstep_models.prom
[ "$(stat -c %a "$textfile")" = 644 ] || fail "node_exporter could not read $textfile"
promtool check metrics <"$textfile" || fail "not in the format of Prometheus"
grep -q '^lockstep_pair_last_exit_code{.*pair="models".*} 0$' "$textfile" || fail "$(cat "$textfile")"

step "check"
systemctl start lockstep-check@models.service || fail "the check failed"
printf 'other' >/srv/replica/model.bin
systemctl start lockstep-check@models.service && fail "the check did not see the difference"
[ "$(state lockstep-check@models.service ExecMainStatus)" = 4 ] || fail "not drift: $(state lockstep-check@models.service ExecMainStatus)"
systemctl --failed --no-legend --plain | grep -q lockstep-check@models.service || fail "not among the failed units"
grep -q '^lockstep_pair_check_verdict{.*verdict="drift".*} 1$' "$textfile" || fail "drift is not in the metrics"
systemctl reset-failed lockstep-check@models.service
rm /srv/replica/model.bin
systemctl start lockstep-run@models.service || fail "the run did not mend it"
systemctl start lockstep-check@models.service || fail "it was not mended"
journalctl -u 'lockstep*' -o cat --no-pager | grep -q 'thread priority' && fail "the sandbox forbids something that the program does"

step "a configuration that is wrong"
cp /etc/lockstep/lockstep.yaml /tmp/good.yaml
sed -i 's/source:/sauce:/' /etc/lockstep/lockstep.yaml
systemctl start lockstep-run@models.service && fail "a wrong configuration was taken"
[ "$(state lockstep-run@models.service ExecMainStatus)" = 78 ] || fail "not 78"
[ "$(state lockstep-run@models.service SubState)" = failed ] || fail "tried again although it is final"
systemctl reset-failed lockstep-run@models.service
cp /tmp/good.yaml /etc/lockstep/lockstep.yaml

step "timers"
systemctl enable --now lockstep-run@models.timer lockstep-check@models.timer
[ "$(systemctl list-timers --no-legend 'lockstep*' | wc -l)" = 2 ] || fail "no timers"
systemctl disable --now lockstep-run@models.timer lockstep-check@models.timer

step "daemon"
systemctl start lockstep.service || fail "the daemon did not become ready"
curl --fail --silent --show-error http://127.0.0.1:9464/readyz >/dev/null || fail "not ready"
curl --fail --silent http://127.0.0.1:9464/metrics | promtool check metrics || fail "not in the format of Prometheus"
[ "$(state lockstep.service ActiveState)" = active ] || fail "not active"
systemctl reload lockstep.service || fail "the same configuration was refused"
sed -i 's/source:/sauce:/' /etc/lockstep/lockstep.yaml
systemctl reload lockstep.service && fail "a wrong configuration was taken"
[ "$(state lockstep.service ActiveState)" = active ] || fail "a wrong configuration ended the daemon"
cp /tmp/good.yaml /etc/lockstep/lockstep.yaml

step "a daemon that hangs"
printf '[Service]\nWatchdogSec=3s\nRestartSec=1s\n' >/etc/systemd/system/lockstep.service.d/soon.conf
systemctl daemon-reload
systemctl restart lockstep.service
kill -STOP "$(state lockstep.service MainPID)"
restarted() { [ "$(state lockstep.service NRestarts)" = 1 ] && [ "$(state lockstep.service ActiveState)" = active ]; }
until_true restarted
systemctl stop lockstep.service
[ "$(state lockstep.service Result)" = success ] || fail "it did not drain: $(state lockstep.service Result)"

step "by hand, with the same state"
# The function of Deploy.md.
lockstep_as_unit() {
    systemd-run --quiet --pipe --wait -p User=lockstep -p DynamicUser=yes -p StateDirectory=lockstep \
        -p EnvironmentFile=-/etc/lockstep/lockstep.env -p LoadCredential=lockstep:/etc/lockstep/credentials \
        -E LOCKSTEP_CONFIG=/etc/lockstep/lockstep.yaml \
        sh -c 'AWS_SHARED_CREDENTIALS_FILE=$CREDENTIALS_DIRECTORY/lockstep_aws AWS_CONFIG_FILE=$CREDENTIALS_DIRECTORY/lockstep_aws-config
            export AWS_SHARED_CREDENTIALS_FILE AWS_CONFIG_FILE; exec lockstep "$@"' lockstep "$@"
}
lockstep_as_unit config check || fail "the check of the configuration ended with $?"
lockstep_as_unit run models --dry-run || fail "by hand it ended with $?"
lockstep_as_unit doctor models --read-only || fail "the doctor ended with $?"

step "remove"
dpkg --remove lockstep
[ -d /var/lib/private/lockstep ] || fail "the state was removed"
echo "all done"
